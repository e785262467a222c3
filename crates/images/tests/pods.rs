//! Pods on a node, with the real images.

mod support;

use api::openapi::api::core::v1::{ConfigMap, ContainerStatus, Pod};
use apiserver::DeleteOptions;
use support::{NGINX, World};

#[test]
fn a_web_server_becomes_ready() {
    let mut world = World::ready();
    world.create(NGINX);
    world.seconds(10);
    assert_eq!(world.phase("web"), "Running");
    for kind in
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
    {
        assert_eq!(world.condition("web", kind).0, "True", "{kind}");
    }
    let status = world.status("web");
    assert_eq!(status.host_ip.as_deref(), Some("172.18.0.3"));
    assert_eq!(status.pod_ip.as_deref(), Some("10.244.1.2"));
    let container = world.container("web", "main");
    assert!(container.ready && container.started == Some(true));
    assert_eq!(container.image, "docker.io/library/nginx:1.14.2");
    assert!(container.image_id.starts_with("docker.io/library/nginx@sha256:"));
    let id = container.container_id.expect("an id");
    assert_eq!(id.strip_prefix("containerd://").map(str::len), Some(64));
    let events = world.events("web");
    assert_eq!(events[0], "Pulling: Pulling image \"nginx:1.14.2\"");
    assert!(events[1].starts_with("Pulled: Successfully pulled image \"nginx:1.14.2\" in "));
    assert!(events[1].ends_with(" including waiting). Image size: 44710204 bytes."));
    assert_eq!(events[2..], ["Created: Container created", "Started: Container started"]);
    assert!(world.log("web").contains("start worker processes"));
}

#[test]
fn a_pod_is_ready_after_few_status_writes() {
    let mut world = World::ready();
    world.create(NGINX);
    let version = |world: &mut World| -> u64 {
        let pod = world.pod("web");
        pod.metadata.resource_version.as_deref().and_then(|v| v.parse().ok()).expect("a number")
    };
    let (mut writes, mut last) = (0, version(&mut world));
    for _ in 0..500 {
        world.run(20);
        let now = version(&mut world);
        writes += u32::from(now != last);
        last = now;
    }
    assert_eq!(world.condition("web", "Ready").0, "True");
    assert!((2..=4).contains(&writes), "{writes} writes");
}

#[test]
fn a_deleted_pod_ends_gracefully_and_goes() {
    let mut world = World::ready();
    world.create(NGINX);
    world.seconds(10);
    world.cluster.api::<Pod>("default").delete("web", DeleteOptions::default()).expect("deleted");
    assert!(world.pod("web").metadata.deletion_timestamp.is_some());
    world.seconds(2);
    assert!(world.cluster.api::<Pod>("default").get("web").is_err());
    assert!(world.events("web").contains(&"Killing: Stopping container main".to_string()));
}

#[test]
fn a_program_that_ignores_the_signal_is_killed_after_its_grace() {
    let mut world = World::ready();
    world.create_script("deaf", "Always", "sleep 3600");
    world.seconds(5);
    world.cluster.api::<Pod>("default").delete("deaf", DeleteOptions::default()).expect("deleted");
    world.seconds(29);
    assert!(world.cluster.api::<Pod>("default").get("deaf").is_ok());
    world.seconds(3);
    assert!(world.cluster.api::<Pod>("default").get("deaf").is_err());
}

#[test]
fn a_program_with_a_trap_ends_when_asked() {
    let mut world = World::ready();
    let script = "trap 'echo bye; exit 0' TERM; echo up; while true; do sleep 1; done";
    world.create_script("polite", "Always", script);
    world.seconds(5);
    assert_eq!(world.log("polite"), "up\n");
    world.cluster.api::<Pod>("default").delete("polite", DeleteOptions::default()).expect("gone");
    world.seconds(3);
    assert!(world.cluster.api::<Pod>("default").get("polite").is_err());
}

#[test]
fn restart_policies_decide_what_becomes_of_a_pod() {
    for (policy, script, phase, restarts) in [
        ("Never", "exit 0", "Succeeded", 0),
        ("Never", "exit 3", "Failed", 0),
        ("OnFailure", "exit 0", "Succeeded", 0),
        ("OnFailure", "exit 3", "Running", 2),
        ("Always", "exit 0", "Running", 2),
    ] {
        let mut world = World::ready();
        world.create_script("job", policy, script);
        world.seconds(25);
        assert_eq!(world.phase("job"), phase, "{policy} {script}");
        assert_eq!(world.container("job", "main").restart_count, restarts, "{policy} {script}");
        if phase != "Running" {
            assert_eq!(world.exit_code("job"), Some(if phase == "Failed" { 3 } else { 0 }));
            assert_eq!(world.condition("job", "PodReadyToStartContainers").0, "False");
        }
    }
}

