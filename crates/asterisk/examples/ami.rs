//! Talks AMI with one Asterisk by hand: shows what it tells, and sends what is typed.
//!
//! `ami SERVER USER`, the server as `ip:port`; the secret in `AMI_SECRET`, shown as it is with `LOGIN=plain`.
//! Lines on stdin are actions: `Command Command=core show hints`, with `;` between several fields; `quit` ends.
//! With `CAPTURE=FILE` every byte that the server sends goes there.

use asterisk::ami::{Action, Event, Login, Report, Session, SessionConfig};
use std::io::{BufRead, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(server), Some(user)) = (arguments.next(), arguments.next()) else {
        return Err("usage: ami SERVER USER".into());
    };
    let plain = std::env::var("LOGIN").is_ok_and(|login| login == "plain");
    let config = SessionConfig {
        user,
        secret: std::env::var("AMI_SECRET").unwrap_or_default(),
        login: if plain { Login::Plain } else { Login::Challenge },
        events: "call".to_owned(),
    };
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    run(&stream, Session::new(config, Duration::ZERO)?, &typed())
}

/// Lines from stdin, read by a thread of their own.
fn typed() -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    receiver
}

fn run(mut stream: &TcpStream, mut session: Session, lines: &Receiver<String>) -> Result<(), Failure> {
    let mut capture = std::env::var_os("CAPTURE").map(std::fs::File::create).transpose()?;
    let begun = Instant::now();
    let mut buffer = vec![0; 65_536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => session.handle_close(),
            Ok(length) => {
                capture.as_mut().map_or(Ok(()), |file| file.write_all(&buffer[..length]))?;
                session.handle_bytes(begun.elapsed(), &buffer[..length]);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
        session.handle_timeout(begun.elapsed());
        if let Ok(line) = lines.try_recv() {
            if line == "quit" {
                return Ok(());
            }
            match session.request(begun.elapsed(), &action(&line)?) {
                Ok(id) => eprintln!("{:.4} {id} is {line}", begun.elapsed().as_secs_f64()),
                Err(error) => eprintln!("{line}: {error}"),
            }
        }
        while let Some(bytes) = session.poll_transmit() {
            stream.write_all(&bytes)?;
        }
        while let Some(event) = session.poll_event() {
            if show(begun.elapsed(), &event) {
                return Ok(());
            }
        }
    }
}

fn action(line: &str) -> Result<Action, Failure> {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let fields = rest.split(';').filter_map(|field| field.split_once('='));
    Ok(Action::new(name, fields)?)
}

/// True when it is the last.
fn show(now: Duration, event: &Event) -> bool {
    eprint!("{:.4} ", now.as_secs_f64());
    match event {
        Event::Event(message) => match Report::read(message) {
            Ok(Some(report)) => eprintln!("{report:?}"),
            Ok(None) => eprintln!("{message:?}"),
            Err(malformed) => eprintln!("{malformed}: {message:?}"),
        },
        Event::LoggedIn { .. } | Event::Response { .. } | Event::Unanswered { .. } => eprintln!("{event:?}"),
        Event::Refused { .. } | Event::Dead(_) => eprintln!("{event:?}"),
    }
    matches!(event, Event::Refused { .. } | Event::Dead(_))
}
