//! The steps that one consumer can be given: its layers in the order in which they are worth having.
//!
//! Must not know other consumers, nor what there is to share.

/// Steps of a ladder at the most: four spatial layers of four temporal ones.
pub const MAX_STEPS: usize = 16;

/// What is shown, which says what of a picture matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Content {
    /// People: motion matters as much as sharpness. The default.
    #[default]
    Camera,
    /// A screen: it has to be legible, and may stutter.
    Screen,
}

/// A layer, and what it takes together with the layers below that it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Spatial layer, 0 the lowest.
    pub spatial: u8,
    /// Temporal layer, 0 the lowest.
    pub temporal: u8,
    /// Bits per second.
    pub bitrate: u64,
}

/// Steps from the least to the most, each taking more than the one before it and worth more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    steps: [Step; MAX_STEPS],
    len: usize,
}

impl Ladder {
    /// A ladder of these layers, in any order. Those that take no bits are not sent and left out; so is what takes more than
    /// another that is worth more, and what is above the `preferred` spatial and temporal layer. Of more than
    /// [`MAX_STEPS`] the rest is left out.
    ///
    /// Of a screen any higher spatial layer is worth more than all temporal ones. Of a camera it is worth as much as all temporal
    /// layers, so that sharpness is not bought with motion.
    pub fn new(layers: &[Step], content: Content, preferred: Option<(u8, u8)>) -> Self {
        let (spatial, temporal) = preferred.unwrap_or((u8::MAX, u8::MAX));
        let mut ladder = Self::default();
        let wished =
            |layer: &&Step| layer.bitrate > 0 && layer.spatial <= spatial && layer.temporal <= temporal;
        let weight = match content {
            Content::Camera => {
                layers.iter().filter(wished).map(|layer| layer.temporal).max().unwrap_or(0).max(1)
            }
            Content::Screen => u8::MAX,
        };
        let worth = |step: &Step| u32::from(step.spatial) * u32::from(weight) + u32::from(step.temporal);
        let mut last: Option<Step> = None;
        while ladder.len < MAX_STEPS {
            let next = layers
                .iter()
                .filter(wished)
                .filter(|layer| {
                    last.is_none_or(|last| layer.bitrate > last.bitrate && worth(layer) > worth(&last))
                })
                .min_by_key(|layer| (layer.bitrate, u32::MAX - worth(layer)));
            let (Some(&next), Some(slot)) = (next, ladder.steps.get_mut(ladder.len)) else { break };
            *slot = next;
            ladder.len += 1;
            last = Some(next);
        }
        ladder
    }

    /// The steps, the least first.
    pub fn steps(&self) -> &[Step] {
        self.steps.get(..self.len).unwrap_or_default()
    }

    /// Bits per second of so many steps up; 0 of none.
    pub fn bitrate(&self, height: usize) -> u64 {
        height.checked_sub(1).and_then(|step| self.steps().get(step)).map_or(0, |step| step.bitrate)
    }

    /// How many steps there are.
    pub const fn height(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Vec<Step> {
        let mut layers = Vec::new();
        for (spatial, full) in [(0, 150_000), (1, 500_000), (2, 1_500_000)] {
            for (temporal, part) in [(0, 50), (1, 70), (2, 100)] {
                layers.push(Step { spatial, temporal, bitrate: full * part / 100 });
            }
        }
        layers
    }

    fn path(ladder: &Ladder) -> Vec<(u8, u8)> {
        ladder.steps().iter().map(|step| (step.spatial, step.temporal)).collect()
    }

    #[test]
    fn a_camera_does_not_trade_motion_for_sharpness_and_a_screen_does() {
        let camera = Ladder::new(&grid(), Content::Camera, None);
        assert_eq!(path(&camera), [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)]);
        let screen = Ladder::new(&grid(), Content::Screen, None);
        assert!(path(&screen).contains(&(1, 0)) && path(&screen).contains(&(2, 0)));
        assert_eq!(screen.bitrate(screen.height()), 1_500_000);
    }

    #[test]
    fn what_is_not_sent_or_not_wished_for_has_no_step() {
        let mut layers = grid();
        layers[8].bitrate = 0;
        let ladder = Ladder::new(&layers, Content::Camera, Some((2, 1)));
        assert_eq!(path(&ladder), [(0, 0), (0, 1), (1, 1), (2, 1)]);
        assert_eq!((ladder.bitrate(0), ladder.bitrate(1), ladder.bitrate(9)), (0, 75_000, 0));
        assert_eq!(Ladder::new(&[], Content::Screen, None).height(), 0);
    }
}
