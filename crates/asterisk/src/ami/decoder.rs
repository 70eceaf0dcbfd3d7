//! Bytes of AMI to messages, in any pieces they come in and within bounds.

use super::message::Message;

/// The longest line taken, without its line end.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// The largest message taken, counted with the memory of its lines; `core show hints` with 10,000 hints fits.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What the reader gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// The first line, which is no message.
    Banner(Vec<u8>),
    /// A response or an event.
    Message(Message),
}

/// What came is beyond bounds. Where the next message begins is unknown, so the connection must be made anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TooLong {
    /// A line.
    #[error("a line is longer than {LINE_BYTES_MAX} bytes")]
    Line,
    /// A message.
    #[error("a message is larger than {MESSAGE_BYTES_MAX} bytes")]
    Message,
}

/// Reads one connection from its first byte.
///
/// Only CR LF ends a line: Asterisk may have either of them alone within a value.
#[derive(Debug, Default)]
pub struct Decoder {
    line: Vec<u8>,
    message: Message,
    greeted: bool,
    broken: Option<TooLong>,
}

impl Decoder {
    /// A reader that awaits the banner.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes off the front until a piece is complete, or all of them; call it until it gives nothing.
    ///
    /// # Errors
    /// [`TooLong`], from then on for ever.
    pub fn take(&mut self, bytes: &mut &[u8]) -> Result<Option<Piece>, TooLong> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        let piece = self.next(bytes);
        self.broken = piece.as_ref().err().copied();
        piece
    }

    fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Piece>, TooLong> {
        while self.fill(bytes)? {
            let line = &self.line[..self.line.len() - 2];
            if !self.greeted {
                self.greeted = true;
                let banner = line.to_vec();
                self.line.clear();
                return Ok(Some(Piece::Banner(banner)));
            }
            let complete = line.is_empty();
            if !complete {
                self.message.push(line);
            }
            self.line.clear();
            if self.message.size() > MESSAGE_BYTES_MAX {
                return Err(TooLong::Message);
            }
            if complete && !self.message.is_empty() {
                return Ok(Some(Piece::Message(std::mem::take(&mut self.message))));
            }
        }
        Ok(None)
    }

    /// Moves bytes into the line, up to its line end; true when that is there.
    fn fill(&mut self, bytes: &mut &[u8]) -> Result<bool, TooLong> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (head, rest) = bytes.split_at(end + 1);
            *bytes = rest;
            self.extend(head)?;
            if self.line.ends_with(b"\r\n") {
                return Ok(true);
            }
        }
        let rest = std::mem::take(bytes);
        self.extend(rest)?;
        Ok(false)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + bytes.len() > LINE_BYTES_MAX + 2 {
            return Err(TooLong::Line);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(decoder: &mut Decoder, mut bytes: &[u8]) -> Result<Vec<Piece>, TooLong> {
        std::iter::from_fn(|| decoder.take(&mut bytes).transpose()).collect()
    }

    fn greeted() -> Decoder {
        let mut decoder = Decoder::new();
        let banner = decode(&mut decoder, b"Asterisk Call Manager/11.0.0\r\n");
        assert_eq!(banner, Ok(vec![Piece::Banner(b"Asterisk Call Manager/11.0.0".to_vec())]));
        decoder
    }

    #[test]
    fn a_line_feed_or_a_carriage_return_alone_is_part_of_the_value() {
        let pieces = decode(&mut greeted(), b"\r\nOutput: a\nb\rc\r\r\n\r\n").unwrap();
        let [Piece::Message(message)] = &pieces[..] else { panic!("{pieces:?}") };
        assert_eq!(message.value("Output"), Some(&b"a\nb\rc\r"[..]));
    }

    #[test]
    fn a_line_beyond_bounds_breaks_the_reader_for_good() {
        let mut decoder = greeted();
        let longest = [b"Key: ".to_vec(), vec![b'x'; LINE_BYTES_MAX - 5], b"\r\n\r\n".to_vec()].concat();
        assert_eq!(decode(&mut decoder, &longest).map(|pieces| pieces.len()), Ok(1));
        for _ in 0..LINE_BYTES_MAX / 64 {
            assert_eq!(decode(&mut decoder, &[b'x'; 64]), Ok(vec![]));
        }
        assert_eq!(decode(&mut decoder, b"xxx"), Err(TooLong::Line));
        assert_eq!(decode(&mut decoder, b"\r\n\r\n"), Err(TooLong::Line));
    }

    #[test]
    fn a_message_without_end_breaks_the_reader_before_it_fills_the_memory() {
        for line in [&b"\x01\r\n"[..], &[&[b'x'; 60_000][..], b"\r\n"].concat()] {
            let mut decoder = greeted();
            let broken = (0..MESSAGE_BYTES_MAX).find_map(|_| decode(&mut decoder, line).err());
            assert_eq!(broken, Some(TooLong::Message));
            assert!(decoder.message.size() < MESSAGE_BYTES_MAX + 2 * LINE_BYTES_MAX);
        }
    }

    /// A field as Asterisk could send it: no CR LF in it, no colon in the key.
    fn field() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        let key = "[A-Za-z][A-Za-z0-9()]{0,8}".prop_map(String::into_bytes);
        let value = prop::collection::vec(any::<u8>(), 0..12);
        (key, value.prop_filter("a line end", |value| !value.windows(2).any(|two| two == b"\r\n")))
    }

    proptest! {
        #[test]
        fn what_was_sent_arrives_however_it_is_cut(
            messages in prop::collection::vec(prop::collection::vec(field(), 1..6), 0..6),
            cuts in prop::collection::vec(1..9_usize, 1..40),
        ) {
            let mut bytes = Vec::new();
            for message in &messages {
                for (key, value) in message {
                    bytes.extend([&key[..], b": ", value, b"\r\n"].concat());
                }
                bytes.extend(b"\r\n");
            }
            let (mut decoder, mut pieces, mut rest) = (greeted(), Vec::new(), &bytes[..]);
            for cut in cuts.iter().cycle().take_while(|_| true) {
                let (chunk, behind) = rest.split_at(rest.len().min(*cut));
                pieces.extend(decode(&mut decoder, chunk).unwrap());
                rest = behind;
                if rest.is_empty() {
                    break;
                }
            }
            let owned = |(key, value): (&[u8], &[u8])| (key.to_vec(), value.to_vec());
            let got: Vec<Vec<_>> = pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Message(message) => message.fields().map(owned).collect(),
                    Piece::Banner(_) => panic!("a second banner"),
                })
                .collect();
            prop_assert_eq!(got, messages);
        }

        #[test]
        fn any_bytes_are_read_or_refused(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..99), 0..9)) {
            let mut decoder = Decoder::new();
            for chunk in chunks {
                let _ = decode(&mut decoder, &chunk);
            }
        }
    }
}
