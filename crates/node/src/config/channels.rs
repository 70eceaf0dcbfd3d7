//! Reads channels, and which of them links and servers choose.

use super::{schema, values};
use daemon::config::{Field, Found, Source, Table};
use presence::Pattern;
use presence::link::{Channel, Filter};

pub(super) struct ChannelDraft {
    pub(super) name: Option<Found<String>>,
    channel: Channel,
}

/// The names of channels that somebody is told, and of those that are taken from him; all, where there is no list.
pub(super) struct Choice {
    send: Option<Vec<Found<String>>>,
    take: Option<Vec<Found<String>>>,
}

pub(super) fn channel(source: &mut Source<'_>, table: &Table<'_>) -> ChannelDraft {
    let name = table.required(source, &schema::CHANNEL_NAME);
    let name = source.read(name, daemon::config::values::name);
    let devices = patterns(source, table, &schema::CHANNEL_DEVICES, values::pattern);
    let mailboxes = patterns(source, table, &schema::CHANNEL_MAILBOXES, values::mailboxes);
    if devices.is_empty()
        && mailboxes.is_empty()
        && let Some(name) = &name
    {
        let sentence = "lets nothing through; write devices = [\"*\"], mailboxes = [\"*\"] or both";
        source.report(name.origin.problem(sentence));
    }
    ChannelDraft { name, channel: Channel { devices, mailboxes } }
}

fn patterns(
    source: &mut Source<'_>,
    table: &Table<'_>,
    field: &Field,
    read: fn(&str) -> Result<Pattern, String>,
) -> Vec<Pattern> {
    let texts = table.texts(source, field).unwrap_or_default();
    texts.into_iter().filter_map(|text| source.read(Some(text), read)).map(|found| found.value).collect()
}

impl Choice {
    pub(super) fn read(source: &mut Source<'_>, table: &Table<'_>) -> Self {
        Self { send: table.texts(source, &schema::SEND), take: table.texts(source, &schema::TAKE) }
    }

    /// Names a channel that there is not.
    pub(super) fn report(&self, source: &mut Source<'_>, channels: &[ChannelDraft]) {
        let known: Vec<&str> =
            channels.iter().filter_map(|it| Some(it.name.as_ref()?.value.as_str())).collect();
        for name in self.send.iter().chain(&self.take).flatten() {
            if !known.contains(&name.value.as_str()) {
                let sentence = format!(
                    "{:?} is no [[channel]]; write one of that name, or one of those that there are ({})",
                    name.value,
                    known.join(", ")
                );
                source.report(name.origin.problem(sentence));
            }
        }
    }

    /// What may be told, and what is taken.
    pub(super) fn finish(self, channels: &[ChannelDraft]) -> [Filter; 2] {
        [self.send, self.take].map(|names| Filter {
            eids: None,
            channels: names.map(|names| names.iter().filter_map(|name| of(name, channels)).collect()),
        })
    }
}

fn of(name: &Found<String>, channels: &[ChannelDraft]) -> Option<Channel> {
    let named = |it: &&ChannelDraft| it.name.as_ref().is_some_and(|its| its.value == name.value);
    channels.iter().find(named).map(|it| it.channel.clone())
}
