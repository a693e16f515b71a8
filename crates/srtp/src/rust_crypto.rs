//! The provider over RustCrypto: no C compiler, no assembler. Key schedules are set up once; keys are wiped on drop.

use crate::error::KeyError;
use crate::provider::{
    CipherFailed, CryptoProvider, Ctr, CtrKey, CtrKind, Gcm, GcmKey, GcmKind, Mac, MacKey, MacKind,
};
use aes::{Aes128Enc, Aes256Enc};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use ctr::CtrCore;
use ctr::cipher::{InnerIvInit, StreamCipher, StreamCipherCoreWrapper};
use ctr::flavors::Ctr128BE;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;

/// RustCrypto: pure Rust, for builds without a C compiler.
#[derive(Debug, Clone, Copy, Default)]
pub struct RustCrypto;

pub(crate) struct Ctr128(Aes128Enc);
pub(crate) struct Ctr256(Aes256Enc);
pub(crate) struct Gcm128(Aes128Gcm);
pub(crate) struct Gcm256(Aes256Gcm);
pub(crate) struct RustMac(Hmac<Sha1>);

impl CryptoProvider for RustCrypto {
    fn name(&self) -> &'static str {
        "rust-crypto"
    }

    fn aes_ctr(&self, key: &[u8]) -> Result<CtrKey, KeyError> {
        let refused = |_| KeyError::Refused;
        Ok(CtrKey(if key.len() == 32 {
            CtrKind::Ctr256(Box::new(Ctr256(Aes256Enc::new_from_slice(key).map_err(refused)?)))
        } else {
            CtrKind::Ctr128(Box::new(Ctr128(Aes128Enc::new_from_slice(key).map_err(refused)?)))
        }))
    }

    fn aes_gcm(&self, key: &[u8]) -> Result<GcmKey, KeyError> {
        let refused = |_| KeyError::Refused;
        Ok(GcmKey(if key.len() == 32 {
            GcmKind::Gcm256(Box::new(Gcm256(Aes256Gcm::new_from_slice(key).map_err(refused)?)))
        } else {
            GcmKind::Gcm128(Box::new(Gcm128(Aes128Gcm::new_from_slice(key).map_err(refused)?)))
        }))
    }

    fn hmac_sha1(&self, key: &[u8; 20]) -> Result<MacKey, KeyError> {
        let key = <Hmac<Sha1> as KeyInit>::new_from_slice(key).map_err(|_| KeyError::Refused)?;
        Ok(MacKey(MacKind::RustMac(Box::new(RustMac(key)))))
    }
}

macro_rules! ctr {
    ($name:ident, $cipher:ty) => {
        impl Ctr for $name {
            #[inline]
            fn apply(&self, iv: &[u8; 16], text: &mut [u8]) -> Result<(), CipherFailed> {
                // The cipher is borrowed, so that no packet pays for a key schedule or a copy of one.
                let core = CtrCore::<&$cipher, Ctr128BE>::inner_iv_init(&self.0, iv.into());
                StreamCipherCoreWrapper::from_core(core).try_apply_keystream(text).map_err(|_| CipherFailed)
            }
        }
    };
}
ctr!(Ctr128, Aes128Enc);
ctr!(Ctr256, Aes256Enc);

macro_rules! gcm {
    ($name:ident) => {
        impl Gcm for $name {
            #[inline]
            fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8]) -> Result<[u8; 16], CipherFailed> {
                let tag = self.0.encrypt_inout_detached(nonce.into(), aad, text.into());
                tag.map(Into::into).map_err(|_| CipherFailed)
            }

            #[inline]
            fn open(
                &self,
                nonce: &[u8; 12],
                aad: &[u8],
                text: &mut [u8],
                tag: &[u8; 16],
            ) -> Result<(), CipherFailed> {
                self.0
                    .decrypt_inout_detached(nonce.into(), aad, text.into(), tag.into())
                    .map_err(|_| CipherFailed)
            }
        }
    };
}
gcm!(Gcm128);
gcm!(Gcm256);

impl Mac for RustMac {
    #[inline]
    fn sign(&self, data: &[u8]) -> [u8; 20] {
        let mut mac = self.0.clone();
        mac.update(data);
        mac.finalize().into_bytes().into()
    }
}
