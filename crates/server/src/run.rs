//! `tabernetes run`: what becomes of some manifests.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use api::openapi::api::apps::v1::{Deployment, ReplicaSet};
use api::openapi::api::core::v1::{Event, Pod};
use api::{Key, KindId, Object};
use clap::{Args, ValueEnum};
use cluster::{Cluster, Command, Options, Session};
use jiff::Timestamp;
use sim::Duration;

/// How long the nodes have to join before the manifests are applied.
const BOOT: Duration = Duration::from_secs(30);

/// What `tabernetes run` takes.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Files with YAML documents; `-` reads standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// How many nodes the cluster has.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=5000))]
    nodes: u32,
    /// The seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How much virtual time may pass at most: 90s, 10m, 2h.
    #[arg(long = "for", default_value = "10m", value_parser = parse_duration)]
    bound: Duration,
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Summary)]
    output: Output,
}

/// What `tabernetes replay` takes.
#[derive(Args)]
pub(crate) struct ReplayArguments {
    /// A file with a session, as JSON; `-` reads standard input.
    file: PathBuf,
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Wide)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// One line for each object, and why it is not ready.
    Summary,
    /// Tables as `kubectl get -o wide` prints them.
    Wide,
    /// The objects as YAML.
    Yaml,
    /// The Events, as `kubectl events` prints them.
    Events,
    /// The digest of the cluster's whole state.
    Hash,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let text = match read(&arguments.files) {
        Ok(text) => text,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::FAILURE;
        }
    };
    let mut cluster = Cluster::new(Options::new(arguments.seed, arguments.nodes));
    cluster.run(BOOT);
    let outcome = cluster.execute(Command::Apply { text });
    let mut objects = Vec::new();
    let mut refused = false;
    for result in &outcome.results {
        match &result.outcome {
            Ok(done) => objects.push((done.object.kind_id(), done.object.key())),
            Err(refusal) => {
                eprintln!("{}", refusal.message);
                refused = true;
            }
        }
    }
    if refused {
        return ExitCode::FAILURE;
    }
    let moving = cluster.run_until_quiet(arguments.bound);
    print!("{}", printed(&mut cluster, &objects, arguments.output));
    if let Some(words) = moving {
        eprintln!("not quiet after {}: {words}", arguments.bound);
    }
    let ready = |(kind, key): &(KindId, Key)| {
        cluster.snapshot(*kind).get(key).is_some_and(|object| readiness(object).0)
    };
    if objects.iter().all(ready) { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

/// Runs the command.
pub(crate) fn replay(arguments: &ReplayArguments) -> ExitCode {
    let replayed = read(std::slice::from_ref(&arguments.file)).and_then(|text| {
        let session: Session = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        session.replay().map_err(|error| error.to_string())
    });
    match replayed {
        Ok(mut cluster) => {
            let objects = everything(&cluster);
            print!("{}", printed(&mut cluster, &objects, arguments.output));
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// All objects but the records of what happened.
fn everything(cluster: &Cluster) -> Vec<(KindId, Key)> {
    let kinds = api::Kind::all().filter(|kind| ![KindId::EVENT, KindId::LEASE].contains(&kind.id));
    kinds
        .flat_map(|kind| {
            let snapshot = cluster.snapshot(kind.id);
            let keys: Vec<Key> = snapshot.iter().map(Object::key).collect();
            keys.into_iter().map(|key| (kind.id, key))
        })
        .collect()
}

fn read(files: &[PathBuf]) -> Result<String, String> {
    let mut texts = Vec::new();
    for file in files {
        let text = if file.as_os_str() == "-" {
            std::io::read_to_string(std::io::stdin())
        } else {
            std::fs::read_to_string(file)
        };
        texts.push(text.map_err(|error| format!("{}: {error}", file.display()))?);
    }
    Ok(texts.join("\n---\n"))
}

fn printed(cluster: &mut Cluster, objects: &[(KindId, Key)], output: Output) -> String {
    let found: Vec<Object> = objects
        .iter()
        .filter_map(|(kind, key)| cluster.snapshot(*kind).get(key).cloned())
        .collect();
    match output {
        Output::Hash => format!("{}\n", cluster.state_hash()),
        Output::Yaml => yaml(&found),
        Output::Events => events(cluster),
        Output::Wide => wide(cluster, &found),
        Output::Summary => summary(&found),
    }
}

fn summary(objects: &[Object]) -> String {
    let mut text = String::new();
    for object in objects {
        let (ready, words) = readiness(object);
        let word = if ready { "ready" } else { "not ready" };
        let title = kubectl::title(object.kind(), object.name());
        let separator = if words.is_empty() { "" } else { ": " };
        let _ = writeln!(text, "{title} {word}{separator}{words}");
    }
    text
}

fn yaml(objects: &[Object]) -> String {
    let documents: Vec<String> =
        objects.iter().map(|object| api::yaml::to_yaml(&object.to_value())).collect();
    documents.join("---\n")
}

/// The applied objects and all pods of their namespaces, kind by kind.
fn wide(cluster: &Cluster, objects: &[Object]) -> String {
    let now = cluster.clock().timestamp(cluster.now());
    let mut tables = Vec::new();
    for kind in api::Kind::all().filter(|kind| kind.id != KindId::POD) {
        let of_kind: Vec<Object> =
            objects.iter().filter(|object| object.kind_id() == kind.id).cloned().collect();
        if !of_kind.is_empty() {
            tables.push(kubectl::table(kind, &of_kind, now, true));
        }
    }
    let namespaces: Vec<&str> = objects.iter().map(Object::namespace).collect();
    let pods: Vec<Object> = cluster
        .snapshot(KindId::POD)
        .iter()
        .filter(|pod| namespaces.contains(&pod.namespace()))
        .cloned()
        .collect();
    if !pods.is_empty() {
        tables.push(kubectl::table(KindId::POD.get(), &pods, now, true));
    }
    tables.join("\n")
}

fn events(cluster: &Cluster) -> String {
    let snapshot = cluster.snapshot(KindId::EVENT);
    let mut events: Vec<&Event> = snapshot.iter().filter_map(Object::get::<Event>).collect();
    events.sort_by_key(|event| {
        let first = event.first_timestamp.as_ref().map(|time| time.0);
        (first, event.metadata.resource_version.as_deref().map_or(0, |v| v.parse().unwrap_or(0)))
    });
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut lines = String::new();
    for event in events {
        let about = &event.involved_object;
        let time = event.first_timestamp.as_ref().map(|time| time.0.to_string());
        let _ = writeln!(
            lines,
            "{} {} {} {}/{} x{}: {}",
            time.unwrap_or_default(),
            text(&event.type_),
            text(&event.reason),
            text(&about.kind).to_lowercase(),
            text(&about.name),
            event.count.unwrap_or(1),
            text(&event.message),
        );
    }
    lines
}

/// Whether an object is as it should be, and how it is in words.
fn readiness(object: &Object) -> (bool, String) {
    if let Some(deployment) = object.get::<Deployment>() {
        let desired = deployment.spec.replicas.unwrap_or(1);
        let status = deployment.status.clone().unwrap_or_default();
        let available = status.available_replicas.unwrap_or(0);
        let updated = status.updated_replicas.unwrap_or(0);
        let seen = status.observed_generation == deployment.metadata.generation;
        let ready = seen && available == desired && updated == desired;
        return (ready, format!("{available} of {desired} available"));
    }
    if let Some(replica_set) = object.get::<ReplicaSet>() {
        let desired = replica_set.spec.replicas.unwrap_or(1);
        let status = replica_set.status.clone().unwrap_or_default();
        let ready = status.ready_replicas.unwrap_or(0);
        return (ready == desired, format!("{ready} of {desired} ready"));
    }
    let pod = object.get::<Pod>();
    pod.map_or((true, String::new()), |pod| pod_readiness(object, pod))
}

/// A pod is as it should be when it is ready or has done its work. The words are those of
/// kubectl's column STATUS and, if there is one, the reason behind it.
fn pod_readiness(object: &Object, pod: &Pod) -> (bool, String) {
    let status = pod.status.clone().unwrap_or_default();
    let conditions = status.conditions.clone().unwrap_or_default();
    let condition = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind);
    let ready = condition("Ready").is_some_and(|condition| condition.status == "True");
    let done = status.phase.as_deref() == Some("Succeeded");
    let unscheduled = condition("PodScheduled").filter(|condition| condition.status == "False");
    let waiting = status.container_statuses.iter().flatten().find_map(|container| {
        let state = container.state.as_ref()?;
        let last = container.last_state.as_ref();
        let ended = state.terminated.as_ref().or(last.and_then(|last| last.terminated.as_ref()));
        match (&state.waiting, ended) {
            (Some(waiting), _) if waiting.message.is_some() => waiting.message.clone(),
            (_, Some(ended)) => Some(format!("the container ended with {}", ended.exit_code)),
            _ => None,
        }
    });
    let reason = match unscheduled {
        Some(condition) => condition.message.clone(),
        None => waiting.or(status.message),
    };
    let word = status_word(object);
    let words = match reason.filter(|_| !ready && !done) {
        Some(reason) => format!("{word}, {reason}"),
        None => word,
    };
    (ready || done, words)
}

/// The cell of the column STATUS, which needs no point in time.
fn status_word(object: &Object) -> String {
    let kind = object.kind();
    let place = (kind.columns)().iter().position(|column| column.name == "Status");
    let cells = (object.behaviour().row)(object, Timestamp::UNIX_EPOCH);
    let cell = place.and_then(|place| cells.get(place));
    cell.map(ToString::to_string).unwrap_or_default()
}

/// Reads a duration as Go's `time.ParseDuration` does, as far as whole numbers go: `1h30m`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration such as 90s, 10m or 1h30m");
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match &rest[..letters] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        total = total + unit * number;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_go_reads_them() {
        for (text, want) in [("90s", 90_000), ("10m", 600_000), ("1h30m", 5_400_000), ("5ms", 5)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(want)));
        }
        for text in ["", "10", "m", "10 m", "-5s"] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }
}
