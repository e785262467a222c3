//! What happened in the cluster, as plain records with ids and the id of the event that caused
//! them. Consumers: animation, explanations, assertions of tests.
//!
//! It holds plain data only, knows no engine type, and is never part of the cluster's state:
//! nothing may decide by it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its id, counted from 1.
    pub id: u64,
    /// The index of the cluster's event during which it happened.
    pub cause: u64,
    /// Virtual nanoseconds since the cluster was created.
    pub time_nanos: u64,
    /// What happened.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// A request was answered.
    ApiCall {
        /// Who asked.
        user: Arc<str>,
        /// `create`, `get`, `update` …
        verb: String,
        /// `pods`, `pods/status` …
        resource: String,
        /// `namespace/name`, or a part of it.
        object: String,
        /// The HTTP status code of the answer.
        code: i32,
    },
    /// A controller looked at a key.
    Reconcile {
        /// The controller's name.
        controller: String,
        /// The key.
        key: String,
    },
    /// The scheduler decided on a pod.
    Scheduled {
        /// `namespace/name` of the pod.
        pod: String,
        /// The chosen node, or `None` when there was none.
        node: Option<String>,
        /// How many nodes there were.
        nodes: u64,
        /// How many passed all filters.
        feasible: u64,
        /// How many nodes each plugin turned away.
        rejected: Vec<(String, u64)>,
        /// The best nodes with their scores, best first.
        top_scores: Vec<(String, i64)>,
    },
    /// Something changed within a pod on its node.
    PodTransition {
        /// `namespace/name` of the pod.
        pod: String,
        /// The node.
        node: String,
        /// What changed, in words.
        transition: String,
    },
    /// A packet made its way through one machine.
    Packet {
        /// The packet; the same on every machine that it passes.
        id: u64,
        /// The machine.
        machine: Arc<str>,
        /// The address of the namespace that it began in; `None` when it came over the cable.
        from: Option<Ipv4Addr>,
        /// The address of the namespace that it ended in; `None` when it left over the cable.
        to: Option<Ipv4Addr>,
        /// Where it says it comes from, at the end of this way.
        source: SocketAddrV4,
        /// Where it goes to, at the end of this way.
        destination: SocketAddrV4,
        /// What its connection was sent to, where connection tracking has rewritten that: a
        /// Service's address, or a node port. The same for answers.
        original: Option<SocketAddrV4>,
        /// What it is: `SYN`, `HTTP GET /cart`, `HTTP 200`, `DNS A example.com.`, `RST` …
        kind: Cow<'static, str>,
        /// How the way ended: `Delivered`, `Forwarded` over the cable, `Dropped` or `Rejected`.
        verdict: Verdict,
    },
    /// What one station did with a packet.
    PacketHop {
        /// The packet.
        packet: u64,
        /// The machine.
        machine: Arc<str>,
        /// The namespace and device, in words.
        place: String,
        /// What became of it here.
        verdict: Verdict,
        /// The rule, route or table entry that decided, if any did.
        rule: Option<String>,
        /// The headers as they are after it.
        summary: String,
    },
    /// A probe of a container ran.
    Probe {
        /// `namespace/name` of the pod.
        pod: String,
        /// The container.
        container: String,
        /// `Startup`, `Readiness` or `Liveness`.
        probe: String,
        /// Whether it succeeded.
        success: bool,
    },
    /// Something was broken or mended on purpose.
    Fault {
        /// What, in words.
        fault: String,
    },
}

/// What becomes of a packet at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It began here.
    Sent,
    /// It goes on.
    Forwarded,
    /// It reached a socket.
    Delivered,
    /// It is gone, without a word.
    Dropped,
    /// It is gone, and its sender is told.
    Rejected,
    /// Its addresses were rewritten.
    Natted,
}

/// The newest records, in a buffer of bounded size.
#[derive(Clone, Debug)]
pub struct Trace {
    records: VecDeque<Record>,
    capacity: usize,
    next_id: u64,
    cause: u64,
    time_nanos: u64,
    explain: bool,
}

impl Trace {
    /// A buffer for the newest `capacity` records.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Trace {
            records: VecDeque::new(),
            capacity,
            next_id: 1,
            cause: 0,
            time_nanos: 0,
            explain: false,
        }
    }

    /// Asks for what is too much to be recorded always: every hop of every packet.
    pub fn set_explain(&mut self, explain: bool) {
        self.explain = explain;
    }

    /// Whether every hop of every packet shall be recorded.
    #[must_use]
    pub fn explains(&self) -> bool {
        self.explain && self.is_on()
    }

    /// Says which event the next records belong to, and when it happens.
    pub fn begin(&mut self, cause: u64, time_nanos: u64) {
        self.cause = cause;
        self.time_nanos = time_nanos;
    }

    /// Records that something happened. With a capacity of 0 nothing is kept.
    pub fn record(&mut self, what: What) {
        let id = self.next_id;
        self.next_id += 1;
        if self.capacity == 0 {
            return;
        }
        if self.records.len() == self.capacity {
            self.records.pop_front();
        }
        self.records.push_back(Record { id, cause: self.cause, time_nanos: self.time_nanos, what });
    }

    /// Whether records are kept at all; building an expensive record can be skipped otherwise.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.capacity > 0
    }

    /// The records that are kept, oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    /// The id of the newest record.
    #[must_use]
    pub fn last_id(&self) -> u64 {
        self.next_id - 1
    }

    /// The records with an id greater than `id`, oldest first.
    pub fn since(&self, id: u64) -> impl Iterator<Item = &Record> {
        // Ids have no gaps.
        let first = self.records.front().map_or(0, |record| record.id);
        let known = (id + 1).saturating_sub(first);
        self.records.iter().skip(usize::try_from(known).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_records_leave_first_and_ids_go_on() {
        let mut trace = Trace::new(2);
        for fault in ["a", "b", "c"] {
            trace.record(What::Fault { fault: fault.to_string() });
        }
        let ids: Vec<u64> = trace.records().map(|record| record.id).collect();
        assert_eq!(ids, [2, 3]);
        assert_eq!(trace.since(2).count(), 1);
    }
}
