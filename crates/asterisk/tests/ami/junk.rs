//! Whatever arrives, a session neither panics nor grows, and names its end.

use crate::{BANNER, SECOND, ping, session};
use asterisk::ami::{Event, Login, Report};
use proptest::prelude::*;

/// Lines that lead into every branch, and junk.
fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(vec![
            "\r\n",
            "\r\n\r\n",
            "Response: Success\r\n",
            "Response: Error\r\n",
            "Challenge: 1\r\n",
            "Event: E\r\n",
            "Event: DeviceStateChange\r\n",
            "Device: Custom:a\r\n",
            "State: INUSE\r\n",
            "Event: ExtensionStatus\r\n",
            "Exten: 1\r\n",
            "Context: c\r\n",
            "Hint: h\r\n",
            "Status: 99\r\n",
            "Output: a\nb\r\n",
        ])
        .prop_map(|line| line.as_bytes().to_vec()),
        (0..9_u8).prop_map(|id| format!("ActionID: asterism-{id}\r\n").into_bytes()),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #[test]
    fn any_bytes_at_any_time_are_survived(
        lines in prop::collection::vec((line(), 0..3_u32), 0..60), challenge: bool, greeted: bool,
    ) {
        let mut session = session(if challenge { Login::Challenge } else { Login::Plain });
        if greeted {
            session.handle_bytes(SECOND, BANNER);
        }
        let (mut now, mut over) = (SECOND, false);
        for (line, seconds) in lines {
            now += seconds * SECOND;
            session.handle_bytes(now, &line);
            let _ = session.request(now, &ping());
            while let Some(bytes) = session.poll_transmit() {
                prop_assert!(bytes.ends_with(b"\r\n\r\n"));
            }
            while let Some(event) = session.poll_event() {
                prop_assert!(!over, "nothing follows the end");
                over = matches!(event, Event::Refused { .. } | Event::Dead(_));
                if let Event::Event(message) = event {
                    let _ = Report::read(&message);
                }
            }
            session.handle_timeout(now);
            prop_assert!(session.poll_timeout().is_none_or(|due| due > now), "a deadline that was met is gone");
        }
    }
}
