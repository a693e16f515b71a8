//! Random names. Must not know what they are for.

use crate::refusal::Refusal;
use std::fmt::Write as _;

/// `N` random bytes in hexadecimal digits.
///
/// # Errors
/// The system gives none.
pub(crate) fn draw<const N: usize>() -> Result<String, Refusal> {
    let mut bytes = [0; N];
    let failed = |_| Refusal::Failed("the system gives no random numbers".into());
    aws_lc_rs::rand::fill(&mut bytes).map_err(failed)?;
    Ok(bytes.iter().fold(String::with_capacity(2 * N), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
