//! Upstream's tables of what is to be done for a pod:
//! pkg/kubelet/kuberuntime/kuberuntime_manager_test.go.

use std::sync::Arc;

use network::NamespaceId;
use runtime::{Environment, Files, Image, Signal};
use sim::Time;

use super::*;
use crate::container::{Blueprint, Exit, Instance};
use crate::pod_worker::Sandbox;
use crate::prober::{ProbeKind, ProbeState};

fn image() -> Image {
    Image {
        repository: "busybox".to_string(),
        tag: "latest".to_string(),
        digest: "sha256:0".to_string(),
        size_bytes: 0,
        entrypoint: Vec::new(),
        command: Vec::new(),
        variables: Vec::new(),
        stop_signal: Signal::Term,
        user: 0,
        files: &[],
    }
}

/// A pod of a restart policy, with init containers (sidecars begin with `~`) and three regular
/// containers `a`, `b` and `c`.
fn pod(policy: &str, init: &str) -> Pod {
    let probe = r#""startupProbe":{"exec":{}},"livenessProbe":{"exec":{}}"#;
    let init = init.split_ascii_whitespace().map(|name| match name.strip_prefix('~') {
        Some(name) => {
            format!(r#"{{"name":"{name}","image":"i","restartPolicy":"Always",{probe}}}"#)
        }
        None => format!(r#"{{"name":"{name}","image":"i"}}"#),
    });
    let init = init.collect::<Vec<_>>().join(",");
    let main = ["a", "b", "c"].map(|name| format!(r#"{{"name":"{name}","image":"i",{probe}}}"#));
    let manifest = format!(
        r#"{{"spec":{{"restartPolicy":"{policy}","initContainers":[{init}],
        "containers":[{}]}}}}"#,
        main.join(",")
    );
    serde_json::from_str(&manifest).expect("a pod")
}

/// A worker whose containers are as the words say, in order: `-` was never made, `c` was created
/// and not started, `r` runs and has started up, `p` runs and its startup probe has found nothing
/// yet, `u` runs and has failed it, `l` runs and has failed its liveness probe, `d` runs with
/// another image than asked for, and a number is the exit code of one that has ended.
fn worker(pod: Pod, sandbox: bool, words: &str) -> PodWorker {
    let mut worker = PodWorker::new(Arc::new(pod), false, Time::ZERO);
    let home = Sandbox { id: "here".to_string(), namespace: NamespaceId::HOST };
    worker.sandbox = sandbox.then(|| home.clone());
    let pod = worker.pod.clone();
    let all = containers(&pod).zip(words.split_ascii_whitespace());
    for (record, ((_, container), word)) in worker.containers.iter_mut().zip(all) {
        if word == "-" {
            continue;
        }
        let blueprint = Blueprint {
            id: container.name.clone(),
            sandbox: home.clone(),
            attempt: 0,
            image: Arc::new(image()),
            image_name: "i".to_string(),
            environment: Environment::default(),
            files: Files::new(),
            memory: 0,
        };
        let mut instance = Instance::create(blueprint, container, Time::ZERO);
        instance.started = (word != "c").then_some(Time::ZERO);
        instance.exit = word.parse().ok().map(|code| Exit {
            code,
            reason: "",
            message: String::new(),
            time: Time::ZERO,
        });
        if word == "d" {
            instance.requested_image = "another".to_string();
        }
        record.current = Some(instance);
        let found = |result| ProbeState::found(&container.name, result);
        match word {
            "p" => {}
            "u" => record.probes[ProbeKind::Startup as usize] = found(false),
            _ => record.probes[ProbeKind::Startup as usize] = found(true),
        }
        if word == "l" {
            record.probes[ProbeKind::Liveness as usize] = found(false);
        }
    }
    worker
}

/// The actions in words: `sandbox`, `pod` for the end of the pod, what is stopped and started.
fn words(actions: &PodActions) -> String {
    let mut words = Vec::new();
    words.extend(actions.create_sandbox.then(|| "sandbox".to_string()));
    words.extend(actions.kill_pod.then(|| "end".to_string()));
    words.extend(actions.kill.iter().map(|kill| format!("-{}", kill.place)));
    words.extend(actions.start.iter().map(|place| format!("+{place}")));
    words.join(" ")
}

