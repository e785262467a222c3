//! The hops of one packet, out of the trace.

use cluster::Cluster;
use protocol::HopRow;
use trace::{Verdict, What};

/// Every hop of a packet that is still in the trace, in order.
#[must_use]
pub fn hops(cluster: &Cluster, packet: u64) -> Vec<HopRow> {
    let hop = |record: &trace::Record| match &record.what {
        What::PacketHop { packet: id, machine, place, verdict, rule, summary } if *id == packet => {
            Some(HopRow {
                machine: machine.to_string(),
                place: place.clone(),
                verdict: words(*verdict).to_string(),
                rule: rule.clone().filter(|rule| !rule.is_empty()),
                summary: summary.clone(),
            })
        }
        _ => None,
    };
    cluster.trace().records().filter_map(hop).collect()
}

fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Sent => "Sent",
        Verdict::Forwarded => "Forwarded",
        Verdict::Delivered => "Delivered",
        Verdict::Dropped => "Dropped",
        Verdict::Rejected => "Rejected",
        Verdict::Natted => "Natted",
    }
}
