//! Upstream's tables for conditions and phases.

use api::openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, Pod, PodCondition,
};

use super::generate::{Verdict, containers_ready, pod_initialized, pod_ready};
use super::phase::phase;

fn pod(spec: &str) -> Pod {
    let containers = |names: &str| {
        let named = names.split_ascii_whitespace().map(|name| match name.strip_prefix('~') {
            Some(sidecar) => format!(r#"{{"name":"{sidecar}","restartPolicy":"Always"}}"#),
            None => format!(r#"{{"name":"{name}"}}"#),
        });
        named.collect::<Vec<_>>().join(",")
    };
    let mut parts = spec.split('|');
    let mut next = || parts.next().unwrap_or_default();
    let (policy, init, main, gates) = (next(), containers(next()), containers(next()), next());
    let gates = gates.split_ascii_whitespace().map(|g| format!(r#"{{"conditionType":"{g}"}}"#));
    let gates = gates.collect::<Vec<_>>().join(",");
    let manifest = format!(
        r#"{{"spec":{{"restartPolicy":"{policy}","initContainers":[{init}],
        "containers":[{main}],"readinessGates":[{gates}]}}}}"#
    );
    serde_json::from_str(&manifest).expect("a pod")
}

/// A status in a word: its name, then `r` (running and ready), `u` (running, not ready),
/// `n` (running, not started), `w` (waiting), `s` (succeeded), `f` (failed), `b` (waiting after a
/// failure), `B` (waiting after a success).
fn status(word: &str) -> ContainerStatus {
    let (name, kind) = word.split_once(':').expect("name and state");
    let terminated = |exit_code| ContainerState {
        terminated: Some(ContainerStateTerminated {
            exit_code,
            ..ContainerStateTerminated::default()
        }),
        ..ContainerState::default()
    };
    let waiting = || ContainerState {
        waiting: Some(ContainerStateWaiting::default()),
        ..ContainerState::default()
    };
    let running = || ContainerState {
        running: Some(ContainerStateRunning::default()),
        ..ContainerState::default()
    };
    let (state, last_state, ready, started) = match kind {
        "r" => (running(), None, true, true),
        "u" => (running(), None, false, true),
        "n" => (running(), None, false, false),
        "s" => (terminated(0), None, false, false),
        // An init container that is done counts as ready.
        "d" => (terminated(0), None, true, false),
        "f" => (terminated(-1), None, false, false),
        "b" => (waiting(), Some(terminated(-1)), false, false),
        "B" => (waiting(), Some(terminated(0)), false, false),
        _ => (waiting(), None, false, false),
    };
    ContainerStatus {
        name: name.to_string(),
        state: Some(state),
        last_state,
        ready,
        started: Some(started),
        ..ContainerStatus::default()
    }
}

fn statuses(words: &str) -> Vec<ContainerStatus> {
    words.split_ascii_whitespace().map(status).collect()
}

fn short(verdict: &Verdict) -> String {
    format!("{} {} {}", verdict.holds, verdict.reason, verdict.message).trim_end().to_string()
}

/// Upstream: pkg/kubelet/status/generate_test.go, TestGenerateContainersReadyCondition.
#[test]
fn containers_are_ready_when_each_of_them_is() {
    let unready = "containers with unready status: ";
    for (spec, words, phase, want) in [
        ("Always||", Some(""), "Running", "true".to_string()),
        ("Always||1", None, "Running", "false UnknownContainerStatuses".to_string()),
        ("Always||1", Some("1:r"), "Running", "true".to_string()),
        ("Always||1 2", Some("1:r 2:r"), "Running", "true".to_string()),
        (
            "Always||1 2",
            Some("1:r"),
            "Running",
            "false ContainersNotReady containers with unknown status: [2]".to_string(),
        ),
        (
            "Always||1 2",
            Some("1:r 2:u"),
            "Running",
            format!("false ContainersNotReady {unready}[2]"),
        ),
        (
            "Always||1 2 3",
            Some("1:u 2:u 3:r"),
            "Running",
            format!("false ContainersNotReady {unready}[1 2]"),
        ),
        ("Never||1", Some("1:s"), "Succeeded", "false PodCompleted".to_string()),
        ("Never||1", Some("1:f"), "Failed", "false PodFailed".to_string()),
        ("Always|~s|1", Some("s:r 1:r"), "Running", "true".to_string()),
        (
            "Always|~s|1",
            Some("s:u 1:r"),
            "Running",
            format!("false ContainersNotReady {unready}[s]"),
        ),
        (
            "Always|~s|1",
            Some("s:w 1:w"),
            "Pending",
            format!("false ContainersNotReady {unready}[s 1]"),
        ),
        ("Always|i|1", Some("i:s 1:r"), "Running", "true".to_string()),
    ] {
        let known = words.map(statuses);
        let verdict = containers_ready(&pod(spec), known.as_deref(), phase);
        assert_eq!(short(&verdict), want, "{spec} {words:?}");
    }
}

