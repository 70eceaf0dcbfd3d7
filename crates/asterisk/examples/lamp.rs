//! Watches lamps at Asterisk servers by hand.
//!
//! `lamp LOCAL USER EXTENSIONS SERVER...`, addresses as `ip:port`, extensions with commas between; the password in
//! `SIP_SECRET`. On stdin, `renew` renews the subscriptions at the first server, `quit` ends all of them. With
//! `CAPTURE=DIR` every datagram of the servers becomes a file there.

use asterisk::lamp::{Watched, Watcher, WatcherConfig};
use asterisk::{Credentials, ServerId};
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [local, user, extensions, servers @ ..] = &arguments[..] else {
        return Err("usage: lamp LOCAL USER EXTENSIONS SERVER...".into());
    };
    let local: SocketAddr = local.parse()?;
    let extensions: Vec<_> = extensions.split(',').map(str::to_owned).collect();
    let password = std::env::var("SIP_SECRET").unwrap_or_default();
    let credentials = Credentials { user: user.clone(), password };
    let watched = |server: &String| -> Result<Watched, Failure> {
        let (credentials, extensions) = (Some(credentials.clone()), extensions.clone());
        Ok(Watched { address: server.parse()?, credentials, extensions })
    };
    let servers = servers.iter().map(watched).collect::<Result<_, _>>()?;
    let seed = SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos().into();
    let expires_s = std::env::var("EXPIRES").map_or(Ok(60), |text| text.parse())?;
    let watcher = Watcher::new(WatcherConfig { local, servers, expires_s, seed }, Duration::ZERO);
    run(watcher, &UdpSocket::bind(local)?, &typed())
}

/// Lines from stdin, read by a thread of their own.
fn typed() -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn run(mut watcher: Watcher, socket: &UdpSocket, lines: &Receiver<String>) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut buffer = [0; 65_536];
    let (mut quitting, mut captured) = (false, 0);
    loop {
        watcher.handle_timeout(begun.elapsed());
        match lines.try_recv().as_deref() {
            Ok("quit") => {
                quitting = true;
                watcher.unsubscribe(begun.elapsed());
            }
            Ok(_) => watcher.renew(begun.elapsed(), ServerId(0)),
            Err(_) => {}
        }
        while let Some(event) = watcher.poll_event() {
            eprintln!("{:.4} {event:?}", begun.elapsed().as_secs_f64());
        }
        while let Some(transmit) = watcher.poll_transmit() {
            socket.send_to(&transmit.payload, transmit.to)?;
        }
        if quitting && watcher.is_quiet() {
            eprintln!("{:#?}", watcher.counters());
            return Ok(());
        }
        let until = watcher.poll_timeout().unwrap_or(Duration::MAX).saturating_sub(begun.elapsed());
        socket.set_read_timeout(Some(until.clamp(Duration::from_millis(1), Duration::from_millis(50))))?;
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            if let Ok(folder) = std::env::var("CAPTURE") {
                captured += 1;
                std::fs::write(format!("{folder}/{captured:04}.sip"), &buffer[..length])?;
            }
            watcher.handle_datagram(begun.elapsed(), from, &buffer[..length]);
        }
    }
}
