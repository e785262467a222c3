//! The latest packets and the hops of one, for a page that looks at them.

use cluster::Cluster;
use projection::Projection;
use protocol::{HopRow, Message, PacketRow};

/// How often a list that changes is told, in milliseconds.
const INTERVAL_MS: f64 = 250.0;

/// What the page looks at, and what it was told.
#[derive(Default)]
pub(crate) struct Inspection {
    /// Whether the list is shown.
    pub(crate) shown: bool,
    packet: Option<u64>,
    told: Vec<PacketRow>,
    told_ms: f64,
    hops: Vec<HopRow>,
    looked_at: Option<u64>,
}

impl Inspection {
    /// The page looks at something else.
    pub(crate) fn ask(&mut self, shown: bool, packet: Option<u64>) {
        if self.shown != shown {
            self.told.clear();
        }
        if self.packet != packet {
            (self.hops, self.looked_at) = (Vec::new(), None);
        }
        (self.shown, self.packet) = (shown, packet);
    }

    /// What the page looks at.
    pub(crate) fn asked(&self) -> (bool, Option<u64>) {
        (self.shown, self.packet)
    }

    /// Gathers what the page does not know yet.
    pub(crate) fn gather(
        &mut self,
        cluster: &Cluster,
        projection: &Projection,
        (now_ms, running): (f64, bool),
        messages: &mut Vec<Message>,
    ) {
        if !self.shown || running && now_ms - self.told_ms < INTERVAL_MS {
            return;
        }
        self.told_ms = now_ms;
        if !projection.packets().eq(self.told.iter()) {
            self.told = projection.packets().cloned().collect();
            messages.push(Message::Packets(self.told.clone()));
        }
        let Some(packet) = self.packet else { return };
        let handled = Some(cluster.events_handled());
        if self.looked_at == handled {
            return;
        }
        let hops = projection::hops(cluster, packet);
        // Those that the trace has forgotten meanwhile are known here.
        if self.looked_at.is_none() || hops.len() > self.hops.len() {
            self.hops = hops;
            messages.push(Message::Hops { packet, hops: self.hops.clone() });
        }
        self.looked_at = handled;
    }
}
