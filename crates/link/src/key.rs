//! By what nodes know each other: a private key in a file, and the fingerprint of its public half, which the other side
//! has in its configuration.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// What keys are for: signing the handshake with one of these.
pub(crate) const SCHEMES: [SignatureScheme; 2] =
    [SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP256_SHA256];

/// More than any key file that is one.
const FILE_BYTES_MAX: u64 = 16_384;

/// The SHA-256 of a public key (its SubjectPublicKeyInfo in DER), written `SHA256:` and base64 without padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a SubjectPublicKeyInfo.
    pub(crate) fn of(public: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, public).as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Some text is no fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "not a fingerprint; `asterism-node key show FILE` prints it at the peer: SHA256: and 43 letters, digits, + and /"
)]
pub struct NotAFingerprint;

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let base64 = text.strip_prefix("SHA256:").ok_or(NotAFingerprint)?;
        let bytes = STANDARD_NO_PAD.decode(base64).map_err(|_| NotAFingerprint)?;
        bytes.try_into().map(Self).map_err(|_| NotAFingerprint)
    }
}

/// A node's own key: Ed25519, or ECDSA on P-256.
#[derive(Clone)]
pub struct PrivateKey {
    pub(crate) certified: Arc<CertifiedKey>,
    fingerprint: Fingerprint,
    /// Known to nobody else, and the same after a restart.
    reset_seed: [u8; 32],
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.fingerprint)
    }
}

/// Why a key file cannot be used or made; no file was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is there already.
    #[error("{}: is there already, and a key is never overwritten; move it away or name another file", .0.display())]
    Exists(PathBuf),
    /// Others than its owner can read the file.
    #[error("{}: others can read this key (mode {mode:04o}); run `chmod 600 {}`", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// What is in the file is no key that links can use.
    #[error("{}: {why}; `asterism-node key new FILE` makes a key that is right", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
}

impl PrivateKey {
    /// Reads a key file: one private key as PEM.
    ///
    /// # Errors
    /// When it cannot be read, can be read by others, or holds no Ed25519 or P-256 key.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let at = |source| KeyError::File { path: path.to_owned(), source };
        // Without waiting for a writer, should it be a pipe.
        let file = OpenOptions::new().read(true).custom_flags(NONBLOCK).open(path).map_err(at)?;
        let metadata = file.metadata().map_err(at)?;
        let unusable = |why| KeyError::Unusable { path: path.to_owned(), why };
        if !metadata.is_file() {
            return Err(unusable("is not a file"));
        }
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { path: path.to_owned(), mode });
        }
        let mut pem = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut pem).map_err(at)?;
        Self::parse(&pem).map_err(unusable)
    }

    /// Makes a new Ed25519 key and writes it (PKCS#8 as PEM) to a file that only its owner can read.
    ///
    /// # Errors
    /// When the file is there already or cannot be written.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let at = |source| KeyError::File { path: path.to_owned(), source };
        let pem = generate();
        let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(KeyError::Exists(path.to_owned()));
            }
            Err(error) => return Err(at(error)),
        };
        write(&mut file, pem.as_bytes()).map_err(|error| {
            // Half a key is of no use, and would be in the way of the next attempt.
            let _ = std::fs::remove_file(path);
            at(error)
        })?;
        Self::load(path)
    }

    /// Of the public half.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// A secret for the resets of connections (RFC 9000, 10.3.2).
    pub(crate) fn reset_seed(&self) -> &[u8] {
        &self.reset_seed
    }

    pub(crate) fn parse(pem: &[u8]) -> Result<Self, &'static str> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| "holds no private key as PEM")?;
        let key = any_supported_type(&der).map_err(|_| "holds a private key that cannot be read")?;
        if key.choose_scheme(&SCHEMES).is_none() {
            return Err("holds a key that is neither Ed25519 nor ECDSA on P-256");
        }
        let public = key.public_key().ok_or("holds a key without a public half")?.as_ref().to_vec();
        let fingerprint = Fingerprint::of(&public);
        let certified = Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], key));
        let seed = [b"asterism: resets of QUIC connections\0", der.secret_der()].concat();
        let Fingerprint(reset_seed) = Fingerprint::of(&seed);
        Ok(Self { certified, fingerprint, reset_seed })
    }
}

/// `O_NONBLOCK`.
const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

fn generate() -> String {
    let pair = Ed25519KeyPair::generate().expect("the system has randomness");
    let document = pair.to_pkcs8v1().expect("a key that was just made can be written");
    // 48 bytes are one line of PEM.
    let base64 = STANDARD.encode(document.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n")
}

/// What a crash leaves must be all or nothing: the fingerprint may be on its way to the peers already.
fn write(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
