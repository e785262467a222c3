//! Generators of traffic: programs that send requests from a pod or from outside, as many as a
//! person asked for, and what came of them.

use std::net::Ipv4Addr;

use api::{Key, Status};
use serde::{Deserialize, Serialize};
use sim::{Digest, Digestible};

use crate::generator::Target;
use crate::{Cluster, outside};

const MAX_GENERATORS: usize = 16;
const MAX_RATE: u32 = 10_000;

/// Where requests come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrafficSource {
    /// A machine outside of the cluster, on the link of its nodes.
    Outside,
    /// A pod that runs.
    Pod {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// A generator as it was asked for, and where it runs.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    source: TrafficSource,
    url: String,
    rate_per_second: u32,
    /// The node's place among the kubelets; `None` outside.
    node: Option<usize>,
    /// The number of its process there.
    process: u64,
}

impl Digestible for Running {
    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.url);
        digest.u64(u64::from(self.rate_per_second));
        digest.u64(self.node.map_or(u64::MAX, |node| node as u64));
        digest.u64(self.process);
    }
}

/// What a generator has done so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficReport {
    /// Its name.
    pub name: String,
    /// Where its requests come from.
    pub source: TrafficSource,
    /// Where they go.
    pub url: String,
    /// How many there are to be in a second.
    pub rate_per_second: u32,
    /// Whether it runs: it ends with the container that it runs in.
    pub running: bool,
    /// Requests begun.
    pub sent: u64,
    /// Those that were answered well.
    pub succeeded: u64,
    /// Those that were not, by why: `refused`, `timed_out`, `reset`, `unresolved`, `bad_status`.
    pub failures: Vec<(&'static str, u64)>,
    /// Answers by the first digit of their status, from 1 to 5.
    pub answers: [u64; 5],
    /// The sum of the times until the answers, in microseconds.
    pub latency_micros: u64,
    /// The longest of them.
    pub latency_micros_max: u64,
}

impl Cluster {
    /// The generators of traffic and what they have done.
    pub fn traffic(&self) -> impl Iterator<Item = TrafficReport> {
        self.generators.iter().map(|(name, running)| {
            let counters = match running.node {
                None => self.outside.counters(running.process),
                Some(node) => self.kubelet(node).and_then(|k| k.guest_counters(running.process)),
            };
            let is_running = counters.is_some();
            let counters = counters.unwrap_or_default();
            let count = |wanted: &str| {
                counters.iter().find(|(name, _)| *name == wanted).map_or(0, |(_, count)| *count)
            };
            let failures = ["refused", "timed_out", "reset", "unresolved", "bad_status"];
            TrafficReport {
                name: name.clone(),
                source: running.source.clone(),
                url: running.url.clone(),
                rate_per_second: running.rate_per_second,
                running: is_running,
                sent: count("sent"),
                succeeded: count("succeeded"),
                failures: failures.map(|why| (why, count(why))).into(),
                answers: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(count),
                latency_micros: count("latency_micros"),
                latency_micros_max: count("latency_micros_max"),
            }
        })
    }

    /// The address of the machine outside of the cluster.
    #[must_use]
    pub fn outside_address(&self) -> Ipv4Addr {
        outside::ADDRESS.address
    }

    /// Starts a generator, in place of another of that name.
    pub(crate) fn start_traffic(
        &mut self,
        name: &str,
        (source, url, rate_per_second): (TrafficSource, String, u32),
    ) -> Result<(), Status> {
        let Some(commands) = self.parts.commands else { return Ok(()) };
        let Some(target) = Target::parse(&url) else {
            return Err(Status::bad_request(format!("no URL of HTTP: {url:?}")));
        };
        if !(1..=MAX_RATE).contains(&rate_per_second) {
            let words = format!("the rate must be between 1 and {MAX_RATE}: {rate_per_second}");
            return Err(Status::bad_request(words));
        }
        self.stop_traffic(name);
        if self.generators.len() >= MAX_GENERATORS {
            let words = format!("there are {MAX_GENERATORS} generators already");
            return Err(Status::bad_request(words));
        }
        let program = (commands.generator)(target, rate_per_second);
        let (node, process) = match &source {
            TrafficSource::Outside => (None, self.start_outside(program)),
            TrafficSource::Pod { namespace, name } => {
                let key = Key::new(namespace, name);
                let Some((node, process)) = self.start_guest(&key, program) else {
                    let words = format!("pod {key} has no container that runs");
                    return Err(Status::bad_request(words));
                };
                (Some(node), process)
            }
        };
        let running = Running { source, url, rate_per_second, node, process };
        self.generators.insert(name.to_string(), running);
        Ok(())
    }

    /// Ends a generator. Returns whether there was one of that name.
    pub(crate) fn stop_traffic(&mut self, name: &str) -> bool {
        let Some(running) = self.generators.remove(name) else { return false };
        match running.node {
            None => self.stop_outside(running.process),
            Some(node) => self.stop_guest(node, running.process),
        }
        true
    }
}
