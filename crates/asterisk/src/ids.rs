//! Tokens nobody can guess, drawn from the seed that the caller gave.

use md5::{Digest, Md5};
use std::fmt::Write;

/// The source of every tag, branch, Call-ID, entity tag and nonce: a secret seed and a counter.
pub(crate) struct Ids {
    seed: u64,
    counter: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    /// A number that was never drawn before, greater than all earlier ones.
    pub(crate) fn count(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// A token of 16 hexadecimal digits.
    pub(crate) fn token(&mut self) -> String {
        let count = self.count();
        let mut token = self.seal(&format!("token {count}"));
        token.truncate(16);
        token
    }

    /// What only the owner of the seed can compute for this text.
    pub(crate) fn seal(&self, text: &str) -> String {
        md5_hex(&format!("{:016x}:{text}:{:016x}", self.seed, self.seed))
    }
}

/// MD5 in hexadecimal, as digest authentication uses it.
pub(crate) fn md5_hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().fold(String::with_capacity(32), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_within_a_seed_and_between_seeds() {
        let (mut one, mut other) = (Ids::new(1), Ids::new(2));
        let tokens = [one.token(), one.token(), other.token()];
        assert!(tokens.iter().all(|token| token.len() == 16));
        assert!(tokens[0] != tokens[1] && tokens[0] != tokens[2]);
        assert_eq!(md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
    }
}