/// Upstream: pkg/kubelet/status/generate_test.go, TestGeneratePodReadyCondition.
#[test]
fn readiness_gates_hold_a_pod_back() {
    let condition = |kind: &str, status: &str| PodCondition {
        type_: kind.to_string(),
        status: status.to_string(),
        ..PodCondition::default()
    };
    let missing = |kind: &str| {
        format!("corresponding condition of pod readiness gate \"{kind}\" does not exist.")
    };
    let wrong = |kind: &str| {
        format!("the status of pod readiness gate \"{kind}\" is not \"True\", but False")
    };
    for (gates, conditions, want) in [
        ("gate1", vec![], format!("false ReadinessGatesNotReady {}", missing("gate1"))),
        (
            "gate1",
            vec![condition("gate1", "False")],
            format!("false ReadinessGatesNotReady {}", wrong("gate1")),
        ),
        ("gate1", vec![condition("gate1", "True")], "true".to_string()),
        (
            "gate1 gate2",
            vec![condition("gate1", "True")],
            format!("false ReadinessGatesNotReady {}", missing("gate2")),
        ),
        (
            "gate1 gate2",
            vec![condition("gate1", "True"), condition("gate2", "False")],
            format!("false ReadinessGatesNotReady {}", wrong("gate2")),
        ),
    ] {
        let pod = pod(&format!("Always||1|{gates}"));
        let verdict = pod_ready(&pod, &conditions, Some(&statuses("1:r")), "Running");
        assert_eq!(short(&verdict), want, "{gates}");
    }
    let verdict = pod_ready(&pod("Always||1|gate1"), &[], Some(&statuses("1:u")), "Running");
    assert_eq!(verdict.reason, "ContainersNotReady");
}

/// Upstream: pkg/kubelet/status/generate_test.go, TestGeneratePodInitializedCondition.
#[test]
fn a_pod_is_initialized_when_its_init_containers_are_done() {
    let incomplete = "false ContainersNotInitialized containers with incomplete status: ";
    for (spec, words, phase, want) in [
        ("Always||", Some(""), "Running", "true".to_string()),
        ("Always|1|", None, "Pending", "false UnknownContainerStatuses".to_string()),
        (
            "Always|1|",
            Some(""),
            "Pending",
            "false ContainersNotInitialized containers with unknown status: [1]".to_string(),
        ),
        ("Always|1|", Some("1:w"), "Pending", format!("{incomplete}[1]")),
        ("Always|1|", Some("1:d"), "Running", "true".to_string()),
        ("Always|1 2|", Some("1:d 2:w"), "Pending", format!("{incomplete}[2]")),
        ("Always|1|", Some("1:d"), "Succeeded", "true PodCompleted".to_string()),
        ("Always|~1|", Some("1:w"), "Pending", format!("{incomplete}[1]")),
        ("Always|~1|", Some("1:n"), "Pending", format!("{incomplete}[1]")),
        ("Always|~1|", Some("1:r"), "Running", "true".to_string()),
        ("Always|~1|2", Some("1:f 2:r"), "Running", "true".to_string()),
        ("Always|~1|2", Some("1:f 2:b"), "Running", "true".to_string()),
    ] {
        let known = words.map(statuses);
        let verdict = pod_initialized(&pod(spec), known.as_deref(), phase);
        assert_eq!(short(&verdict), want, "{spec} {words:?}");
    }
}

