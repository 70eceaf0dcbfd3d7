//! Keys and key files.

use super::*;
use std::fs;

/// Made by `openssl genpkey -algorithm ed25519`, and its fingerprint by
/// `openssl pkey -pubout -outform DER | openssl dgst -sha256 -binary | base64`.
const ED25519: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEILaaGHqhboRJMMvjMqAQX2lBxTiDJs/6Fv+b1fT2J8It\n-----END PRIVATE KEY-----\n";
const ED25519_FINGERPRINT: &str = "SHA256:N1mlQFCSv6GfJy4wQYGx6JX79Wr+eJN8NRkwueSx32w";
/// Made by `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`.
const P256: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOVuJ6GKtnQUECPks\nr1P0VIuMMKeDh9fbEQPW6b/XuKehRANCAASQmG0Dnq1j9BIaXRyVYQqikj5x7vyV\nlUNnK/CzZW7I0IFPye357NclEy6kZUmAr3N2Kt2C09CWftSyajzEszWI\n-----END PRIVATE KEY-----\n";
const P256_FINGERPRINT: &str = "SHA256:+q3WC+xuJljZO9LOTWPIg4oOr6OHPHa2nR8JKxu3QIM";
const P384: &str = "-----BEGIN PRIVATE KEY-----\nMIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDC4yxwSPr/inHbA9nZl\nEJtccve1r4sWRnZvQrtkLf3/SOn7lQEz9CO1pNw5B1tasxWhZANiAASs/dSuHKhq\nvsd0xQzQ7ilXwtLCMcJXl3xrjCx7Y5gINYRKQsYVIGpp0iqjvaAioOtELHwrrXfe\nHnSGTN+iOJmsMnmP5vwZPGixM5PP3YqkNEcqKns3TMPVFmxKTJ5Ksyo=\n-----END PRIVATE KEY-----\n";

#[test]
fn fingerprints_are_those_of_other_programs() {
    for (pem, fingerprint) in [(ED25519, ED25519_FINGERPRINT), (P256, P256_FINGERPRINT)] {
        let key = PrivateKey::parse(pem.as_bytes()).unwrap();
        assert_eq!(key.fingerprint().to_string(), fingerprint);
        assert_eq!(fingerprint.parse(), Ok(key.fingerprint()));
        assert_eq!(format!("{key:?}"), format!("PrivateKey({fingerprint})"), "never the key itself");
    }
}

#[test]
fn what_is_no_fingerprint_is_refused() {
    let right = ED25519_FINGERPRINT;
    let wrong =
        ["", "SHA256:", "SHA256:AAAA", &right[7..], &format!("{right}="), &format!("{right}A"), &right[..49]];
    for text in wrong {
        assert_eq!(text.parse::<Fingerprint>(), Err(NotAFingerprint), "{text}");
    }
}

#[test]
fn other_keys_and_other_texts_are_refused() {
    let why = |pem: &str| PrivateKey::parse(pem.as_bytes()).unwrap_err();
    assert_eq!(why(P384), "holds a key that is neither Ed25519 nor ECDSA on P-256");
    assert_eq!(why(""), "holds no private key as PEM");
    assert_eq!(why(&ED25519.replace("MC4CAQ", "MC4CAR")), "holds a private key that cannot be read");
}

#[test]
fn a_new_key_is_for_its_owner_only_and_never_overwrites() {
    let folder = Folder::new("new");
    let path = folder.0.join("link.key");
    let key = PrivateKey::create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(PrivateKey::load(&path).unwrap().fingerprint(), key.fingerprint());
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        matches!(lines[..], ["-----BEGIN PRIVATE KEY-----", base64, "-----END PRIVATE KEY-----"] if base64.len() == 64)
    );
    assert!(matches!(PrivateKey::create(&path), Err(KeyError::Exists(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_helps() {
    let folder = Folder::new("exposed");
    let path = folder.0.join("link.key");
    PrivateKey::create(&path).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let told = PrivateKey::load(&path).unwrap_err().to_string();
        assert!(told.ends_with(&format!("run `chmod 600 {}`", path.display())), "{told}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(PrivateKey::load(&path).is_ok());
}

#[test]
fn what_is_no_key_file_is_named() {
    let folder = Folder::new("named");
    let missing = folder.0.join("missing");
    let told = PrivateKey::load(&missing).unwrap_err().to_string();
    assert!(told.starts_with(&missing.display().to_string()) && told.contains("No such file"), "{told}");
    let told = PrivateKey::load(&folder.0).unwrap_err().to_string();
    assert!(told.contains("is not a file; `asterism-node key new FILE`"), "{told}");
}

/// A folder of its own for a test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("asterism-key-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
