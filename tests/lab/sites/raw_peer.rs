//! An accepted peer that does not speak as nodes do: TLS on TCP with the right key, and behind it whatever bytes we like.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use lab::WEST_NODES;
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{dialer, linked};
use crate::stage::{SOON, STARTED, Stage, eventually};

const PORT: u16 = 4521;
/// The node of west whose key is abused.
const ABUSED: usize = 0;
/// A sign of life, as WIRE.md has it: what any peer may say first.
const PING: &[u8] = b"\x01\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x00\x00\x0f\x42\x40";
/// A frame that claims to be too long, and one that ends within a number.
const JUNK: [(&[u8], &str); 2] = [
    (b"\x14\x00\x01\x00\x01", "a frame of 65537 bytes; at most 65536 are allowed"),
    (b"\x12\x00\x00\x00\x02\x01\x01", "a frame of type 0x12 is cut off"),
];

pub(super) async fn run(stage: Stage) -> Result<()> {
    let node = stage.node(1)?;
    let door = SocketAddr::from((stage.lab.address(node.spec.host)?, PORT));
    stage.lab.docker().stop(&[WEST_NODES[ABUSED].name]).await?;
    for (junk, why) in JUNK {
        let since = SystemTime::now();
        let told = last_word(door, &[PING, junk].concat()).await?;
        ensure!(told.contains(why), "the peer is told {told:?}, not {why:?}");
        eventually("the node's log tells why the link ended", SOON, || async {
            Ok(stage.lab.docker().logs(node.spec.name, since).await?.contains(why))
        })
        .await?;
    }
    let lamp = stage.new_lamp().await?;
    stage.pbx("west-pbx2")?.set(&lamp.device, "INUSE").await?;
    lamp.lit(&super::at(&stage, lab::Site::East), SOON).await?;
    stage.lab.docker().start(&[WEST_NODES[ABUSED].name]).await?;
    linked(&stage.lab, STARTED).await
}

/// Says these bytes and returns all that the node answers until it hangs up.
async fn last_word(door: SocketAddr, bytes: &[u8]) -> Result<String> {
    let stream = TcpStream::connect(door).await?;
    let name = ServerName::try_from("asterism")?;
    let mut stream = TlsConnector::from(Arc::new(client()?)).connect(name, stream).await?;
    stream.write_all(bytes).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    let end = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await;
    // However it ends: what counts is that it does.
    drop(end.context("the node does not hang up")?);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// West-node1, as far as its key says.
fn client() -> Result<ClientConfig> {
    let provider = Arc::new(default_provider());
    let key = PrivateKeyDer::from_pem_slice(dialer::pem_of_west_node1()?.as_bytes())?;
    let signer = provider.key_provider.load_private_key(key)?;
    let public = signer.public_key().context("the key has no public half")?;
    let certified = CertifiedKey::new(vec![CertificateDer::from(public.as_ref().to_vec())], signer);
    let resolver = Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::new(certified)));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_client_cert_resolver(resolver);
    config.alpn_protocols = vec![b"asterism/1".to_vec()];
    Ok(config)
}

/// It does not matter whom we disturb.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP256_SHA256]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
