//! Probes, hooks and volumes of pods in a whole cluster.

mod support;

use api::openapi::api::core::v1::Event;
use api::{KindId, Object};
use cluster::Cluster;
use sim::Duration;
use support::{apply, booted, delete, events, log, pod};
use trace::What;

/// A pod `app` with one container; `more` are further lines of the container.
fn create(cluster: &mut Cluster, image: &str, command: &str, more: &str) {
    let command = match command {
        "" => String::new(),
        script => format!("    command: [sh, -c, {script:?}]\n"),
    };
    apply(
        cluster,
        &format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: app}}\nspec:\n  containers:\n  \
             - name: main\n    image: {image}\n{command}{more}"
        ),
    );
}

fn messages(cluster: &Cluster) -> Vec<String> {
    events(cluster).into_iter().map(|(_, message)| message).collect()
}

/// Upstream: pkg/probe/exec/exec.go, pkg/probe/http/http.go, pkg/probe/tcp/tcp.go and
/// pkg/probe/grpc/grpc.go, with the words of Go's net and net/http.
#[test]
fn probes_that_are_not_answered_in_time_say_so() {
    for (image, probe, words) in [
        (
            "busybox:1.37",
            "exec: {command: [sleep, '30']}",
            "Readiness probe failed: command timed out: \"sleep 30\" timed out after 2s",
        ),
        (
            "nginx:1.29",
            "tcpSocket: {host: 172.18.0.99, port: 80}",
            "Readiness probe failed: dial tcp 172.18.0.99:80: i/o timeout",
        ),
        (
            "nginx:1.29",
            "httpGet: {host: 172.18.0.99, port: 80, path: /x}",
            "Readiness probe failed: Get \"http://172.18.0.99:80/x\": context deadline exceeded \
             (Client.Timeout exceeded while awaiting headers)",
        ),
        (
            "nginx:1.29",
            "grpc: {port: 9000}",
            "Readiness probe failed: timeout: failed to connect service \"IP:9000\" within 2s: \
             context deadline exceeded",
        ),
    ] {
        let mut cluster = booted();
        let command = if image.starts_with("busybox") { "sleep 1d" } else { "" };
        let more = format!("    readinessProbe: {{timeoutSeconds: 2, {probe}}}\n");
        create(&mut cluster, image, command, &more);
        cluster.run(Duration::from_secs(20));
        let address = pod(&cluster).and_then(|pod| pod.status?.pod_ip).expect("an address");
        let words = words.replace("IP", &address);
        assert!(messages(&cluster).contains(&words), "{words}: {:?}", messages(&cluster));
        let failed = |what: &What| matches!(what, What::Probe { success: false, .. });
        assert!(cluster.trace().records().any(|record| failed(&record.what)));
    }
}

/// Upstream: pkg/kubelet/prober/worker.go: readiness is asked for until the end, the others not.
#[test]
fn a_pod_that_ends_is_asked_whether_it_is_ready_and_not_killed_by_its_liveness() {
    let mut cluster = booted();
    let script = "trap 'rm /tmp/up' TERM; touch /tmp/up; while true; do sleep 1; done";
    let probes = "    readinessProbe: {periodSeconds: 1, failureThreshold: 1, exec: {command: \
                  [cat, /tmp/up]}}\n    livenessProbe: {periodSeconds: 1, failureThreshold: 1, \
                  exec: {command: [cat, /tmp/up]}}\n";
    create(&mut cluster, "busybox:1.37", script, probes);
    cluster.run(Duration::from_secs(15));
    let ready = |cluster: &Cluster| {
        let status = pod(cluster).and_then(|pod| pod.status).unwrap_or_default();
        status.conditions.iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True")
    };
    assert!(ready(&cluster));
    delete(&mut cluster);
    cluster.run(Duration::from_secs(10));
    assert!(pod(&cluster).is_some() && !ready(&cluster), "it ends, and is not ready");
    let liveness = |message: &String| message.starts_with("Liveness probe failed");
    assert!(!messages(&cluster).iter().any(liveness), "{:?}", messages(&cluster));
    cluster.run(Duration::from_secs(25));
    assert!(pod(&cluster).is_none(), "killed when its grace was over");
}

/// Upstream: kuberuntime_container.go, killContainer: the hook's time counts, and the program
/// has two seconds after it.
#[test]
fn the_hook_before_the_end_is_a_process_and_the_signal_waits_for_it() {
    let mut cluster = booted();
    let script = "trap 'echo asked to end; exit 0' TERM; while true; do sleep 1; done";
    let hook =
        "    lifecycle: {preStop: {exec: {command: [sh, -c, 'sleep 5; echo bye > /tmp/x']}}}\n";
    create(&mut cluster, "busybox:1.37", script, hook);
    cluster.run(Duration::from_secs(10));
    delete(&mut cluster);
    cluster.run(Duration::from_secs(4));
    assert!(!log(&cluster).contains("asked to end"), "the hook is under way");
    cluster.run(Duration::from_secs(4));
    assert!(pod(&cluster).is_none(), "it ended soon after the hook");
}

/// Upstream: kubernetes.io/docs, mounted ConfigMaps are updated automatically, within the sync
/// period of the kubelet.
#[test]
fn a_changed_config_map_arrives_in_its_volume_after_the_sync_period() {
    let mut cluster = booted();
    let map = |color: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{color: {color}}}\n"
        )
    };
    apply(&mut cluster, &map("blue"));
    let script = "while true; do cat /etc/c/color; echo; sleep 10; done";
    let more = "    volumeMounts: [{name: c, mountPath: /etc/c}]\n  volumes: [{name: c, configMap: \
                {name: c}}]\n";
    create(&mut cluster, "busybox:1.37", script, more);
    cluster.run(Duration::from_secs(15));
    apply(&mut cluster, &map("green"));
    cluster.run(Duration::from_secs(20));
    assert!(log(&cluster).contains("blue") && !log(&cluster).contains("green"));
    cluster.run(Duration::from_secs(90));
    assert!(log(&cluster).contains("green"), "{}", log(&cluster));
}

