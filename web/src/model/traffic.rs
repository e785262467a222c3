//! Packets and probes on their way from the worker's batches to the map, which draws them once.

use std::cell::RefCell;
use std::rc::Rc;

use protocol::{LaneRow, PacketRow, ProbeRow};

/// How much waits at most: what a hidden tab does not draw is not made up for.
const MOST: usize = 64;

/// Packets, probes, and how busy lanes were.
#[derive(Default, Debug)]
pub struct Waiting {
    /// Packets.
    pub packets: Vec<PacketRow>,
    /// Where packets went that are not among these.
    pub lanes: Vec<LaneRow>,
    /// Probes.
    pub probes: Vec<ProbeRow>,
}

/// A queue that its two ends share. All copies are one.
#[derive(Clone, Default, Debug)]
pub struct Traffic(Rc<RefCell<Waiting>>);

impl PartialEq for Traffic {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Traffic {
    /// Puts more at the end, as far as there is room.
    pub fn add(&self, packets: Vec<PacketRow>, lanes: Vec<LaneRow>, probes: Vec<ProbeRow>) {
        let mut waiting = self.0.borrow_mut();
        waiting.packets.extend(packets);
        waiting.packets.truncate(MOST);
        waiting.lanes.extend(lanes);
        waiting.lanes.truncate(MOST);
        waiting.probes.extend(probes);
        waiting.probes.truncate(MOST);
    }

    /// Takes everything.
    pub fn take(&self) -> Waiting {
        std::mem::take(&mut *self.0.borrow_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_taken_once_and_no_more_than_there_is_room_for() {
        let (ours, theirs) = (Traffic::default(), Traffic::default());
        let copy = ours.clone();
        assert!(ours == copy && ours != theirs);
        let probe = ProbeRow { pod: "a".into(), kind: 1, success: true };
        ours.add(vec![], vec![], vec![probe; 100]);
        assert_eq!(copy.take().probes.len(), MOST);
        assert!(ours.take().probes.is_empty());
    }
}
