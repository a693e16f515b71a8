//! Whether browsers will take the certificate of HTTPS.

use super::addresses::is_private;
use super::finding::Report;
use super::ports::list;
use crate::config::{AUTO, Settings};
use crate::net::addresses;
use crate::tls;
use rustls::pki_types::CertificateDer;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

const CERT: &str = "tls_cert";
const DAY: i64 = 24 * 60 * 60;
/// With less than this, whoever renews it is late.
const SOON: i64 = 14;

pub(super) fn examine(settings: &Settings, report: &mut Report) {
    if !settings.tls {
        let behind_proxy = settings.http_listen.ip().is_loopback();
        let advice =
            "browsers give cameras to secure pages only: turn tls on, or put a proxy with TLS in front";
        return if behind_proxy {
            report.ok("tls", "off, and HTTP is for this machine only, as behind a proxy");
        } else {
            report.warn("tls", "off", advice);
        };
    }
    let identity = match tls::kept(settings) {
        Ok(Some(identity)) => identity,
        Ok(None) => {
            let advice =
                "browsers warn of it once at every start: set tls_cert and tls_key, or tls_dir to keep it";
            return report.warn(CERT, "none, so that the server makes a self-signed one", advice);
        }
        Err(error) => return report.fail(CERT, error.to_string(), "name PEM files that this user may read"),
    };
    let leaf = identity.0.first().cloned();
    match tls::from_identity(identity) {
        Ok(_) => report.ok(CERT, "the private key belongs to the certificate"),
        Err(error) => {
            report.fail(
                CERT,
                error.to_string(),
                "the key of tls_key has to be the one that the certificate was made for",
            );
        }
    }
    key_permissions(settings, report);
    if let Some(leaf) = leaf {
        examine_leaf(&leaf, settings, report);
    }
}

fn key_permissions(settings: &Settings, report: &mut Report) {
    let path = Path::new(&settings.tls_key);
    let Ok(metadata) = fs::metadata(path) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o004 != 0 {
        let found = format!("{} is readable by everybody (mode {mode:o})", path.display());
        report.warn("tls_key", found, format!("chmod 640 {}", path.display()));
    }
}

fn examine_leaf(der: &CertificateDer<'_>, settings: &Settings, report: &mut Report) {
    let Ok((_, leaf)) = X509Certificate::from_der(der) else {
        return report.fail(CERT, "it is no X.509 certificate", "is it the right file?");
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    validity(&leaf, i64::try_from(now).unwrap_or(i64::MAX), report);
    if leaf.issuer() == leaf.subject() {
        report.warn(CERT, "it is self-signed", "browsers warn of it: have it issued, say by Let's Encrypt");
    }
    names(&leaf, settings, report);
}

fn validity(leaf: &X509Certificate<'_>, now: i64, report: &mut Report) {
    let validity = leaf.validity();
    let (from, until) = (validity.not_before, validity.not_after);
    let left = until.timestamp().saturating_sub(now);
    if now < from.timestamp() {
        report.fail(CERT, format!("it is not valid before {from}"), "set the clock, or wait");
    } else if left < 0 {
        report.fail(CERT, format!("it expired {until}"), "renew it");
    } else if left < SOON * DAY {
        report.warn(CERT, format!("it expires {until}"), "renew it, and restart the server");
    } else {
        report.ok(CERT, format!("it is valid until {until}"));
    }
}

/// A browser connects to a name: the announced one where there is one, which has to be among those of the certificate.
fn names(leaf: &X509Certificate<'_>, settings: &Settings, report: &mut Report) {
    let extension = leaf.subject_alternative_name().ok().flatten();
    let names: Vec<String> = extension
        .map(|extension| extension.value.general_names.iter().filter_map(name).collect())
        .unwrap_or_default();
    if names.is_empty() {
        return report.fail(
            CERT,
            "it is for no name",
            "browsers look at subject alternative names: have it issued with them",
        );
    }
    let shown = list(names.iter());
    let wanted = match settings.announced_address.as_str() {
        AUTO => addresses().into_iter().find(|ip| !is_private(*ip)).map(|ip| ip.to_string()),
        name => Some(name.to_owned()),
    };
    match wanted {
        Some(wanted) if !names.iter().any(|name| covers(name, &wanted)) => {
            let advice = "right if clients open the page by one of these names";
            report.warn(CERT, format!("it is for {shown}, and not for {wanted}"), advice);
        }
        _ => report.ok(CERT, format!("it is for {shown}")),
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => {
            let ip = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            ip.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from)).ok().map(|ip| ip.to_string())
        }
        _ => None,
    }
}

/// Whether a certificate's name is for a host: the same, or a wildcard for its first label (RFC 9525 section 6.3).
fn covers(name: &str, host: &str) -> bool {
    let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    match (name.strip_prefix("*."), host.split_once('.')) {
        (Some(parent), Some((_, rest))) => same(parent, rest),
        _ => same(name, host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_for_one_label() {
        assert!(covers("*.example.org", "SFU.example.org"));
        assert!(covers("sfu.example.org", "sfu.example.org"));
        assert!(!covers("*.example.org", "a.b.example.org"));
        assert!(!covers("*.example.org", "example.org"));
        assert!(!covers("192.0.2.1", "192.0.2.2"));
    }
}
