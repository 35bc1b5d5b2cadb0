//! The certificate of the guarded endpoint: that of the webhooks, else one that is made at the start.
//!
//! Whoever scrapes with the authority of the webhooks' certificate can verify it. The other one nobody can, as with Cluster
//! API's managers: it keeps tokens from being read on the way.

use std::sync::Arc;

use anyhow::Context;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::certificates::Certificates;

#[derive(Debug)]
struct Resolver {
    webhooks: Option<Arc<Certificates>>,
    own: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let webhooks = self.webhooks.as_ref().and_then(|certificates| certificates.in_force());
        Some(webhooks.unwrap_or_else(|| self.own.clone()))
    }
}

/// TLS with the webhooks' certificate, if there is one at the time of the handshake, else with one of our own.
pub(super) fn config(webhooks: Option<Arc<Certificates>>) -> anyhow::Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).context("a certificate")?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let own = CertifiedKey::from_der(vec![made.cert.der().clone()], key, &provider).context("a certificate")?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS")?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Resolver { webhooks, own: Arc::new(own) }));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
