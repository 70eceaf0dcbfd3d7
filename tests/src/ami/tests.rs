//! The client against a small server that plays back what Asterisk says.

use std::time::Instant;

use tokio::net::TcpListener;

use super::*;
use crate::journal::Mark;

/// Accepts one client, answers each action by what `script` makes of its name and id.
async fn fake(script: impl Fn(&str, &str) -> String + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        writer.write_all(b"Asterisk Call Manager/11.0.0\r\n").await.unwrap();
        let mut decoder = Decoder::default();
        let mut buffer = [0; 1000];
        while let Ok(length @ 1..) = reader.read(&mut buffer).await {
            for action in decoder.feed(&buffer[..length], Instant::now()).unwrap() {
                let answer = script(&action.field("Action").unwrap(), &action.field("ActionID").unwrap());
                if answer.is_empty() {
                    return;
                }
                writer.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    address
}

#[tokio::test]
async fn replies_find_their_action_and_events_the_journal() {
    let address = fake(|action, id| match action {
        "Login" => {
            format!("Response: Success\r\nActionID: {id}\r\nMessage: ok\r\n\r\nEvent: FullyBooted\r\n\r\n")
        }
        "DeviceStateList" => format!(
            "Response: Success\r\nActionID: {id}\r\nEventList: start\r\n\r\n\
             Event: DeviceStateChange\r\nActionID: {id}\r\nDevice: Custom:a\r\nState: INUSE\r\n\r\n\
             Event: DeviceStateChange\r\nDevice: Custom:b\r\nState: RINGING\r\n\r\n\
             Event: DeviceStateListComplete\r\nActionID: {id}\r\nEventList: Complete\r\nListItems: 1\r\n\r\n"
        ),
        _ => format!("Response: Error\r\nActionID: {id}\r\nMessage: Invalid/unknown command\r\n\r\n"),
    })
    .await;
    let ami = Ami::connect(address, "lab", "secret").await.unwrap();
    let list = ami.list("DeviceStateList", &[]).await.unwrap();
    assert_eq!(list.len(), 1);
    assert!(list[0].is("Device", "Custom:a"));
    let heard =
        ami.events().since(Mark::default(), |event| event.field("Event").map(|name| name.into_owned()));
    assert_eq!(heard, ["FullyBooted", "DeviceStateChange"]);
    let refused = ami.action("Dance", &[]).await.unwrap_err();
    assert!(refused.to_string().ends_with("Dance refused: Invalid/unknown command"), "{refused}");
}

#[tokio::test]
async fn a_closed_connection_is_an_error_and_not_a_wait() {
    let address = fake(|action, id| match action {
        "Login" => format!("Response: Success\r\nActionID: {id}\r\n\r\n"),
        _ => String::new(),
    })
    .await;
    let ami = Ami::connect(address, "lab", "secret").await.unwrap();
    assert!(matches!(ami.action("Ping", &[]).await, Err(Error::Closed(_))));
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let address =
        fake(|_, id| format!("Response: Error\r\nActionID: {id}\r\nMessage: Authentication failed\r\n\r\n"))
            .await;
    assert!(matches!(Ami::connect(address, "lab", "wrong").await, Err(Error::Refused { .. })));
}

#[test]
fn a_line_break_in_a_value_is_not_sent() {
    assert!(matches!(render("Setvar", "1", &[("Value", "x\r\nAction: Logoff")]), Err(Error::LineBreak(_))));
}
