//! `asterism-node key`: makes and shows the key by which other sites know a node.

use daemon::{Extra, Verb};
use link::PrivateKey;

pub(crate) const EXTRA: Extra = Extra {
    name: "key",
    about: "Make or show the key by which nodes of other sites know this one.",
    verbs: &[
        Verb {
            name: "new",
            about: "Write a new private key to FILE, for its owner only, and say its fingerprint. An existing file stays.",
            run: |file| Ok(PrivateKey::create(file)?.fingerprint().to_string()),
        },
        Verb {
            name: "show",
            about: "Say the fingerprint of the private key in FILE: what the peer writes into keys of its [[link]].",
            run: |file| Ok(PrivateKey::load(file)?.fingerprint().to_string()),
        },
    ],
};