#[test]
fn a_container_that_keeps_failing_is_restarted_ever_later() {
    let mut world = World::ready();
    world.create_script("crash", "Always", "echo no; sleep 2; exit 1");
    let mut starts = Vec::new();
    let mut count = -1;
    let mut reasons = std::collections::BTreeSet::new();
    for second in 0..400_u64 {
        world.seconds(1);
        let status = world.status("crash").container_statuses.unwrap_or_default();
        let Some(status) = status.first() else { continue };
        if status.container_id.is_some() && status.restart_count != count {
            count = status.restart_count;
            starts.push(second);
        }
        let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
        reasons.extend(waiting.and_then(|waiting| waiting.reason.clone()));
    }
    let gaps: Vec<u64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() >= 5, "{gaps:?}");
    assert!(gaps[0] <= 4, "the first restart comes at once: {gaps:?}");
    for (gap, delay) in gaps[1..].iter().zip([10, 20, 40, 80]) {
        assert!((delay + 2..=delay * 3 / 2 + 5).contains(gap), "{gap} for {delay}: {gaps:?}");
    }
    assert!(reasons.contains("CrashLoopBackOff"), "{reasons:?}");
    let uid = world.pod("crash").metadata.uid.clone().unwrap_or_default();
    let event =
        format!("BackOff: Back-off restarting failed container main in pod crash_default({uid})");
    assert!(world.events("crash").contains(&event));
    let previous = world.kubelet.logs("default", "crash", "main", true).expect("a log");
    assert_eq!(previous.text(), "no\n");
}

#[test]
fn a_missing_tag_ends_in_image_pull_back_off() {
    let mut world = World::ready();
    world.create(&NGINX.replace("1.14.2", "1.161"));
    world.seconds(8);
    let (reason, message) = world.waiting("web");
    assert!(matches!(reason.as_str(), "ErrImagePull" | "ImagePullBackOff"), "{reason}");
    world.seconds(60);
    let name = "docker.io/library/nginx:1.161";
    let detail = format!(
        "rpc error: code = NotFound desc = failed to pull and unpack image \"{name}\": failed to \
         resolve reference \"{name}\": {name}: not found"
    );
    assert!(message.contains(&detail), "{message}");
    assert_eq!(world.phase("web"), "Pending");
    let events = world.events("web");
    for want in [
        format!("Failed: Failed to pull image \"nginx:1.161\": {detail}"),
        "Failed: Error: ErrImagePull".to_string(),
        "BackOff: Back-off pulling image \"nginx:1.161\"".to_string(),
        "Failed: Error: ImagePullBackOff".to_string(),
    ] {
        assert!(events.contains(&want), "{want} in {events:#?}");
    }
}

/// Upstream: image_manager.go, EnsureImageExists: the back-off is that of the pod and the image.
#[test]
fn containers_of_a_pod_wait_together_for_an_image() {
    let mut world = World::ready();
    world.create(
        r#"{"metadata":{"name":"web"},"spec":{"containers":[
        {"name":"main","image":"nginx:1.161"},{"name":"other","image":"nginx:1.161"}]}}"#,
    );
    world.seconds(8);
    let events = world.events("web");
    let count = |words: &str| events.iter().filter(|event| *event == words).count();
    assert_eq!(count("Pulling: Pulling image \"nginx:1.161\""), 1, "{events:#?}");
    assert!(count("BackOff: Back-off pulling image \"nginx:1.161\"") >= 1, "{events:#?}");
}

#[test]
fn images_that_cannot_be_used_say_why() {
    for (image, policy, reason) in [
        ("Nginx", "IfNotPresent", "InvalidImageName"),
        ("nginx", "Never", "ErrImageNeverPull"),
        ("ngnix", "IfNotPresent", "ImagePullBackOff"),
        ("registry.example/team/app:1", "IfNotPresent", "ImagePullBackOff"),
    ] {
        let mut world = World::ready();
        world.create(&format!(
            r#"{{"metadata":{{"name":"bad"}},"spec":{{"containers":[{{"name":"main",
            "image":"{image}","imagePullPolicy":"{policy}"}}]}}}}"#
        ));
        world.seconds(30);
        let reasons = (0..30).map(|_| {
            world.seconds(1);
            world.waiting("bad").0
        });
        assert!(reasons.into_iter().any(|found| found == reason), "{image}");
    }
}