/// Upstream: TestComputePodActions.
#[test]
fn what_a_pod_of_regular_containers_needs() {
    for (policy, sandbox, states, want) in [
        ("Always", true, "r r r", ""),
        ("Always", false, "- - -", "sandbox +0 +1 +2"),
        ("Always", true, "0 111 r", "+0 +1"),
        ("OnFailure", true, "0 111 r", "+1"),
        ("Never", true, "0 111 r", ""),
        ("Always", false, "255 255 255", "sandbox +0 +1 +2"),
        ("OnFailure", false, "0 111 0", "sandbox +1"),
        ("Never", false, "255 255 255", "end"),
        ("OnFailure", false, "0 0 0", "end"),
        ("Never", false, "- - -", "sandbox +0 +1 +2"),
        ("Never", false, "0 - -", "end"),
        ("Always", true, "r d r", "-1 +1"),
        ("Never", true, "r d r", "-1 +1"),
        ("Always", true, "r l r", "-1 +1"),
        ("Always", true, "r u r", "-1 +1"),
        ("Always", true, "r p r", ""),
        ("Never", true, "r l r", "-1"),
        ("Never", true, "0 l 0", "end"),
        ("Never", true, "0 0 0", "end"),
        ("OnFailure", true, "0 0 0", "end"),
        ("Always", true, "c r r", "+0"),
    ] {
        let actions = compute(&worker(pod(policy, ""), sandbox, states));
        assert_eq!(words(&actions), want, "{policy} {sandbox} {states}");
    }
}

/// Upstream: TestComputePodActionsWithContainerRestartRules.
#[test]
fn containers_have_their_own_policies() {
    for (of_pod, own, sandbox, states, want) in [
        ("Never", "Always", true, "0 r r", "+0"),
        ("Never", "Always", true, "l r r", "-0 +0"),
        ("Always", "Never", true, "1 r r", ""),
        ("Always", "Never", true, "l r r", "-0"),
        ("Always", "OnFailure", true, "0 r r", ""),
        ("Always", "OnFailure", true, "1 r r", "+0"),
        ("Always", "OnFailure", false, "0 1 1", "sandbox +1 +2"),
        ("Always", "Never", false, "0 1 1", "sandbox +0 +1 +2"),
        ("Never", "Always", false, "0 1 1", "end"),
    ] {
        let mut pod = pod(of_pod, "");
        let first = &mut pod.spec.as_mut().expect("a spec").containers[0];
        first.restart_policy = Some(own.to_string());
        let actions = compute(&worker(pod, sandbox, states));
        assert_eq!(words(&actions), want, "{of_pod} {own} {sandbox} {states}");
    }
}

/// Upstream: TestComputePodActionsWithInitContainers.
#[test]
fn init_containers_run_one_after_the_other() {
    for (policy, sandbox, states, want) in [
        ("Always", true, "0 0 0 - - -", "+3 +4 +5"),
        ("Always", true, "- - - - - -", "+0"),
        ("Always", true, "0 0 r - - -", ""),
        ("Always", true, "0 - - - - -", "+1"),
        ("Always", false, "0 0 r - - -", "sandbox +0"),
        ("Always", true, "0 0 137 - - -", "+2"),
        ("OnFailure", true, "0 0 137 - - -", "+2"),
        ("Never", true, "0 0 137 - - -", "end"),
        ("Never", false, "0 0 137 - - -", "end"),
        ("Never", false, "- - - - - -", "sandbox +0"),
        ("OnFailure", false, "0 0 137 - - -", "sandbox +0"),
        ("Always", true, "- - r - - -", ""),
        ("Always", true, "0 0 c - - -", "+2"),
        ("Always", true, "- - 0 r r r", ""),
        ("Always", true, "- - - r 1 r", "+4"),
        ("OnFailure", true, "0 0 0 1 1 1", "+3 +4 +5"),
    ] {
        let actions = compute(&worker(pod(policy, "i1 i2 i3"), sandbox, states));
        assert_eq!(words(&actions), want, "{policy} {sandbox} {states}");
    }
}

/// Upstream: TestComputePodActionsWithRestartableInitContainers.
#[test]
fn sidecars_start_in_order_and_are_kept_running() {
    for (policy, states, want) in [
        ("Always", "r r r - - -", "+3 +4 +5"),
        ("Always", "- - - - - -", "+0"),
        ("Always", "p - - - - -", ""),
        ("Always", "r - - - - -", "+1"),
        ("Always", "r r p - - -", ""),
        ("Always", "u - - - - -", "-0 +0"),
        ("Always", "l - - - - -", "-0 +0 +1"),
        ("Always", "r r l r r r", "-2 +2"),
        ("Always", "r 0 r r r r", "+1"),
        ("Always", "- r r r r r", "+0"),
        ("Always", "0 137 r - - -", "+0 +1 +3 +4 +5"),
        ("Always", "r r 1 - - -", "+2"),
        ("Never", "r r 1 - - -", "+2"),
        ("OnFailure", "0 0 0 r r r", "+0 +1 +2"),
        ("Never", "0 r r 0 0 0", "end"),
        ("OnFailure", "0 r r 0 0 0", "end"),
        ("Always", "r r d r r r", "-2 +2"),
        ("Always", "r r c - - -", "+2"),
    ] {
        let actions = compute(&worker(pod(policy, "~s1 ~s2 ~s3"), true, states));
        assert_eq!(words(&actions), want, "{policy} {states}");
    }
}

