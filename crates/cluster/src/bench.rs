//! Benchmarks: what a run of the whole cluster costs, beside a fixed loop in the same process.
//!
//! They include the API server with admission and validation, every Event, all controllers, the
//! scheduler, every kubelet and the add-ons: kube-proxy, flannel and CoreDNS. Nobody looks on and
//! nothing is traced, unless the benchmark says so.

use api::KindId;
use api::openapi::api::apps::v1::Deployment;
use sim::{Duration, Stream, Time};

use crate::{Cluster, Command, Options, TrafficSource};

/// Who runs a benchmark.
pub struct Host<'a> {
    /// A clock, in milliseconds.
    pub wall: &'a dyn Fn() -> f64,
    /// What the host does between two slices of work.
    pub pause: &'a dyn Fn(),
    /// What looks on as a page does, where a benchmark includes that.
    pub onlooker: &'a mut dyn FnMut(&mut Cluster),
}

/// How many events a slice of work has: a page works for 10 milliseconds at a time.
const SLICE: u64 = 500;

/// How much virtual time passes between two looks: a page that draws 60 times in a second of a
/// cluster that runs five times as fast looks less often.
const LOOK: Duration = Duration::from_millis(50);
/// What the generator of traffic sends, in requests per virtual second, and for how long.
const RATE: u32 = 1000;
const TRAFFIC: Duration = Duration::from_secs(10);
/// After which time a deployment has come to its end in every part.
const SETTLED: Duration = Duration::from_secs(40);

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
    /// Virtual seconds of the measured part in a second of the host.
    pub speed: f64,
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
            "speed": self.speed,
            "finished": self.finished,
        })
        .to_string()
    }
}

struct Scenario {
    name: &'static str,
    includes: &'static str,
    run: fn(&mut Host<'_>) -> Measured,
}

struct Measured {
    milliseconds: f64,
    span: Duration,
    cluster: Cluster,
    finished: bool,
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "boot-100",
        includes: "100 nodes from nothing to Ready",
        run: |host| {
            let begin = (host.wall)();
            let cluster = booted(host, 100, 0);
            let span = cluster.now().since(Time::ZERO);
            Measured { milliseconds: (host.wall)() - begin, span, cluster, finished: true }
        },
    },
    Scenario {
        name: "deployment-1000",
        includes: "one Deployment of 1000 pods on 100 Ready nodes, from apply until all are \
                   Ready, with every event and status written",
        run: |host| {
            let mut cluster = booted(host, 100, 0);
            let (begin, from) = ((host.wall)(), cluster.now());
            let finished = deploy(host, &mut cluster, 1000);
            let span = cluster.now() - from;
            Measured { milliseconds: (host.wall)() - begin, span, cluster, finished }
        },
    },
    Scenario {
        name: "service-traffic",
        includes: "1000 requests in a virtual second from a pod to the name of a Service with \
                   1000 pods on 100 nodes, traced, with a page that looks on",
        run: service_traffic,
    },
];

/// The names of all benchmarks.
pub fn names() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().map(|scenario| scenario.name)
}

/// Runs a benchmark; `None` if there is none of that name.
#[must_use]
pub fn run(name: &str, mut host: Host<'_>) -> Option<BenchResult> {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name)?;
    let calibration_ms = calibrate(host.wall);
    let measured = (scenario.run)(&mut host);
    let Measured { milliseconds, span, cluster, finished } = measured;
    Some(BenchResult {
        name: scenario.name,
        includes: scenario.includes,
        milliseconds,
        calibration_ms,
        events: cluster.events_handled(),
        revisions: cluster.server().revision(),
        virtual_seconds: cluster.now().as_millis() / 1000,
        speed: span.as_nanos() as f64 / 1_000_000.0 / milliseconds,
        finished,
    })
}

/// A loop that costs the same everywhere but for the machine: 40 million mixed numbers.
fn calibrate(wall: &dyn Fn() -> f64) -> f64 {
    let begin = wall();
    let mut stream = Stream::new(1, "calibration");
    let sum = (0..40_000_000_u64).fold(0_u64, |sum, _| sum.wrapping_add(stream.next_u64()));
    let milliseconds = wall() - begin;
    // The sum is used, so that the loop is not optimised away.
    if sum == 0 { milliseconds + 1.0 } else { milliseconds }
}

/// Lets the time given pass, slice by slice.
fn pass(host: &Host<'_>, cluster: &mut Cluster, span: Duration) {
    let end = cluster.now() + span;
    while !cluster.run_until(end, SLICE).finished {
        (host.pause)();
    }
}

fn booted(host: &Host<'_>, nodes: u32, trace_capacity: u32) -> Cluster {
    let mut options = Options::new(1, nodes);
    options.trace_capacity = trace_capacity;
    let mut cluster = Cluster::new(options);
    pass(host, &mut cluster, Duration::from_secs(60));
    cluster
}

/// Deploys that many pods and lets time pass until all are Ready. Returns whether they are.
fn deploy(host: &Host<'_>, cluster: &mut Cluster, replicas: i32) -> bool {
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
    cluster.execute(Command::Apply { text });
    for _ in 0..600 {
        pass(host, cluster, Duration::from_secs(1));
        if ready_replicas(cluster) == Some(replicas) {
            return true;
        }
    }
    false
}

fn ready_replicas(cluster: &Cluster) -> Option<i32> {
    let deployments = cluster.snapshot(KindId::DEPLOYMENT);
    let deployments = deployments.iter().filter_map(|object| object.get::<Deployment>());
    let web = |deployment: &&Deployment| deployment.metadata.name.as_deref() == Some("web");
    deployments.into_iter().find(web)?.status.as_ref()?.ready_replicas
}

fn service_traffic(host: &mut Host<'_>) -> Measured {
    const OTHERS: &str = "apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: v1
kind: Pod
metadata:
  name: client
spec:
  containers:
  - {name: client, image: nginx:1.29}
";
    let mut cluster = booted(host, 100, Options::default().trace_capacity);
    cluster.execute(Command::Apply { text: OTHERS.to_string() });
    let ready = deploy(host, &mut cluster, 1000);
    // Everything that the deployment has set in motion comes to its end.
    pass(host, &mut cluster, SETTLED);
    let from = TrafficSource::Pod { namespace: "default".into(), name: "client".into() };
    let (name, url) = ("bench".to_string(), "http://web/".to_string());
    cluster.execute(Command::Traffic { name, from, url, rate_per_second: RATE });
    let succeeded =
        |cluster: &Cluster| cluster.traffic().map(|traffic| traffic.succeeded).sum::<u64>();
    pass(host, &mut cluster, TRAFFIC);
    (host.onlooker)(&mut cluster);
    let before = succeeded(&cluster);
    let (begin, from) = ((host.wall)(), cluster.now());
    while cluster.now() - from < TRAFFIC {
        pass(host, &mut cluster, LOOK);
        (host.onlooker)(&mut cluster);
    }
    let milliseconds = (host.wall)() - begin;
    let wanted = u64::from(RATE) * TRAFFIC.as_nanos() / 1_000_000_000;
    let finished = ready && succeeded(&cluster) - before >= wanted / 100 * 95;
    Measured { milliseconds, span: cluster.now() - from, cluster, finished }
}
