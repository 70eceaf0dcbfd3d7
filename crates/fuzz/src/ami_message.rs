//! The bytes of one AMI connection at the reader, in one piece and in many.
//!
//! The first byte of an input says how long the pieces are.

use asterisk::ami::{Decoder, LINE_BYTES_MAX, Piece, Report, TooLong};

/// However bytes are cut, they read the same, and the same as a reader that has them all and all memory; a line beyond
/// bounds ends the reader for good.
///
/// # Panics
/// When that does not hold.
pub fn run(data: &[u8]) {
    let Some((length, bytes)) = data.split_first() else { return };
    let whole = read(bytes, usize::MAX);
    assert_eq!(whole, read(bytes, 1 + usize::from(*length)), "where the bytes are cut changes nothing");
    let (pieces, end) = whole;
    let expected = plainly(bytes);
    match end {
        None => assert_eq!(pieces, expected, "what was sent arrives"),
        Some(TooLong::Line) => assert!(expected.starts_with(&pieces) && bytes.len() > LINE_BYTES_MAX),
        Some(TooLong::Message) => panic!("{} bytes make no message beyond bounds", bytes.len()),
    }
}

/// A piece as its lines, each split into key and value.
type Lines = Vec<(Vec<u8>, Vec<u8>)>;

/// All pieces of bytes that come so many at once, and why the reader broke.
fn read(bytes: &[u8], at_once: usize) -> (Vec<Lines>, Option<TooLong>) {
    let (mut decoder, mut pieces) = (Decoder::new(), Vec::new());
    for mut chunk in bytes.chunks(at_once) {
        loop {
            match decoder.take(&mut chunk) {
                Ok(Some(piece)) => pieces.push(lines(&piece)),
                Ok(None) => break,
                Err(end) => {
                    assert_eq!(decoder.take(&mut &b"\r\n\r\n"[..]), Err(end), "broken is broken");
                    return (pieces, Some(end));
                }
            }
        }
        assert!(chunk.is_empty(), "all bytes are taken");
    }
    (pieces, None)
}

fn lines(piece: &Piece) -> Lines {
    match piece {
        Piece::Banner(line) => vec![(line.clone(), Vec::new())],
        Piece::Message(message) => {
            if let Ok(Some(Report::DeviceStateChange { device, .. })) = Report::read(message) {
                assert_eq!(message.value("device"), Some(device.as_bytes()));
            }
            message.fields().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
        }
    }
}

/// What the bytes say: the first line is the banner, an empty line ends a message.
fn plainly(bytes: &[u8]) -> Vec<Lines> {
    let mut rest = bytes;
    let mut pieces: Vec<Lines> = Vec::new();
    let mut message = Lines::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let line = &rest[..end];
        rest = &rest[end + 2..];
        if pieces.is_empty() {
            pieces.push(vec![(line.to_vec(), Vec::new())]);
        } else if !line.is_empty() {
            message.push(field(line));
        } else if !message.is_empty() {
            pieces.push(std::mem::take(&mut message));
        }
    }
    pieces
}

fn field(line: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return (Vec::new(), line.to_vec()) };
    let value = &line[colon + 1..];
    (line[..colon].to_vec(), value.strip_prefix(b" ").unwrap_or(value).to_vec())
}
