//! The server's certificate, from files that are replaced while it runs.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use parking_lot::RwLock;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tracing::{info, warn};

use crate::metrics;

/// The file of the certificate and its chain, as PEM.
pub const CERTIFICATE: &str = "tls.crt";
/// The file of its key, as PEM.
pub const KEY: &str = "tls.key";
/// How often the files are read. A mounted Secret is replaced by renaming a folder, which tells watchers of files
/// nothing, so they are read and compared.
pub const REREAD: Duration = Duration::from_secs(10);

/// The certificate in force, from a folder.
pub struct Certificates {
    folder: PathBuf,
    provider: Arc<CryptoProvider>,
    in_force: RwLock<Option<Arc<CertifiedKey>>>,
}

/// What the folder held the last time, so that only a change is worth a word.
type Seen = Option<Result<u64, String>>;

impl Certificates {
    /// The certificate in this folder. Nothing is read yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            in_force: RwLock::new(None),
        }
    }

    /// Whether there is a certificate to serve with.
    pub fn is_there(&self) -> bool {
        self.in_force.read().is_some()
    }

    /// The certificate in force.
    pub(crate) fn in_force(&self) -> Option<Arc<CertifiedKey>> {
        self.in_force.read().clone()
    }

    /// Reads the files again and again, for ever.
    pub(super) async fn follow(&self, counts: &metrics::Webhook) {
        let mut seen = None;
        loop {
            self.look(&mut seen, counts).await;
            tokio::time::sleep(REREAD).await;
        }
    }

    /// Puts the pair of the files in force if it is new and whole. Else the former one stays.
    async fn look(&self, seen: &mut Seen, counts: &metrics::Webhook) {
        let read = read(&self.folder).await.map_err(|error| format!("{error:#}"));
        let now = read.as_ref().map(|pair| pair.hash).map_err(Clone::clone);
        if seen.as_ref() == Some(&now) {
            return;
        }
        *seen = Some(now);
        match read.and_then(|pair| self.certified(&pair).map_err(|error| format!("{error:#}"))) {
            Ok(pair) => {
                // Both halves at once: a handshake sees the old pair or the new one.
                *self.in_force.write() = Some(Arc::new(pair));
                counts.certificate_read(true);
                info!(folder = %self.folder.display(), "loaded webhook certificate");
            }
            Err(error) => {
                counts.certificate_read(false);
                let folder = self.folder.display();
                if self.is_there() {
                    warn!(%folder, error, "failed to reload webhook certificate, keeping the previous one");
                } else {
                    warn!(%folder, error, "no webhook certificate, not ready until there is one");
                }
            }
        }
    }

    fn certified(&self, pair: &Pair) -> anyhow::Result<CertifiedKey> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&pair.certificate).collect::<Result<_, _>>().context(CERTIFICATE)?;
        ensure!(!chain.is_empty(), "{CERTIFICATE}: no certificate in it");
        let key = PrivateKeyDer::from_pem_slice(&pair.key).context(KEY)?;
        // This compares the two as well.
        CertifiedKey::from_der(chain, key, &self.provider).context("the certificate and its key")
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.in_force()
    }
}

/// Without the key.
impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The content of both files.
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
    hash: u64,
}

async fn read(folder: &Path) -> anyhow::Result<Pair> {
    let file = async |name: &str| {
        let path = folder.join(name);
        tokio::fs::read(&path).await.with_context(|| path.display().to_string())
    };
    let (certificate, key) = (file(CERTIFICATE).await?, file(KEY).await?);
    let mut hasher = DefaultHasher::new();
    (&certificate, &key).hash(&mut hasher);
    Ok(Pair { certificate, key, hash: hasher.finish() })
}