#[test]
fn an_unknown_image_serves_and_an_unknown_command_does_not_start() {
    let mut world = World::ready();
    let pod = |command: &str| {
        format!(
            r#"{{"metadata":{{"name":"{}"}},"spec":{{"containers":[{{"name":"main",
            "image":"ghcr.io/team/app:1"{command}}}]}}}}"#,
            if command.is_empty() { "server" } else { "lost" }
        )
    };
    world.create(&pod(""));
    world.create(&pod(r#","command":["frobnicate"]"#));
    world.seconds(30);
    assert_eq!(world.condition("server", "Ready").0, "True");
    let container = world.container("lost", "main");
    let last = container.last_state.or(container.state).and_then(|state| state.terminated);
    let last = last.expect("an end");
    assert_eq!((last.reason.as_deref(), last.exit_code), (Some("StartError"), 128));
    let message = last.message.unwrap_or_default();
    assert!(message.contains("exec: \"frobnicate\": executable file not found in $PATH"));
}

#[test]
fn init_containers_run_one_after_the_other_and_sidecars_stay() {
    let mut world = World::ready();
    world.create(
        r#"{"metadata":{"name":"app"},"spec":{
        "initContainers":[
          {"name":"one","image":"busybox:1.36","command":["sh","-c","sleep 2; echo one"]},
          {"name":"side","image":"busybox:1.36","restartPolicy":"Always","command":["sleep","1d"]},
          {"name":"two","image":"busybox:1.36","command":["sleep","2"]}],
        "containers":[{"name":"main","image":"nginx:1.14.2"}]}}"#,
    );
    world.run(3500);
    assert_eq!(world.phase("app"), "Pending");
    assert_eq!(
        world.condition("app", "Initialized"),
        ("False".into(), "ContainersNotInitialized".into())
    );
    world.seconds(12);
    assert_eq!(world.phase("app"), "Running");
    assert_eq!(world.condition("app", "Ready").0, "True");
    assert!(world.container("app", "one").ready);
    let end = |status: ContainerStatus| {
        status.state.and_then(|s| s.terminated).and_then(|t| t.finished_at).expect("ended").0
    };
    let begin = |status: ContainerStatus| {
        status.state.and_then(|s| s.running).and_then(|r| r.started_at).expect("running").0
    };
    let one = end(world.container("app", "one"));
    let side = begin(world.container("app", "side"));
    let two = end(world.container("app", "two"));
    let main = begin(world.container("app", "main"));
    assert!(one <= side && side < two && two <= main);
}

#[test]
fn a_failed_init_container_fails_a_pod_that_never_restarts() {
    let mut world = World::ready();
    world.create(
        r#"{"metadata":{"name":"app"},"spec":{"restartPolicy":"Never",
        "initContainers":[{"name":"one","image":"busybox:1.36","command":["false"]}],
        "containers":[{"name":"main","image":"nginx:1.14.2"}]}}"#,
    );
    world.seconds(10);
    assert_eq!(world.phase("app"), "Failed");
    assert_eq!(world.waiting("app").0, "PodInitializing");
}

#[test]
fn a_pod_that_does_not_fit_is_rejected() {
    let mut world = World::ready();
    world.create(
        r#"{"metadata":{"name":"big"},"spec":{"containers":[{"name":"main","image":"nginx:1.14.2",
        "resources":{"requests":{"cpu":"5"}}}]}}"#,
    );
    world.seconds(2);
    let status = world.status("big");
    assert_eq!(status.phase.as_deref(), Some("Failed"));
    assert_eq!(status.reason.as_deref(), Some("OutOfcpu"));
    assert_eq!(
        status.message.as_deref(),
        Some(
            "Pod was rejected: Node didn't have enough resource: cpu, requested: 5000, used: 0, \
             capacity: 4000"
        )
    );
}

