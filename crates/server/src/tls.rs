//! The certificate of HTTPS: one that was given, or a self-signed one. Must not know what is served.

use crate::config::Settings;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The self-signed certificate in `tls_dir`.
const CERT_FILE: &str = "cert.pem";
const KEY_FILE: &str = "key.pem";

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or has not what it should.
    #[error("{setting}: {}: {source}", path.display())]
    Read {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The self-signed certificate cannot be kept.
    #[error("tls_dir: {}: {source}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The self-signed certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Generate(#[from] rcgen::Error),
    /// The certificate and the key do not fit, or are of a kind that is not known.
    #[error("tls_cert: {0}")]
    Certificate(#[from] rustls::Error),
}

/// What HTTPS is served with. `names` are what a self-signed certificate is for.
pub(crate) fn server_config(settings: &Settings, names: Vec<String>) -> Result<Arc<ServerConfig>, TlsError> {
    let identity = match kept(settings)? {
        Some(identity) => identity,
        None => self_signed(&settings.tls_dir, names)?,
    };
    from_identity(identity)
}

/// The same of a certificate with its key.
pub(crate) fn from_identity((chain, key): Identity) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The certificate of the settings, or the self-signed one of an earlier start; `None` where one is to be made.
pub(crate) fn kept(settings: &Settings) -> Result<Option<Identity>, TlsError> {
    if !settings.tls_cert.is_empty() {
        let (cert, key) = (Path::new(&settings.tls_cert), Path::new(&settings.tls_key));
        return read(cert, "tls_cert", key, "tls_key").map(Some);
    }
    if settings.tls_dir.is_empty() {
        return Ok(None);
    }
    let directory = Path::new(&settings.tls_dir);
    let (cert, key) = (directory.join(CERT_FILE), directory.join(KEY_FILE));
    let is_there = cert.exists() && key.exists();
    if is_there { read(&cert, "tls_dir", &key, "tls_dir").map(Some) } else { Ok(None) }
}

/// A certificate with its chain, and its key.
pub(crate) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read(
    cert: &Path,
    cert_setting: &'static str,
    key: &Path,
    key_setting: &'static str,
) -> Result<Identity, TlsError> {
    let failed = |setting, path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Read { setting, path, source }
    };
    let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(failed(cert_setting, cert))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(failed(key_setting, key))?;
    Ok((chain, key))
}

/// A new certificate, kept in the directory if one is named.
fn self_signed(directory: &str, names: Vec<String>) -> Result<Identity, TlsError> {
    let made = rcgen::generate_simple_self_signed(names)?;
    if !directory.is_empty() {
        let directory = Path::new(directory);
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| TlsError::Write { path, source }
        };
        std::fs::create_dir_all(directory).map_err(failed(directory))?;
        for (name, text) in [(KEY_FILE, made.signing_key.serialize_pem()), (CERT_FILE, made.cert.pem())] {
            let path = directory.join(name);
            keep(&path, &text).map_err(failed(&path))?;
        }
    }
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())
        .map_err(|text| rustls::Error::General(text.into()))?;
    Ok((vec![made.cert.der().clone()], key))
}

/// Writes a file that only its owner reads.
fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
