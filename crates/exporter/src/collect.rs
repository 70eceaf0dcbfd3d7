//! The sources: each collector is a task (corosync's a thread) that reads one of them and reports what it said.

pub(crate) mod asterisk;
pub(crate) mod corosync;
pub(crate) mod http;
pub(crate) mod lamps;
pub(crate) mod nodes;

use crate::canary::Stamp;
use crate::metrics::CorosyncFigures;
use crate::place::{NodeId, ServerId};
use crate::sources::{Answer, Collector};
use crate::watch::Dropped;
use ::asterisk::ami::HintStatus;
use ::asterisk::lamp::LampState;
use presence::DeviceState;
use std::time::Duration;
use tokio::sync::mpsc;

/// What a collector reports. `at` is when the bytes were read.
#[derive(Debug)]
pub(crate) enum Input {
    ListBegan {
        server: ServerId,
    },
    DeviceState {
        server: ServerId,
        device: String,
        state: DeviceState,
        listed: bool,
        at: Duration,
    },
    Hint {
        server: ServerId,
        exten: String,
        devices: String,
        status: HintStatus,
        listed: bool,
        at: Duration,
    },
    ListEnded {
        server: ServerId,
    },
    ServerGone {
        server: ServerId,
    },
    Lamp {
        server: ServerId,
        exten: String,
        state: LampState,
        first: bool,
        at: Duration,
    },
    LampGone {
        server: ServerId,
        exten: String,
    },
    Node {
        node: NodeId,
        status: Option<nodes::Status>,
    },
    /// What a node's wall clock showed `at` that time.
    NodeClock {
        node: NodeId,
        unix: Duration,
        at: Duration,
    },
    Stamps {
        node: NodeId,
        server: ServerId,
        stamps: Option<Vec<Stamp>>,
    },
    Corosync {
        figures: Option<CorosyncFigures>,
    },
    Source {
        collector: Collector,
        target: String,
        answer: Answer,
    },
    Dropped {
        server: ServerId,
        reason: Dropped,
        count: u64,
    },
}

/// Where collectors report to. It is bounded: who reports too fast waits, and what it reads waits in the kernel.
pub(crate) type Inputs = mpsc::Sender<Input>;

/// The exporter is ending, so nobody takes reports any more.
#[derive(Debug, thiserror::Error)]
#[error("the exporter is ending")]
pub(crate) struct Ending;

/// Reports something.
pub(crate) async fn report(inputs: &Inputs, input: Input) -> Result<(), Ending> {
    inputs.send(input).await.map_err(|_| Ending)
}