#[test]
fn a_missing_config_map_is_waited_for() {
    let mut world = World::ready();
    let pod = |name: &str, more: &str| {
        format!(
            r#"{{"metadata":{{"name":"{name}"}},"spec":{{"containers":[{{"name":"main",
            "image":"busybox:1.36","command":["sh","-c","echo $COLOR; cat /etc/app/color; sleep 1d"],
            {more}}}"#
        )
    };
    world.create(&format!(
        "{}]}}}}",
        pod("env", r#""env":[{"name":"COLOR","valueFrom":{"configMapKeyRef":{"name":"app","key":"color"}}}]"#)
    ));
    world.create(&format!(
        r#"{}],"volumes":[{{"name":"cfg","configMap":{{"name":"app"}}}}]}}}}"#,
        pod("vol", r#""volumeMounts":[{"name":"cfg","mountPath":"/etc/app"}]"#)
    ));
    world.seconds(20);
    let want =
        ("CreateContainerConfigError".to_string(), "configmap \"app\" not found".to_string());
    assert_eq!(world.waiting("env"), want);
    assert_eq!(world.waiting("vol").0, "ContainerCreating");
    let event =
        "FailedMount: MountVolume.SetUp failed for volume \"cfg\" : configmap \"app\" not found";
    assert!(world.events("vol").contains(&event.to_string()), "{:?}", world.events("vol"));
    let map = r#"{"metadata":{"name":"app"},"data":{"color":"blue"}}"#;
    let map: ConfigMap = serde_json::from_str(map).expect("a map");
    world.cluster.api("default").create(map).expect("created");
    world.seconds(40);
    assert!(world.log("env").starts_with("blue\n"));
    assert!(world.log("vol").contains("blue"));
}

#[test]
fn a_readiness_probe_decides_whether_a_pod_is_ready() {
    let mut world = World::ready();
    world.create(
        r#"{"metadata":{"name":"slow"},"spec":{"containers":[{"name":"main","image":"busybox:1.36",
        "command":["sh","-c","sleep 8; touch /tmp/ready; sleep 20; rm /tmp/ready; sleep 1d"],
        "readinessProbe":{"exec":{"command":["cat","/tmp/ready"]},"periodSeconds":2}}]}}"#,
    );
    world.seconds(6);
    assert_eq!(world.phase("slow"), "Running");
    assert_eq!(world.condition("slow", "Ready"), ("False".into(), "ContainersNotReady".into()));
    assert_eq!(world.container("slow", "main").started, Some(true));
    let event = "Unhealthy: Readiness probe failed: cat: can't open '/tmp/ready': No such file or \
                 directory\n";
    assert!(world.events("slow").contains(&event.to_string()), "{:?}", world.events("slow"));
    world.seconds(9);
    assert_eq!(world.condition("slow", "Ready").0, "True");
    world.seconds(25);
    assert_eq!(world.condition("slow", "Ready").0, "False");
    assert_eq!(world.container("slow", "main").restart_count, 0);
}

#[test]
fn a_liveness_probe_restarts_a_container() {
    let mut world = World::ready();
    world.create(
        r#"{"metadata":{"name":"hung"},"spec":{"terminationGracePeriodSeconds":3,"containers":
        [{"name":"main","image":"busybox:1.36",
        "command":["sh","-c","touch /tmp/healthy; sleep 10; rm /tmp/healthy; sleep 600"],
        "livenessProbe":{"exec":{"command":["cat","/tmp/healthy"]},"initialDelaySeconds":5,
        "periodSeconds":5,"failureThreshold":2}}]}}"#,
    );
    world.seconds(35);
    let container = world.container("hung", "main");
    assert_eq!(container.restart_count, 1);
    let last = container.last_state.and_then(|state| state.terminated).expect("an end");
    assert_eq!((last.exit_code, last.reason.as_deref()), (137, Some("Error")));
    let event = "Killing: Container main failed liveness probe, will be restarted".to_string();
    assert!(world.events("hung").contains(&event));
}

