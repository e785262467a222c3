//! The documentation's example manifests against expectations that were written by hand from
//! upstream's source: `tests/expectations/website-examples.txt` says how to read them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use api::openapi::api::apps::v1::Deployment;
use api::openapi::api::core::v1::{ContainerStatus, Event, Pod, Service};
use api::{KindId, Object};
use cluster::{Cluster, Command, Options};
use sim::Duration;
use tests::{conditional, corpus};

const EXPECTATIONS: &str = include_str!("../expectations/website-examples.txt");

/// How long each example has, from when it is applied.
const WATCHED: Duration = Duration::from_secs(180);

/// The files with the lines that are expected of each.
fn expectations() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut file = "";
    for line in EXPECTATIONS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match line.strip_prefix("  ") {
            Some(expected) => files.entry(file).or_default().push(expected),
            None => file = line,
        }
    }
    files
}

fn find<T: api::Kinded + Clone>(cluster: &Cluster, name: &str) -> Option<T> {
    let snapshot = cluster.snapshot(T::ID);
    let named = snapshot.iter().find(|object| object.meta().name.as_deref() == Some(name))?;
    named.get::<T>().cloned()
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let init = status.and_then(|status| status.init_container_statuses.as_ref());
    let main = status.and_then(|status| status.container_statuses.as_ref());
    [init, main].into_iter().flatten().flatten()
}

/// Everything that a pod's status says in words.
fn words(pod: &Pod) -> String {
    let mut all = String::new();
    if let Some(status) = &pod.status {
        let of_conditions = status.conditions.iter().flatten().filter_map(|c| c.message.as_ref());
        for message in status.message.iter().chain(of_conditions) {
            let _ = writeln!(all, "{message}");
        }
    }
    for state in statuses(pod).filter_map(|status| status.state.as_ref()) {
        let waiting = state.waiting.as_ref().and_then(|waiting| waiting.message.as_ref());
        let ended = state.terminated.as_ref().and_then(|ended| ended.message.as_ref());
        for message in waiting.into_iter().chain(ended) {
            let _ = writeln!(all, "{message}");
        }
    }
    all
}

fn has_event(cluster: &Cluster, name: &str, reason: &str, words: &str) -> bool {
    let snapshot = cluster.snapshot(KindId::EVENT);
    let mut events = snapshot.iter().filter_map(Object::get::<Event>);
    events.any(|event| {
        event.involved_object.name.as_deref() == Some(name)
            && event.reason.as_deref() == Some(reason)
            && event.message.as_deref().is_some_and(|message| message.contains(words))
    })
}

/// The words of `… "words"` at the end of a line.
fn quoted(line: &str) -> Option<(&str, &str)> {
    let (head, words) = line.split_once('"')?;
    Some((head, words.strip_suffix('"')?))
}

/// What is not as the line says, if anything.
fn check(cluster: &Cluster, line: &str) -> Option<String> {
    let (head, quote) = quoted(line).map_or((line, None), |(head, quote)| (head, Some(quote)));
    let mut parts = head.split_whitespace();
    let (kind, name) = (parts.next()?, parts.next()?);
    let states: Vec<&str> = parts.collect();
    let found = match kind {
        "Pod" => match find::<Pod>(cluster, name) {
            None if states == ["gone"] => return None,
            None => "no such pod".to_string(),
            Some(pod) => return check_pod(cluster, name, &pod, (&states, quote)),
        },
        "Deployment" => {
            let status = find::<Deployment>(cluster, name).and_then(|it| it.status)?;
            let replicas = status.replicas.unwrap_or(0);
            let ready = status.ready_replicas.unwrap_or(0);
            let found = format!("{ready}/{replicas}");
            if states == ["ready", found.as_str()] {
                return None;
            }
            found
        }
        "Service" => {
            let spec = find::<Service>(cluster, name).and_then(|it| it.spec).unwrap_or_default();
            let ip = spec.cluster_ip.unwrap_or_default();
            let word = match ip.as_str() {
                "None" => "headless",
                "" => "without",
                _ => "ip",
            };
            let found = ["type", spec.type_.as_deref().unwrap_or_default(), word];
            if states == found {
                return None;
            }
            found.join(" ")
        }
        _ => {
            let id = if kind == "Secret" { KindId::SECRET } else { KindId::CONFIG_MAP };
            let snapshot = cluster.snapshot(id);
            let exists = snapshot.iter().any(|it| it.meta().name.as_deref() == Some(name));
            if exists {
                return None;
            }
            "no such object".to_string()
        }
    };
    Some(format!("expected {line}\n    found {found}"))
}

