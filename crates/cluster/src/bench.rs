//! Benchmarks: what a run of the whole cluster costs, beside a fixed loop in the same process.
//!
//! They include the API server with admission and validation, every Event, all controllers, the
//! scheduler and every kubelet. They do not include a page's projection or any printing.

use api::KindId;
use api::openapi::api::apps::v1::Deployment;
use sim::{Duration, Stream};

use crate::{Cluster, Command, Options};

/// A clock of the host, in milliseconds.
pub type WallClock<'a> = &'a dyn Fn() -> f64;

/// What a benchmark measured.
#[derive(Clone, Debug)]
pub struct BenchResult {
    /// Its name.
    pub name: &'static str,
    /// What it includes, in words.
    pub includes: &'static str,
    /// Milliseconds that the measured part took.
    pub milliseconds: f64,
    /// Milliseconds that the fixed loop took.
    pub calibration_ms: f64,
    /// Events that were handled.
    pub events: u64,
    /// Revisions that were made in the store.
    pub revisions: u64,
    /// Virtual seconds that passed.
    pub virtual_seconds: u64,
    /// Whether the scenario came to its end.
    pub finished: bool,
}

impl BenchResult {
    /// The result as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!({
            "name": self.name,
            "includes": self.includes,
            "milliseconds": self.milliseconds,
            "calibration_ms": self.calibration_ms,
            "ratio": self.milliseconds / self.calibration_ms,
            "events": self.events,
            "revisions": self.revisions,
            "virtual_seconds": self.virtual_seconds,
            "finished": self.finished,
        })
        .to_string()
    }
}

struct Scenario {
    name: &'static str,
    includes: &'static str,
    run: fn(WallClock<'_>) -> (f64, Cluster, bool),
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "boot-100",
        includes: "100 nodes from nothing to Ready",
        run: |wall| {
            let begin = wall();
            let cluster = booted(100);
            (wall() - begin, cluster, true)
        },
    },
    Scenario {
        name: "deployment-1000",
        includes: "one Deployment of 1000 pods on 100 Ready nodes, from apply until all are \
                   Ready, with every event and status written",
        run: |wall| deployment(wall, 1000, 100),
    },
];

/// The names of all benchmarks.
pub fn names() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().map(|scenario| scenario.name)
}

/// Runs a benchmark; `None` if there is none of that name.
#[must_use]
pub fn run(name: &str, wall: WallClock<'_>) -> Option<BenchResult> {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name)?;
    let calibration_ms = calibrate(wall);
    let (milliseconds, cluster, finished) = (scenario.run)(wall);
    Some(BenchResult {
        name: scenario.name,
        includes: scenario.includes,
        milliseconds,
        calibration_ms,
        events: cluster.events_handled(),
        revisions: cluster.server().revision(),
        virtual_seconds: cluster.now().as_millis() / 1000,
        finished,
    })
}

/// A loop that costs the same everywhere but for the machine: 40 million mixed numbers.
fn calibrate(wall: WallClock<'_>) -> f64 {
    let begin = wall();
    let mut stream = Stream::new(1, "calibration");
    let sum = (0..40_000_000_u64).fold(0_u64, |sum, _| sum.wrapping_add(stream.next_u64()));
    let milliseconds = wall() - begin;
    // The sum is used, so that the loop is not optimised away.
    if sum == 0 { milliseconds + 1.0 } else { milliseconds }
}

fn booted(nodes: u32) -> Cluster {
    let mut options = Options::new(1, nodes);
    options.trace_capacity = 0;
    let mut cluster = Cluster::new(options);
    cluster.run(Duration::from_secs(60));
    cluster
}

fn deployment(wall: WallClock<'_>, replicas: i32, nodes: u32) -> (f64, Cluster, bool) {
    let mut cluster = booted(nodes);
    let text = format!(
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: {replicas}
  selector:
    matchLabels: {{app: web}}
  template:
    metadata:
      labels: {{app: web}}
    spec:
      containers:
      - name: web
        image: nginx:1.29
        resources:
          requests: {{cpu: 100m, memory: 64Mi}}
"
    );
    let begin = wall();
    cluster.execute(Command::Apply { text });
    let mut finished = false;
    for _ in 0..600 {
        cluster.run(Duration::from_secs(1));
        finished = ready_replicas(&cluster) == Some(replicas);
        if finished {
            break;
        }
    }
    (wall() - begin, cluster, finished)
}

fn ready_replicas(cluster: &Cluster) -> Option<i32> {
    let deployments = cluster.snapshot(KindId::DEPLOYMENT);
    let deployment = deployments.iter().next()?.get::<Deployment>()?;
    deployment.status.as_ref()?.ready_replicas
}
