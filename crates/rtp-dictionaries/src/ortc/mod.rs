//! The negotiation: pure functions from dictionaries to dictionaries. Randomness comes in as an argument.

mod consumer;
mod producer;
mod router;

pub use consumer::{
    ConsumerOffer, ConsumerParametersError, can_consume, get_consumer_rtp_parameters,
    get_pipe_consumer_rtp_parameters,
};
pub use producer::{
    ConsumableParametersError, RtpMappingError, get_consumable_rtp_parameters,
    get_producer_rtp_parameters_mapping,
};
pub use router::{RouterCapabilitiesError, generate_router_rtp_capabilities};
