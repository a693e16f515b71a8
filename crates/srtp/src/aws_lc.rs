//! The provider over AWS-LC, through the safe interface of `aws-lc-rs`. Keys are set up once; nothing is allocated per
//! packet; AWS-LC wipes its keys when they are dropped.

use crate::error::KeyError;
use crate::provider::{
    CipherFailed, CryptoProvider, Ctr, CtrKey, CtrKind, Gcm, GcmKey, GcmKind, Mac, MacKey, MacKind,
};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;

/// AWS-LC: the default, and the fastest on machines with AES instructions.
#[derive(Debug, Clone, Copy, Default)]
pub struct AwsLc;

pub(crate) struct AwsLcCtr(EncryptingKey);
pub(crate) struct AwsLcGcm(LessSafeKey);
pub(crate) struct AwsLcMac(hmac::Key);

impl CryptoProvider for AwsLc {
    fn name(&self) -> &'static str {
        "aws-lc"
    }

    fn aes_ctr(&self, key: &[u8]) -> Result<CtrKey, KeyError> {
        let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
        let key = UnboundCipherKey::new(algorithm, key).map_err(|_| KeyError::Refused)?;
        let key = EncryptingKey::ctr(key).map_err(|_| KeyError::Refused)?;
        Ok(CtrKey(CtrKind::AwsLc(Box::new(AwsLcCtr(key)))))
    }

    fn aes_gcm(&self, key: &[u8]) -> Result<GcmKey, KeyError> {
        let algorithm = if key.len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
        let key = UnboundKey::new(algorithm, key).map_err(|_| KeyError::Refused)?;
        Ok(GcmKey(GcmKind::AwsLc(Box::new(AwsLcGcm(LessSafeKey::new(key))))))
    }

    fn hmac_sha1(&self, key: &[u8; 20]) -> Result<MacKey, KeyError> {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        Ok(MacKey(MacKind::AwsLc(Box::new(AwsLcMac(key)))))
    }
}

impl Ctr for AwsLcCtr {
    #[inline]
    fn apply(&self, iv: &[u8; 16], text: &mut [u8]) -> Result<(), CipherFailed> {
        let context = EncryptionContext::Iv128(FixedLength::from(iv));
        self.0.less_safe_encrypt(text, context).map(|_| ()).map_err(|_| CipherFailed)
    }
}

impl Gcm for AwsLcGcm {
    #[inline]
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8]) -> Result<[u8; 16], CipherFailed> {
        let nonce = Nonce::from(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), text).map_err(|_| CipherFailed)?;
        tag.as_ref().try_into().map_err(|_| CipherFailed)
    }

    #[inline]
    fn seal_from(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        plain: &[u8],
        text: &mut [u8],
        tag: &mut [u8; 16],
    ) -> Result<(), CipherFailed> {
        let nonce = Nonce::from(nonce);
        self.0
            .seal_out_of_place_scatter(nonce, Aad::from(aad), plain, text, &[], tag)
            .map_err(|_| CipherFailed)
    }

    #[inline]
    fn open(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), CipherFailed> {
        let nonce = Nonce::from(nonce);
        self.0
            .open_in_place_separate_tag(nonce, Aad::from(aad), tag, text)
            .map(|_| ())
            .map_err(|_| CipherFailed)
    }
}

impl Mac for AwsLcMac {
    #[inline]
    fn sign(&self, data: &[u8]) -> [u8; 20] {
        let mut out = [0; 20];
        if let Some(tag) = hmac::sign(&self.0, data).as_ref().first_chunk() {
            out = *tag;
        }
        out
    }
}
