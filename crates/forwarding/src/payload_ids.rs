//! The ids that payload descriptors count pictures by, whatever the codec. Knows nothing of sequence numbers.

use crate::picture_id_map::PictureIdMap;
use crate::verdict::PayloadPatch;
use crate::vp9_ids::Vp9Ids;
use tureen_rtp_wire::payload::PayloadDescriptor;

/// The ids of a consumer's stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PayloadIds {
    vp8: PictureIdMap,
    vp9: Vp9Ids,
}

impl PayloadIds {
    pub(crate) const fn new() -> Self {
        Self { vp8: PictureIdMap::new(), vp9: Vp9Ids::new() }
    }

    /// The next packet starts anew, and its ids follow the newest so far.
    pub(crate) const fn resync(&mut self) {
        self.vp8.resync();
        self.vp9.resync();
    }

    /// As [`resync`](Self::resync), where the packet is known that the stream is entered with. It may be one that is left out.
    pub(crate) fn begin(&mut self, descriptor: &PayloadDescriptor) {
        self.resync();
        if let PayloadDescriptor::Vp9(descriptor) = descriptor {
            self.vp9.begin(descriptor);
        }
    }

    /// The patch for a packet that is forwarded.
    #[inline]
    pub(crate) fn forward(&mut self, descriptor: &PayloadDescriptor) -> PayloadPatch {
        match descriptor {
            PayloadDescriptor::Vp8(descriptor) => self.vp8.forward(descriptor),
            PayloadDescriptor::Vp9(descriptor) => self.vp9.forward(descriptor),
            _ => PayloadPatch::None,
        }
    }

    /// Takes note of a packet whose layer is left out. A picture of VP8 is left out as a whole, and the next takes its id; one of VP9 keeps
    /// it, since others refer to pictures by how far back their ids are.
    pub(crate) fn leave_out(&mut self, descriptor: &PayloadDescriptor) {
        if let PayloadDescriptor::Vp8(descriptor) = descriptor {
            self.vp8.drop_picture(descriptor);
        }
    }
}