#[test]
fn probes_over_the_network_reach_what_listens() {
    for (probe, ready, words) in [
        (r#"{"httpGet":{"path":"/","port":80}}"#, true, ""),
        (r#"{"tcpSocket":{"port":"http"}}"#, true, ""),
        (
            r#"{"httpGet":{"path":"/healthz","port":80}}"#,
            false,
            "HTTP probe failed with statuscode: 404",
        ),
        (
            r#"{"tcpSocket":{"port":8080}}"#,
            false,
            "dial tcp 10.244.1.2:8080: connect: connection refused",
        ),
        (
            r#"{"httpGet":{"path":"/a","port":81}}"#,
            false,
            "Get \"http://10.244.1.2:81/a\": dial tcp 10.244.1.2:81: connect: connection refused",
        ),
    ] {
        let mut world = World::ready();
        world.create(&format!(
            r#"{{"metadata":{{"name":"web"}},"spec":{{"containers":[{{"name":"main",
            "image":"nginx:1.14.2","ports":[{{"name":"http","containerPort":80}}],
            "readinessProbe":{probe}}}]}}}}"#
        ));
        world.seconds(10);
        assert_eq!(world.condition("web", "Ready").0 == "True", ready, "{probe}");
        let event = format!("Unhealthy: Readiness probe failed: {words}");
        assert!(words.is_empty() || world.events("web").contains(&event), "{words}");
    }
}

#[test]
fn a_startup_probe_holds_the_others_back() {
    let mut world = World::ready();
    world.create(
        r#"{"metadata":{"name":"slow"},"spec":{"containers":[{"name":"main","image":"busybox:1.36",
        "command":["sh","-c","sleep 12; touch /tmp/up; sleep 600"],
        "startupProbe":{"exec":{"command":["test","-f","/tmp/up"]},"periodSeconds":5,
        "failureThreshold":6},
        "livenessProbe":{"exec":{"command":["test","-f","/tmp/up"]},"periodSeconds":1,
        "failureThreshold":1}}]}}"#,
    );
    world.seconds(10);
    assert_eq!(world.container("slow", "main").started, Some(false));
    world.seconds(12);
    let container = world.container("slow", "main");
    assert_eq!((container.started, container.restart_count), (Some(true), 0));
    assert_eq!(world.condition("slow", "Ready").0, "True");
}

#[test]
fn a_changed_image_restarts_its_container() {
    let mut world = World::ready();
    world.create(NGINX);
    world.seconds(10);
    let changed = world.cluster.api::<Pod>("default").patch("web", |pod| {
        for container in pod.spec.iter_mut().flat_map(|spec| &mut spec.containers) {
            container.image = Some("nginx:1.16.1".to_string());
        }
    });
    changed.expect("changed");
    world.seconds(10);
    let container = world.container("web", "main");
    assert_eq!(container.restart_count, 1);
    assert_eq!(container.image, "docker.io/library/nginx:1.16.1");
    let event = "Killing: Container main definition changed, will be restarted".to_string();
    assert!(world.events("web").contains(&event));
}

#[test]
fn hooks_run_after_the_start_and_before_the_end() {
    let mut world = World::ready();
    world.create(
        r#"{"metadata":{"name":"hooks"},"spec":{"containers":[{"name":"main","image":"nginx:1.14.2",
        "lifecycle":{"postStart":{"exec":{"command":["sh","-c","echo hello > /message"]}},
        "preStop":{"exec":{"command":["sh","-c","test -f /message && sleep 5"]}}}}]}}"#,
    );
    world.seconds(10);
    assert_eq!(world.condition("hooks", "Ready").0, "True");
    world.cluster.api::<Pod>("default").delete("hooks", DeleteOptions::default()).expect("asked");
    world.seconds(4);
    assert!(world.cluster.api::<Pod>("default").get("hooks").is_ok());
    world.seconds(3);
    assert!(world.cluster.api::<Pod>("default").get("hooks").is_err());
}

#[test]
fn a_failing_hook_kills_its_container() {
    let mut world = World::ready();
    world.create(
        r#"{"metadata":{"name":"hooks"},"spec":{"restartPolicy":"Never",
        "terminationGracePeriodSeconds":2,"containers":[{"name":"main","image":"busybox:1.36",
        "command":["sleep","1d"],"lifecycle":{"postStart":{"exec":{"command":["false"]}}}}]}}"#,
    );
    world.seconds(10);
    assert_eq!(world.phase("hooks"), "Failed");
    let events = world.events("hooks");
    assert!(events.contains(&"FailedPostStartHook: PostStartHook failed".to_string()));
}

