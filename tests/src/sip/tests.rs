//! The watching phone against a small server that asks for digest and NOTIFYs.

use std::time::Duration;

use super::*;

const DIALOG: &str = "<dialog-info><dialog id=\"1\"><state>early</state></dialog></dialog-info>";

fn notify(subscribe: &Message, body: &str) -> Message {
    let mut notify = Message::new("NOTIFY sip:watcher SIP/2.0".into())
        .with("Via", "SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKn")
        .with("From", format!("{};tag=server", subscribe.header("To").unwrap()))
        .with("To", subscribe.header("From").unwrap())
        .with("Call-ID", subscribe.header("Call-ID").unwrap())
        .with("CSeq", "1 NOTIFY")
        .with("Event", "dialog")
        .with("Subscription-State", "active");
    notify.body = body.into();
    notify
}

/// Challenges the first SUBSCRIBE, takes the second and NOTIFYs before it answers; returns what it was sent.
async fn serve(socket: UdpSocket) -> Vec<Message> {
    let mut heard = Vec::new();
    let mut buffer = [0; 4000];
    while heard.len() < 5 {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let message = Message::parse(&buffer[..length]).unwrap();
        let reply = match (message.status(), message.header("Authorization")) {
            (Some(_), _) => None,
            (None, None) => Some(
                message
                    .response("401 Unauthorized")
                    .with("WWW-Authenticate", "Digest realm=\"asterisk\",nonce=\"1\""),
            ),
            (None, Some(_)) => {
                if message.header("Expires") != Some("0") {
                    socket.send_to(notify(&message, DIALOG).render().as_bytes(), from).await.unwrap();
                }
                Some(message.response("200 OK").with("Contact", "<sip:198.18.0.11:5060>"))
            }
        };
        heard.push(message);
        if let Some(reply) = reply {
            let text =
                reply.render().replace("<sip:1001@127.0.0.1>\r\n", "<sip:1001@127.0.0.1>;tag=server\r\n");
            socket.send_to(text.as_bytes(), from).await.unwrap();
        }
    }
    heard
}

#[tokio::test]
async fn a_phone_subscribes_with_digest_sees_the_lamp_and_ends_in_its_dialog() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let served = tokio::spawn(serve(server));
    let mut watcher = Watcher::open(Ipv4Addr::LOCALHOST, "watcher", "secret").await.unwrap();
    let line = watcher.line.clone();
    let mark = watcher.sightings().mark();
    let subscription =
        Subscription::start(line.clone(), "pbx", address, "1001", Package::Dialog).await.unwrap();
    watcher.subscriptions.push(subscription);
    let deadline = Instant::now() + Duration::from_secs(2);
    let seen = watcher.sightings().first(mark, deadline, |seen| Some(seen.clone())).await.unwrap();
    assert_eq!((seen.server.as_str(), seen.target.as_str()), ("pbx", "1001"));
    assert_eq!(seen.report, Report::Lamp(Lamp::Ringing));
    watcher.close().await;
    // SUBSCRIBE, SUBSCRIBE with digest, 200 to the NOTIFY, un-SUBSCRIBE in the dialog; the fifth ends the server.
    let probe = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    probe.send_to(Message::new("OPTIONS sip:x SIP/2.0".into()).render().as_bytes(), address).await.unwrap();
    let heard = served.await.unwrap();
    assert!(heard.iter().any(|message| message.status() == Some(200)));
    let last = heard.iter().rfind(|message| message.is_request("SUBSCRIBE")).unwrap();
    assert_eq!(last.start, "SUBSCRIBE sip:198.18.0.11:5060 SIP/2.0");
    assert!(last.header("To").unwrap().ends_with(";tag=server"));
    assert_eq!(last.header("Expires"), Some("0"));
}

#[tokio::test]
async fn a_notify_of_an_unknown_subscription_is_refused() {
    let watcher = Watcher::open(Ipv4Addr::LOCALHOST, "watcher", "secret").await.unwrap();
    let stray = notify(
        &Message::new("SUBSCRIBE sip:x SIP/2.0".into())
            .with("To", "<a>")
            .with("From", "<b>")
            .with("Call-ID", "c"),
        DIALOG,
    );
    assert_eq!(watcher.line.take_request(&stray, Instant::now()), "481 Subscription does not exist");
}

#[test]
fn a_notify_that_was_sent_again_or_overtaken_is_no_news() {
    let mut watched = Watched { server: "pbx1".into(), target: "1001".into(), sequence: None };
    let notify = |cseq: &str| Message::new("NOTIFY sip:watcher SIP/2.0".into()).with("CSeq", cseq);
    let news = ["1 NOTIFY", "1 NOTIFY", "3 NOTIFY", "2 NOTIFY"].map(|cseq| watched.is_news(&notify(cseq)));
    assert_eq!(news, [true, false, true, false]);
}
