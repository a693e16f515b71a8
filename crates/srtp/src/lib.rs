//! SRTP and SRTCP contexts over an exchangeable crypto provider.
