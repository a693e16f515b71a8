//! RTP capabilities and parameters of the ORTC object model, and their negotiation as pure functions.