/// Upstream: kubernetes.io/docs, a container that uses a ConfigMap as a `subPath` volume mount does
/// not receive its updates; it does when it is started again.
#[test]
fn what_is_mounted_by_a_sub_path_stays_as_it_was() {
    let mut cluster = booted();
    let map = |color: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{color: {color}}}\n"
        )
    };
    apply(&mut cluster, &map("blue"));
    let script = "echo begin $(cat /one); while ! grep -q green /etc/c/color; do sleep 5; done; \
                  echo end $(cat /etc/c/color) $(cat /one); sleep 5; exit 1";
    let more = "    volumeMounts: [{name: c, mountPath: /etc/c}, {name: c, mountPath: /one, subPath: \
                color}]\n  volumes: [{name: c, configMap: {name: c}}]\n";
    create(&mut cluster, "busybox:1.37", script, more);
    cluster.run(Duration::from_secs(10));
    apply(&mut cluster, &map("green"));
    let mut all = String::new();
    for _ in 0..40 {
        cluster.run(Duration::from_secs(3));
        all.push_str(&log(&cluster));
    }
    assert!(all.contains("end green blue"), "{all}");
    assert!(all.contains("begin green"), "{all}");
}

/// Upstream: pkg/volume/hostpath/host_path.go, checkTypeInternal.
#[test]
fn a_host_path_must_be_what_its_type_says_and_is_shared_by_pods() {
    let mut cluster = booted();
    let more = "    volumeMounts: [{name: h, mountPath: /h}]\n  nodeName: node-1\n  volumes: [{name: \
                h, hostPath: {path: /data/none, type: Directory}}]\n";
    create(&mut cluster, "busybox:1.37", "sleep 1d", more);
    cluster.run(Duration::from_secs(5));
    let words = "MountVolume.SetUp failed for volume \"h\" : hostPath type check failed: \
                 /data/none is not a directory";
    assert!(messages(&cluster).contains(&words.to_string()), "{:?}", messages(&cluster));
    let other = "apiVersion: v1\nkind: Pod\nmetadata: {name: writer}\nspec:\n  nodeName: node-1\n  \
                 restartPolicy: Never\n  containers:\n  - name: main\n    image: busybox:1.37\n    \
                 command: [sh, -c, 'echo x > /h/none/file']\n    volumeMounts: [{name: h, \
                 mountPath: /h}]\n  volumes: [{name: h, hostPath: {path: /data, type: \
                 DirectoryOrCreate}}]\n";
    apply(&mut cluster, other);
    cluster.run(Duration::from_secs(130));
    let phase = pod(&cluster).and_then(|pod| pod.status?.phase);
    assert_eq!(phase.as_deref(), Some("Running"), "the other pod made the directory");
}

/// Upstream: pkg/volume/{configmap,secret,projected}, MakePayload and collectData;
/// pkg/util/goroutinemap/exponentialbackoff, from half a second and doubled.
#[test]
fn a_volume_that_cannot_be_made_says_why_and_is_tried_ever_later() {
    let objects = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {key: value}\n---\n\
                   apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: value}\n";
    for (volume, words) in [
        ("configMap: {name: none}", Some("configmap \"none\" not found")),
        ("secret: {secretName: none}", Some("secret \"none\" not found")),
        (
            "configMap: {name: c, items: [{key: nope, path: x}]}",
            Some("configmap references non-existent config key: nope"),
        ),
        (
            "secret: {secretName: s, items: [{key: nope, path: x}]}",
            Some("references non-existent secret key: nope"),
        ),
        (
            "projected: {sources: [{configMap: {name: none}}, {secret: {name: none}}]}",
            Some("[configmap \"none\" not found, secret \"none\" not found]"),
        ),
        ("configMap: {name: none, optional: true}", None),
        ("secret: {secretName: s, optional: true, items: [{key: nope, path: x}]}", None),
        (
            "projected: {sources: [{configMap: {name: none, optional: true}}, {secret: {name: s}}]}",
            None,
        ),
    ] {
        let mut cluster = booted();
        apply(&mut cluster, objects);
        let more = format!(
            "    volumeMounts: [{{name: v, mountPath: /v}}]\n  volumes: [{{name: v, {volume}}}]\n"
        );
        create(&mut cluster, "busybox:1.37", "sleep 1d", &more);
        cluster.run(Duration::from_secs(10));
        let phase = pod(&cluster).and_then(|pod| pod.status?.phase);
        let Some(words) = words else {
            assert_eq!(phase.as_deref(), Some("Running"), "{volume}");
            continue;
        };
        assert_eq!(phase.as_deref(), Some("Pending"), "{volume}");
        let words = format!("MountVolume.SetUp failed for volume \"v\" : {words}");
        let snapshot = cluster.snapshot(KindId::EVENT);
        let mut events = snapshot.in_namespace("default").filter_map(Object::get::<Event>);
        let event = events.find(|event| event.message.as_deref() == Some(&words));
        let count = event.and_then(|event| event.count).expect("an event");
        assert!((4..=5).contains(&count), "{volume}: after 0, 0.5, 1.5, 3.5, 7.5 seconds: {count}");
    }
}
