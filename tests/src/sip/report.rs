//! What a NOTIFY tells a phone: a lamp or a count of messages.

use super::message::{Message, parameter};

/// The lamp as the dialog event package (RFC 4235) shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lamp {
    /// `terminated`: nobody is on the phone.
    Out,
    /// `early`: it rings.
    Ringing,
    /// `confirmed`: in use.
    Lit,
}

/// The content of one NOTIFY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A lamp (event `dialog`).
    Lamp(Lamp),
    /// Voice messages (event `message-summary`).
    Messages {
        /// Not yet heard.
        new: u32,
        /// Heard before.
        old: u32,
    },
    /// The server ended the subscription, and why.
    Ended(String),
    /// Something that this phone does not understand.
    Unknown(String),
}

impl Report {
    pub(super) fn read(notify: &Message) -> Self {
        let body = notify.body.as_str();
        let event = notify.header("Event").unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let known = match event {
            "dialog" => lamp(body).map(Self::Lamp),
            "message-summary" => messages(body),
            _ => None,
        };
        if let Some(report) = known {
            return report;
        }
        let subscription = notify.header("Subscription-State").unwrap_or_default();
        if subscription.starts_with("terminated") {
            return Self::Ended(parameter(subscription, "reason").unwrap_or("no reason").to_owned());
        }
        Self::Unknown(format!("{event}: {body}"))
    }
}

/// The most alive of the dialogs in the document: one that rings or talks lights the lamp.
fn lamp(body: &str) -> Option<Lamp> {
    let mut states = body.split("<state").skip(1).filter_map(|rest| {
        let (_, rest) = rest.split_once('>')?;
        rest.split_once("</state>").map(|(state, _)| state.trim())
    });
    states.try_fold(None, |shown, state| {
        let lamp = match state {
            "confirmed" => Lamp::Lit,
            "early" | "proceeding" | "trying" => Lamp::Ringing,
            "terminated" => Lamp::Out,
            _ => return None,
        };
        Some(Some(match (shown, lamp) {
            (Some(Lamp::Lit), _) | (_, Lamp::Lit) => Lamp::Lit,
            (Some(Lamp::Ringing), _) | (_, Lamp::Ringing) => Lamp::Ringing,
            _ => Lamp::Out,
        }))
    })?
}

fn messages(body: &str) -> Option<Report> {
    let counts = body.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("Voice-Message").then_some(value)
    });
    let Some(counts) = counts else {
        // Without a mailbox of that name Asterisk says just this.
        return body
            .to_ascii_lowercase()
            .contains("messages-waiting: no")
            .then_some(Report::Messages { new: 0, old: 0 });
    };
    let (new, old) = counts.split('(').next()?.trim().split_once('/')?;
    Some(Report::Messages { new: new.trim().parse().ok()?, old: old.trim().parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notify(event: &str, body: &str) -> Report {
        let mut message = Message::new("NOTIFY sip:a SIP/2.0".into())
            .with("Event", event)
            .with("Subscription-State", "active;expires=60");
        message.body = body.into();
        Report::read(&message)
    }

    fn dialog(states: &[&str]) -> String {
        let dialogs: String = states
            .iter()
            .map(|state| format!("<dialog id=\"1001\"><state>{state}</state></dialog>"))
            .collect();
        format!(
            "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"1\" state=\"full\">{dialogs}</dialog-info>"
        )
    }

    #[test]
    fn a_lamp_is_read_from_dialog_info() {
        assert_eq!(notify("dialog", &dialog(&["terminated"])), Report::Lamp(Lamp::Out));
        assert_eq!(notify("dialog", &dialog(&["early"])), Report::Lamp(Lamp::Ringing));
        assert_eq!(notify("dialog;id=3", &dialog(&["confirmed"])), Report::Lamp(Lamp::Lit));
        assert_eq!(notify("dialog", &dialog(&["terminated", "early"])), Report::Lamp(Lamp::Ringing));
        assert!(matches!(notify("dialog", &dialog(&["dancing"])), Report::Unknown(_)));
        assert!(matches!(notify("dialog", "<dialog-info/>"), Report::Unknown(_)));
    }

    #[test]
    fn counts_are_read_from_message_summary() {
        let body =
            "Messages-Waiting: yes\r\nMessage-Account: sip:100@default\r\nVoice-Message: 2/1 (0/0)\r\n";
        assert_eq!(notify("message-summary", body), Report::Messages { new: 2, old: 1 });
        assert_eq!(
            notify("message-summary", "Messages-Waiting: no\r\n"),
            Report::Messages { new: 0, old: 0 }
        );
        assert!(matches!(notify("message-summary", "Voice-Message: many/0\r\n"), Report::Unknown(_)));
    }

    #[test]
    fn the_end_of_a_subscription_tells_its_reason() {
        let ended = Message::new("NOTIFY sip:a SIP/2.0".into())
            .with("Subscription-State", "terminated;reason=timeout");
        assert_eq!(Report::read(&ended), Report::Ended("timeout".into()));
    }
}