/// Upstream: pkg/kubelet/pod_workers.go, calculateEffectiveGracePeriod.
#[test]
fn a_second_deletion_shortens_the_grace() {
    let mut world = World::ready();
    world.create(
        r#"{"metadata":{"name":"slow"},"spec":{"terminationGracePeriodSeconds":300,"containers":[
        {"name":"main","image":"busybox:1.36","command":["sleep","1d"]}]}}"#,
    );
    world.seconds(10);
    let delete = |world: &mut World, seconds: Option<i64>| {
        let options = DeleteOptions { grace_period_seconds: seconds, ..DeleteOptions::default() };
        world.cluster.api::<Pod>("default").delete("slow", options).expect("asked");
    };
    let exists = |world: &mut World| world.cluster.api::<Pod>("default").get("slow").is_ok();
    delete(&mut world, None);
    world.seconds(20);
    assert!(exists(&mut world), "it has 300 seconds");
    delete(&mut world, Some(5));
    world.seconds(4);
    assert!(exists(&mut world), "it has five seconds more");
    world.seconds(3);
    assert!(!exists(&mut world));
}

/// Upstream: pkg/kubelet/kuberuntime/helpers.go, GetBackoffKey: the image is a part of it.
#[test]
fn another_image_does_not_inherit_the_back_off() {
    let mut world = World::ready();
    let pod = r#"{"metadata":{"name":"crash"},"spec":{"containers":[{"name":"main",
        "image":"busybox:1.35","command":["sh","-c","exit 1"]}]}}"#;
    world.create(pod);
    // After the third end it waits for 20 seconds and more.
    world.seconds(25);
    while world.container("crash", "main").restart_count < 2 {
        world.seconds(1);
    }
    world.seconds(5);
    let restarts = |world: &mut World| {
        let statuses = world.status("crash").container_statuses.unwrap_or_default();
        statuses.first().map_or(0, |status| status.restart_count)
    };
    let before = restarts(&mut world);
    let mut changed = Pod::clone(&world.pod("crash"));
    changed.spec.as_mut().expect("a spec").containers[0].image = Some("busybox:1.36".to_string());
    world.cluster.api::<Pod>("default").update(changed).expect("updated");
    world.seconds(8);
    assert_eq!(restarts(&mut world), before + 1, "at once, and then after ten seconds");
}

#[test]
fn a_pod_past_its_deadline_fails() {
    let mut world = World::ready();
    world.create(
        r#"{"metadata":{"name":"late"},"spec":{"activeDeadlineSeconds":20,
        "terminationGracePeriodSeconds":1,"containers":[{"name":"main","image":"busybox:1.36",
        "command":["sleep","1d"]}]}}"#,
    );
    world.seconds(15);
    assert_eq!(world.phase("late"), "Running");
    world.seconds(10);
    let status = world.status("late");
    assert_eq!(status.phase.as_deref(), Some("Failed"));
    assert_eq!(status.reason.as_deref(), Some("DeadlineExceeded"));
}

#[test]
fn a_container_that_must_not_run_as_root_says_so() {
    let mut world = World::ready();
    world.create(
        r#"{"metadata":{"name":"root"},"spec":{"securityContext":{"runAsNonRoot":true},
        "containers":[{"name":"main","image":"nginx:1.14.2"}]}}"#,
    );
    world.seconds(8);
    let uid = world.pod("root").metadata.uid.clone().unwrap_or_default();
    let message = format!(
        "container has runAsNonRoot and image will run as root (pod: \"root_default({uid})\", \
         container: main)"
    );
    assert_eq!(world.waiting("root"), ("CreateContainerConfigError".to_string(), message));
}

#[test]
fn containers_of_a_pod_share_its_volumes() {
    let mut world = World::ready();
    world.create(
        r#"{"metadata":{"name":"logs"},"spec":{"volumes":[{"name":"data","emptyDir":{}}],
        "initContainers":[{"name":"ship","image":"busybox:1.36","restartPolicy":"Always",
          "command":["sh","-c","tail -F /opt/logs.txt"],
          "volumeMounts":[{"name":"data","mountPath":"/opt"}]}],
        "containers":[{"name":"main","image":"busybox:1.36",
          "command":["sh","-c","while true; do echo line >> /var/log/logs.txt; sleep 1; done"],
          "volumeMounts":[{"name":"data","mountPath":"/var/log"}]}]}}"#,
    );
    world.seconds(15);
    assert_eq!(world.condition("logs", "Ready").0, "True");
    let log = world.kubelet.logs("default", "logs", "ship", false).expect("a log").text();
    assert!(log.matches("line\n").count() >= 5, "{log}");
}
