//! A certificate authority for one run.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// A certificate authority that lives as long as this process.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    key: String,
}

/// A certificate and its key as files, named as controller-runtime wants them.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The folder of both: `tls.crt` and `tls.key`.
    pub folder: PathBuf,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        let key = KeyPair::generate()?;
        let pem = key.serialize_pem();
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, key)?, key: pem })
    }

    /// Its certificate, as PEM.
    pub fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// Its private key, as PEM.
    pub fn private_key(&self) -> &str {
        &self.key
    }

    /// The public half of its key, as PEM.
    pub fn public_key(&self) -> String {
        self.issuer.key().public_key_pem()
    }

    /// Writes a server's pair for 127.0.0.1 and localhost to a folder.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn serving(&self, folder: &Path) -> anyhow::Result<Pair> {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, "localhost");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let pair = Pair { folder: folder.to_path_buf() };
        std::fs::write(pair.certificate(), certificate.pem())?;
        std::fs::write(pair.key(), key.serialize_pem())?;
        Ok(pair)
    }
}

impl Pair {
    /// The certificate's file.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("tls.crt")
    }

    /// The key's file.
    pub fn key(&self) -> PathBuf {
        self.folder.join("tls.key")
    }
}