/// Upstream: pkg/kubelet/kubelet_pods_test.go, TestPodPhaseWithRestartAlways, …OnFailure, …Never,
/// …AlwaysInitContainers, …AlwaysRestartableInitContainers, …NeverInitContainers.
#[test]
fn the_phase_follows_from_the_containers_and_the_restart_policy() {
    for (spec, words, terminal, want) in [
        ("Always||A B", "", false, "Pending"),
        ("Always||A B", "A:r B:r", false, "Running"),
        ("Always||A B", "A:s B:s", false, "Running"),
        ("Always||A B", "A:s B:s", true, "Succeeded"),
        ("Always||A B", "A:f B:f", false, "Running"),
        ("Always||A B", "A:f B:f", true, "Failed"),
        ("Always||A B", "A:r B:s", false, "Running"),
        ("Always||A B", "A:r", false, "Pending"),
        ("Always||A B", "A:r B:b", false, "Running"),
        ("Always||A B", "A:r B:w", false, "Pending"),
        ("OnFailure||A B", "A:r B:r", false, "Running"),
        ("OnFailure||A B", "A:s B:s", false, "Succeeded"),
        ("OnFailure||A B", "A:f B:f", false, "Running"),
        ("OnFailure||A B", "A:r B:s", false, "Running"),
        ("OnFailure||A B", "A:w", false, "Pending"),
        ("OnFailure||A B", "A:r B:b", false, "Running"),
        ("Never||A B", "A:r B:r", false, "Running"),
        ("Never||A B", "A:s B:s", false, "Succeeded"),
        ("Never||A B", "A:f B:f", false, "Failed"),
        ("Never||A B", "A:r B:s", false, "Running"),
        ("Never||A B", "A:w B:w", false, "Pending"),
        ("Never||A B", "A:r", false, "Pending"),
        ("Always|i|A B", "", false, "Pending"),
        ("Always|i|A B", "i:r", false, "Pending"),
        ("Always|i|A B", "i:f", false, "Pending"),
        ("Always|i|A B", "i:b", false, "Pending"),
        ("Always|i|A B", "i:w", false, "Pending"),
        ("Always|i|A B", "i:d A:r B:r", false, "Running"),
        ("Never|i|A B", "i:f A:w B:w", false, "Failed"),
        ("Never|i|A B", "i:b A:w B:w", false, "Failed"),
        ("Never|i|A B", "i:d A:w B:w", false, "Pending"),
        ("Always|~s|A B", "", false, "Pending"),
        ("Always|~s|A B", "s:n", false, "Pending"),
        ("Always|~s|A B", "s:r A:r B:r", false, "Running"),
        ("Always|~s|A B", "s:f A:w B:w", false, "Pending"),
        ("Always|~s|A B", "s:r A:f B:f", false, "Running"),
        ("Always|~s|A B", "s:f A:r B:r", false, "Running"),
        ("Never|~s|A B", "s:s A:s B:s", false, "Succeeded"),
        ("Never|~s|A B", "s:f A:s B:s", false, "Succeeded"),
        ("Never|~s|A B", "s:r A:s B:s", false, "Running"),
    ] {
        let phase = phase(&pod(spec), &statuses(words), terminal, false);
        assert_eq!(phase, want, "{spec} {words} {terminal}");
    }
    // Upstream: TestPodPhaseWithContainerRestartPolicy: what a container says of its own restart
    // takes the place of what its pod says.
    for (policy, words, want) in [
        ("Always", "A:f", "Running"),
        ("Always", "A:s", "Running"),
        ("OnFailure", "A:f", "Running"),
        ("OnFailure", "A:s", "Succeeded"),
        ("Never", "A:f", "Failed"),
        ("Never", "A:s", "Succeeded"),
    ] {
        for of_pod in ["Always", "OnFailure", "Never"] {
            let mut pod = pod(&format!("{of_pod}||A"));
            pod.spec.as_mut().expect("a spec").containers[0].restart_policy = Some(policy.into());
            assert_eq!(phase(&pod, &statuses(words), false, false), want, "{of_pod} {policy}");
        }
    }
    let mirrored = phase(&pod("Always||A"), &statuses("A:s"), true, true);
    assert_eq!(mirrored, "Running", "static pods never end");
}