fn check_pod(
    cluster: &Cluster,
    name: &str,
    pod: &Pod,
    (states, quote): (&[&str], Option<&str>),
) -> Option<String> {
    let status = pod.status.clone().unwrap_or_default();
    let main: Vec<&ContainerStatus> = status.container_statuses.iter().flatten().collect();
    let ready = main.iter().filter(|status| status.ready).count();
    let of = pod.spec.as_ref().map_or(0, |spec| spec.containers.len());
    let waiting: Vec<String> = statuses(pod)
        .filter_map(|status| status.state.as_ref()?.waiting.as_ref()?.reason.clone())
        .collect();
    let restarts: i32 = statuses(pod).map(|status| status.restart_count).sum();
    let said = words(pod);
    let mut wrong = false;
    let mut states = states.iter();
    while let Some(state) = states.next() {
        wrong |= match *state {
            "waits" => {
                let wanted = states.next().copied().unwrap_or_default();
                !waiting.iter().any(|reason| reason == wanted)
            }
            "class" => status.qos_class.as_deref() != states.next().copied(),
            "restarted" => restarts == 0,
            "steady" => restarts != 0,
            "says" => !said.contains(quote.unwrap_or_default()),
            "event" => {
                let reason = states.next().copied().unwrap_or_default();
                !has_event(cluster, name, reason, quote.unwrap_or_default())
            }
            counts if counts.contains('/') => counts != format!("{ready}/{of}"),
            phase => status.phase.as_deref() != Some(phase),
        };
    }
    wrong.then(|| {
        let phase = status.phase.unwrap_or_default();
        format!(
            "found {phase} {ready}/{of} waits {waiting:?}, {restarts} restarts\n    says {said}"
        )
    })
}

/// What is not as expected after the manifest was applied.
fn problems(mut cluster: Cluster, text: &str, lines: &[&str]) -> Vec<String> {
    // The documentation has the reader make these beforehand.
    let namespaces = text.lines().filter_map(|line| line.trim().strip_prefix("namespace: "));
    for name in namespaces {
        let text = format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n");
        cluster.execute(Command::Apply { text });
        cluster.run(Duration::from_secs(2));
    }
    let outcome = cluster.execute(Command::Apply { text: text.to_string() });
    let refused: Vec<String> =
        outcome.results.iter().filter(|it| !it.is_done()).map(|it| format!("{it:?}")).collect();
    if let Some(expected) = lines.first().and_then(|line| line.strip_prefix("refused ")) {
        let expected = expected.trim_matches('"');
        let debugged = expected.replace('"', "\\\"");
        return match refused.iter().any(|it| it.contains(expected) || it.contains(&debugged)) {
            true => Vec::new(),
            false => vec![format!("not refused with {expected}: {refused:?}")],
        };
    }
    if !refused.is_empty() {
        return refused;
    }
    cluster.run(WATCHED);
    lines
        .iter()
        .filter_map(|line| Some(format!("{line}\n    {}", check(&cluster, line)?)))
        .collect()
}

#[test]
fn the_documentations_examples_become_what_upstream_says() {
    conditional("corpus/website-examples: outcomes", corpus("website-examples"), |folder| {
        let mut booted = Cluster::new(Options::new(1, 3));
        booted.run(Duration::from_secs(60));
        let mut report = String::new();
        let mut checked = 0;
        for (file, lines) in expectations() {
            if lines.iter().any(|line| line.starts_with("later ")) {
                continue;
            }
            let text = std::fs::read_to_string(folder.join(file)).expect("the corpus has the file");
            checked += 1;
            for problem in problems(booted.clone(), &text, &lines) {
                let _ = writeln!(report, "{file}\n  {problem}");
            }
        }
        assert!(report.is_empty(), "of {checked} files:\n{report}");
        assert!(checked >= 100, "only {checked} files were checked");
    });
}
