//! The negotiation: pure functions from dictionaries to dictionaries. Randomness comes in as an argument.

mod consumer;
mod producer;
mod receiver;
mod router;

pub use consumer::{
    ConsumerOffer, ConsumerParametersError, can_consume, get_consumer_rtp_parameters,
    get_pipe_consumer_rtp_parameters, keep_one_bandwidth_estimation, matched_capability, matched_rtx,
};
pub use producer::{
    ConsumableParametersError, RtpMappingError, get_consumable_rtp_parameters,
    get_producer_rtp_parameters_mapping,
};
pub use receiver::{
    ReceiverParameters, align_header_extension_ids, get_receiver_consumer_rtp_parameters,
    remap_consumer_parameters,
};
pub use router::{RouterCapabilitiesError, generate_router_rtp_capabilities};
