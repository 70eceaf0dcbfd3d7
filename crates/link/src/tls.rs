//! TLS between nodes: version 1.3 only, both sides with a raw public key (RFC 7250) that must be one of those configured.
//!
//! There are no certificates and nobody who signs them. No session is resumed and nothing is sent before the handshake is
//! done: each connection proves both keys anew.

use crate::key::{Fingerprint, PrivateKey, SCHEMES};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use std::sync::{Arc, Mutex, PoisonError};

/// What a dialling node calls the other one in the handshake. Nobody looks at it: the key says who is who.
pub(crate) const SERVER_NAME: &str = "asterism";

/// What it means when the peer refuses us.
pub(crate) const NOT_KNOWN: &str =
    "the peer does not know our key; its configuration needs what `asterism-node key show FILE` prints here";
/// What it means when there is no common version.
pub(crate) const NO_VERSION: &str = "the peer speaks no version of the format that we speak";

/// How a node listens: for peers with one of these keys.
pub(crate) fn server(key: &PrivateKey, known: Vec<Fingerprint>) -> ServerConfig {
    let provider = provider();
    let verifier = Arc::new(Verifier::new(known, &provider));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("the provider knows TLS 1.3")
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::clone(&key.certified))));
    config.alpn_protocols = vec![wire::link::ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config
}

/// How a node dials over TCP a peer that has one of these keys: for whoever tries what no node would say.
#[must_use]
pub fn tls_client(key: &PrivateKey, known: Vec<Fingerprint>) -> ClientConfig {
    client(key, known).0
}

/// How a node dials a peer that has one of these keys. The verifier tells which other key was met.
pub(crate) fn client(key: &PrivateKey, known: Vec<Fingerprint>) -> (ClientConfig, Arc<Verifier>) {
    let provider = provider();
    let verifier = Arc::new(Verifier::new(known, &provider));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("the provider knows TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::clone(
            &key.certified,
        ))));
    config.alpn_protocols = vec![wire::link::ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    (config, verifier)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Takes a public key that is one of those configured, from whoever proves that he has its private half.
#[derive(Debug)]
pub(crate) struct Verifier {
    known: Vec<Fingerprint>,
    provider: Arc<CryptoProvider>,
    /// The last key that was not one of them.
    stranger: Mutex<Option<Fingerprint>>,
}

impl Verifier {
    fn new(known: Vec<Fingerprint>, provider: &Arc<CryptoProvider>) -> Self {
        Self { known, provider: Arc::clone(provider), stranger: Mutex::new(None) }
    }

    /// The key, not one of those configured, that was met since this was last asked.
    pub(crate) fn take_stranger(&self) -> Option<Fingerprint> {
        self.stranger.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn check(&self, public: &CertificateDer<'_>, more: &[CertificateDer<'_>]) -> Result<(), Error> {
        let fingerprint = Fingerprint::of(public);
        if more.is_empty() && self.known.contains(&fingerprint) {
            return Ok(());
        }
        *self.stranger.lock().unwrap_or_else(PoisonError::into_inner) = Some(fingerprint);
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn check_signature(
        &self,
        message: &[u8],
        public: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let public = SubjectPublicKeyInfoDer::from(public.as_ref());
        let algorithms = self.provider.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &public, signature, &algorithms)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity, intermediates).map(|()| ServerCertVerified::assertion())
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
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity, intermediates).map(|()| ClientCertVerified::assertion())
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
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
