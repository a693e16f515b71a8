//! Session key derivation (RFC 3711 section 4.3, RFC 6188 section 3, RFC 7714 section 11). Runs once per context.

use crate::error::KeyError;
use crate::profile::Profile;
use crate::provider::CryptoProvider;
use zeroize::Zeroize as _;

/// Which of the two packet kinds the keys are for; the value is the first of its three labels (RFC 3711 section 4.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Rtp = 0,
    Rtcp = 3,
}

/// The keys of one direction and one packet kind.
pub(crate) struct SessionKeys {
    encryption: [u8; 32],
    encryption_len: usize,
    pub(crate) authentication: [u8; 20],
    /// The session salt, filled up with zeros: that is the multiplication by 2^16 of RFC 3711 section 4.1.1.
    pub(crate) salt: [u8; 16],
}

impl SessionKeys {
    /// Derives the keys with a key derivation rate of zero (RFC 3711 section 4.3.1).
    pub(crate) fn derive(
        profile: Profile,
        keying_material: &[u8],
        kind: Use,
        provider: &dyn CryptoProvider,
    ) -> Result<Self, KeyError> {
        let expected = profile.keying_material_len();
        let actual = keying_material.len();
        let wrong = KeyError::WrongLength { expected, actual };
        let (master_key, master_salt) = keying_material
            .split_at_checked(profile.key_len())
            .filter(|_| actual == expected)
            .ok_or(wrong)?;
        let mut keys = Self {
            encryption: [0; 32],
            encryption_len: profile.key_len(),
            authentication: [0; 20],
            salt: [0; 16],
        };
        let prf = Prf::new(master_key, master_salt, provider)?;
        let label = kind as u8;
        prf.derive(label, keys.encryption.get_mut(..profile.key_len()).ok_or(wrong)?)?;
        prf.derive(label + 1, &mut keys.authentication)?;
        prf.derive(label + 2, keys.salt.get_mut(..profile.salt_len()).ok_or(wrong)?)?;
        Ok(keys)
    }

    pub(crate) fn encryption(&self) -> &[u8] {
        self.encryption.get(..self.encryption_len).unwrap_or_default()
    }

    #[cfg(test)]
    pub(crate) fn from_parts(encryption: &[u8], salt: &[u8]) -> Self {
        let mut keys = Self {
            encryption: [0; 32],
            encryption_len: encryption.len(),
            authentication: [0; 20],
            salt: [0; 16],
        };
        keys.encryption[..encryption.len()].copy_from_slice(encryption);
        keys.salt[..salt.len()].copy_from_slice(salt);
        keys
    }
}

impl Drop for SessionKeys {
    fn drop(&mut self) {
        self.encryption.zeroize();
        self.authentication.zeroize();
        self.salt.zeroize();
    }
}

/// The pseudo-random function: AES in counter mode under the master key (RFC 3711 section 4.3.3).
struct Prf {
    key: crate::provider::CtrKey,
    salt: [u8; 16],
}

impl Prf {
    fn new(master_key: &[u8], master_salt: &[u8], provider: &dyn CryptoProvider) -> Result<Self, KeyError> {
        let mut salt = [0; 16];
        // A 96 bit salt is filled up with 16 zero bits (RFC 7714 section 11); 16 more are the block counter.
        salt.get_mut(..master_salt.len()).ok_or(KeyError::Refused)?.copy_from_slice(master_salt);
        Ok(Self { key: provider.aes_ctr(master_key)?, salt })
    }

    fn derive(&self, label: u8, out: &mut [u8]) -> Result<(), KeyError> {
        let mut iv = self.salt;
        // The label stands above the 48 bit index, which is zero, at the low end of the 112 bit salt.
        iv[7] ^= label;
        out.fill(0);
        let result = self.key.apply(&iv, out).map_err(|_| KeyError::Refused);
        iv.zeroize();
        result
    }
}

impl Drop for Prf {
    fn drop(&mut self) {
        self.salt.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::{Prf, SessionKeys, Use};
    use crate::testing::providers;
    use crate::{KeyError, Profile};
    use hex_literal::hex;

    #[test]
    fn rfc_3711_appendix_b_3() {
        let master_key = hex!("E1F97A0D3E018BE0D64FA32C06DE4139");
        let master_salt = hex!("0EC675AD498AFEEBB6960B3AABE6");
        for provider in providers() {
            let prf = Prf::new(&master_key, &master_salt, provider).unwrap();
            let mut key = [0; 16];
            prf.derive(0, &mut key).unwrap();
            assert_eq!(key, hex!("C61E7A93744F39EE10734AFE3FF7A087"));
            let mut salt = [0; 14];
            prf.derive(2, &mut salt).unwrap();
            assert_eq!(salt, hex!("30CBBC08863D8C85D49DB34A9AE1"));
            let mut authentication = [0; 94];
            prf.derive(1, &mut authentication).unwrap();
            assert_eq!(
                authentication,
                hex!(
                    "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCE"
                    "E049646C43D9327AD175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC25"
                    "6D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2"
                )
            );
        }
    }

    #[test]
    fn rfc_6188_section_7_2() {
        let master_key = hex!("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6");
        let master_salt = hex!("3b04803de51ee7c96423ab5b78d2");
        for provider in providers() {
            let prf = Prf::new(&master_key, &master_salt, provider).unwrap();
            let mut key = [0; 32];
            prf.derive(0, &mut key).unwrap();
            assert_eq!(key, hex!("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"));
            let mut authentication = [0; 20];
            prf.derive(1, &mut authentication).unwrap();
            assert_eq!(authentication, hex!("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"));
            let mut salt = [0; 14];
            prf.derive(2, &mut salt).unwrap();
            assert_eq!(salt, hex!("fa31791685ca444a9e07c6c64e93"));
        }
    }

    #[test]
    fn keying_material_of_another_length_is_refused() {
        for provider in providers() {
            for profile in Profile::ALL {
                let expected = profile.keying_material_len();
                for actual in [0, expected - 1, expected + 1] {
                    let result = SessionKeys::derive(profile, &vec![1; actual], Use::Rtp, provider);
                    assert_eq!(result.err(), Some(KeyError::WrongLength { expected, actual }));
                }
            }
        }
    }
}
