//! The sets of labels: what is bounded by the configuration, and nothing else.

use crate::place::ServerId;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};

/// What stands in labels for servers and nodes, and the site.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) site: String,
    pub(crate) servers: Vec<String>,
    pub(crate) nodes: Vec<String>,
}

impl Names {
    pub(crate) fn server(&self, id: ServerId) -> String {
        self.servers[id.0].clone()
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(super) struct PairLabels {
    pub(super) site: String,
    pub(super) origin: String,
    pub(super) target: String,
    pub(super) at: &'static str,
    pub(super) kind: &'static str,
    pub(super) path: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(super) struct FateLabels {
    #[prometheus(flatten)]
    pub(super) pair: PairLabels,
    pub(super) fate: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(super) struct OriginLabels {
    pub(super) origin: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(super) struct HopLabels {
    pub(super) origin: String,
    pub(super) target: String,
    pub(super) hop: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(super) struct ServerLabels {
    pub(super) server: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(super) struct NodeLabels {
    pub(super) node: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(super) struct ClockLabels {
    pub(super) clock: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(super) struct LinkLabels {
    pub(super) nodeid: u32,
    pub(super) link: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(super) struct LinkStatLabels {
    pub(super) nodeid: u32,
    pub(super) link: u32,
    pub(super) stat: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(super) struct SourceLabels {
    pub(super) collector: &'static str,
    pub(super) target: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(super) struct ReasonLabels {
    pub(super) server: String,
    pub(super) reason: &'static str,
}

/// For what has one series, or none while it is not known.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct NoLabels;

impl EncodeLabelSet for NoLabels {
    fn encode(&self, _: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        Ok(())
    }
}