/// Upstream: kuberuntime_manager.go and kuberuntime_container.go, the messages of
/// containerToKillInfo; kuberuntime_container.go, setTerminationGracePeriod.
#[test]
fn what_is_stopped_says_why_and_how_long_it_may_take() {
    for (policy, init, states, want) in [
        ("Always", "", "l r r", "Container a failed liveness probe, will be restarted"),
        ("Always", "", "u r r", "Container a failed startup probe, will be restarted"),
        ("Never", "", "l r r", "Container a failed liveness probe"),
        ("Never", "", "d r r", "Container a definition changed, will be restarted"),
        ("Always", "~s", "l r r r", "Init container s failed liveness probe"),
        ("Always", "~s", "u - - -", "Init container s failed startup probe"),
        ("Always", "~s", "d r r r", "Init container s definition changed"),
    ] {
        let mut pod = pod(policy, init);
        let spec = pod.spec.as_mut().expect("a spec");
        for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten())
        {
            for probe in [&mut container.liveness_probe, &mut container.startup_probe] {
                let probe = probe.as_mut();
                probe.into_iter().for_each(|p| p.termination_grace_period_seconds = Some(7));
            }
        }
        let actions = compute(&worker(pod, true, states));
        let kill = actions.kill.first().expect("something to stop");
        assert_eq!(kill.message, want);
        let of_probe = !want.contains("definition");
        assert_eq!(kill.grace, of_probe.then_some(Duration::from_secs(7)), "{want}");
    }
}

/// Upstream: pkg/kubelet/container/helpers_test.go, TestShouldContainerBeRestarted;
/// pkg/api/v1/pod/util_test.go, TestContainerShouldRestart.
#[test]
fn the_container_then_its_pod_say_whether_it_is_restarted() {
    let rule = |operator: &str, code: i32, action: &str| {
        format!(
            r#"{{"action":"{action}","exitCodes":{{"operator":"{operator}","values":[{code}]}}}}"#
        )
    };
    let own = |policy: &str, rules: &[String]| {
        format!(r#","restartPolicy":"{policy}","restartPolicyRules":[{}]"#, rules.join(","))
    };
    for (policy, own, state, want) in [
        ("Never", String::new(), "-", true),
        ("Never", String::new(), "r", false),
        ("Always", String::new(), "0", true),
        ("Always", String::new(), "1", true),
        ("OnFailure", String::new(), "0", false),
        ("OnFailure", String::new(), "1", true),
        ("Never", String::new(), "0", false),
        ("Never", String::new(), "1", false),
        ("Never", own("Always", &[]), "0", true),
        ("Always", own("Never", &[]), "1", false),
        ("Always", own("OnFailure", &[]), "0", false),
        ("Never", own("Never", &[rule("In", 42, "Restart")]), "42", true),
        ("Never", own("Never", &[rule("In", 42, "Restart")]), "43", false),
        ("Never", own("Never", &[rule("NotIn", 42, "Restart")]), "43", true),
        (
            "Never",
            own("Never", &[rule("In", 42, "RestartAllContainers"), rule("In", 42, "Restart")]),
            "42",
            false,
        ),
    ] {
        let manifest = format!(
            r#"{{"spec":{{"restartPolicy":"{policy}","containers":[{{"name":"a"{own}}}]}}}}"#
        );
        let pod: Pod = serde_json::from_str(&manifest).expect("a pod");
        let mut worker = worker(pod, true, state);
        let restarted = |worker: &PodWorker| {
            let (_, container) = containers(&worker.pod).next().expect("a container");
            should_be_restarted(&worker.pod, container, &worker.containers[0])
        };
        assert_eq!(restarted(&worker), want, "{policy} {own} {state}");
        let deleted = &mut Arc::make_mut(&mut worker.pod).metadata.deletion_timestamp;
        let now = api::openapi::apimachinery::pkg::apis::meta::v1::Time(
            sim::Clock::new(0).timestamp(Time::ZERO),
        );
        *deleted = Some(now);
        assert!(!restarted(&worker), "a pod that is deleted restarts nothing");
    }
}
