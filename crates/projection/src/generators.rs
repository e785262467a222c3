//! The rows of generators of traffic: what they counted, and how fast they are lately.

use std::collections::VecDeque;

use cluster::{Cluster, TrafficReport, TrafficSource};
use protocol::{Delta, GeneratorRow, ObjectRef};
use sim::{Duration, SmallMap, Time};

/// The time over which a generator's speed is measured.
const LATELY: Duration = Duration::from_secs(2);

/// What a generator had done at an instant.
#[derive(Clone, Copy, Debug)]
struct Sample {
    time: Time,
    answered: u64,
}

/// Follows the generators.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    told: SmallMap<String, GeneratorRow>,
    samples: SmallMap<String, VecDeque<Sample>>,
}

impl Meter {
    /// What changed since this was last asked.
    pub(crate) fn changes(&mut self, cluster: &Cluster) -> Vec<Delta> {
        let rows: SmallMap<String, GeneratorRow> = cluster
            .traffic()
            .map(|report| (report.name.clone(), self.row(report, cluster.now())))
            .collect();
        let gone = self.told.keys().filter(|name| !rows.contains_key(*name));
        let mut deltas: Vec<Delta> = gone.cloned().map(Delta::GeneratorRemoved).collect();
        let changed = rows.values().filter(|row| self.told.get(&row.name) != Some(row));
        deltas.extend(changed.cloned().map(Box::new).map(Delta::Generator));
        self.samples.retain(|name, _| rows.contains_key(name));
        self.told = rows;
        deltas
    }

    fn row(&mut self, report: TrafficReport, now: Time) -> GeneratorRow {
        let answered = report.answers.iter().sum();
        let latest = Sample { time: now, answered };
        let samples = self.samples.entry(report.name.clone()).or_default();
        // Another generator may have taken the name.
        if samples.back().is_some_and(|last| last.answered > answered) {
            samples.clear();
        }
        samples.push_back(latest);
        while samples.get(1).is_some_and(|second| now.since(second.time) >= LATELY) {
            samples.pop_front();
        }
        let first = samples.front().copied().unwrap_or(latest);
        let span = now.since(first.time).as_nanos() / 1_000_000;
        let lately = answered - first.answered;
        let tenths = (lately * 10_000).checked_div(span).unwrap_or(0);
        let failed = |why: &str| {
            report.failures.iter().find(|(word, _)| *word == why).map_or(0, |(_, count)| *count)
        };
        GeneratorRow {
            from: match &report.source {
                TrafficSource::Outside => None,
                TrafficSource::Pod { namespace, name } => Some(ObjectRef {
                    api_version: "v1".into(),
                    kind: "Pod".into(),
                    namespace: namespace.clone(),
                    name: name.clone(),
                }),
            },
            rate_per_second: report.rate_per_second,
            answered_tenths: u32::try_from(tenths).unwrap_or(u32::MAX),
            running: report.running,
            sent: report.sent,
            succeeded: report.answers[0] + report.answers[1],
            redirected: report.answers[2],
            client_errors: report.answers[3],
            server_errors: report.answers[4],
            refused: failed("refused"),
            timed_out: failed("timed_out"),
            reset: failed("reset"),
            unresolved: failed("unresolved"),
            name: report.name,
            url: report.url,
        }
    }
}
