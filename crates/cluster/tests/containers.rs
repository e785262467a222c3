//! What becomes of containers in a whole cluster: memory, hooks, ends, what they are told.

mod support;

use api::openapi::api::core::v1::ContainerStatus;
use cluster::Cluster;
use sim::Duration;
use support::{apply, booted, delete, events, log, pod};

/// A pod `app`; `spec` are the lines of its specification.
fn create(cluster: &mut Cluster, spec: &str) {
    let head = "apiVersion: v1\nkind: Pod\nmetadata: {name: app, labels: {tier: web}}\nspec:\n";
    apply(cluster, &format!("{head}{spec}"));
}

fn happened(cluster: &Cluster, reason: &str, message: &str) -> bool {
    events(cluster).iter().any(|(r, m)| r == reason && m == message)
}

fn container(cluster: &Cluster, name: &str) -> ContainerStatus {
    let status = pod(cluster).and_then(|pod| pod.status).unwrap_or_default();
    let all = status.container_statuses.iter().chain(&status.init_container_statuses);
    all.flatten().find(|status| status.name == name).cloned().expect("a container's status")
}

/// A pod of which the container takes so much memory.
fn take_memory(cluster: &mut Cluster, taken: &str, resources: &str) {
    let spec = format!(
        "  containers:\n  - name: main\n    image: polinux/stress\n    command: [stress]\n    \
         args: [--vm, '1', --vm-bytes, {taken}, --vm-hang, '1']\n    resources: {resources}\n"
    );
    create(cluster, &spec);
}

/// Upstream: kubernetes.io/docs/tasks/configure-pod-container/assign-memory-resource, "Exceed a
/// Container's memory limit".
#[test]
fn a_container_that_takes_more_memory_than_it_may_is_killed_and_started_again() {
    let mut cluster = booted();
    take_memory(&mut cluster, "250M", "{requests: {memory: 50Mi}, limits: {memory: 100Mi}}");
    cluster.run(Duration::from_secs(20));
    let status = container(&cluster, "main");
    let states = [&status.state, &status.last_state];
    let ended = states.into_iter().flatten().find_map(|state| state.terminated.as_ref());
    let ended = ended.expect("it has ended");
    assert_eq!((ended.exit_code, ended.reason.as_deref()), (137, Some("OOMKilled")));
    assert!(status.restart_count >= 1, "{status:?}");
}

#[test]
fn a_container_that_takes_less_memory_than_it_may_goes_on() {
    let mut cluster = booted();
    take_memory(&mut cluster, "150M", "{requests: {memory: 100Mi}, limits: {memory: 200Mi}}");
    cluster.run(Duration::from_secs(60));
    let status = container(&cluster, "main");
    assert!(status.ready && status.restart_count == 0, "{status:?}");
}

/// Upstream: kuberuntime_container.go, startContainer and killContainer; lifecycle/handlers.go.
#[test]
fn a_container_whose_first_hook_fails_is_ended_as_any_other() {
    let mut cluster = booted();
    create(
        &mut cluster,
        "  terminationGracePeriodSeconds: 4\n  containers:\n  - name: main\n    image: \
         busybox:1.37\n    command: [sh, -c, 'trap \"\" TERM; while true; do sleep 1; done']\n    \
         lifecycle: {postStart: {exec: {command: [sh, -c, 'echo no >&2; exit 3']}}, preStop: \
         {exec: {command: [sleep, '1']}}}\n",
    );
    cluster.run(Duration::from_secs(6));
    assert!(happened(&cluster, "FailedPostStartHook", "PostStartHook failed"));
    assert!(happened(&cluster, "Killing", "FailedPostStartHook"), "{:?}", events(&cluster));
    cluster.run(Duration::from_secs(4));
    let status = container(&cluster, "main");
    let waiting = status.state.and_then(|state| state.waiting).expect("it waits");
    assert_eq!(waiting.reason.as_deref(), Some("PostStartHookError"));
    let uid = pod(&cluster).and_then(|pod| pod.metadata.uid).expect("a pod");
    assert_eq!(
        waiting.message.as_deref(),
        Some(&*format!(
            "Exec lifecycle hook ([sh -c echo no >&2; exit 3]) for Container \"main\" in Pod \
             \"app_default({uid})\" failed - error: command 'sh -c echo no >&2; exit 3' exited \
             with 3: no\n, message: \"no\\n\""
        ))
    );
    let ended = status.last_state.and_then(|state| state.terminated).expect("it was killed");
    let (began, finished) =
        (ended.started_at.expect("a start"), ended.finished_at.expect("an end"));
    let span = finished.0.as_second() - began.0.as_second();
    assert_eq!((ended.exit_code, span), (137, 4), "the hook's second is a part of the grace");
}

/// Upstream: kuberuntime_container.go, executePreStopHook: a hook that takes the whole grace
/// leaves two seconds, and ends with its container.
#[test]
fn a_hook_that_does_not_end_in_time_fails_when_its_container_is_killed() {
    let mut cluster = booted();
    create(
        &mut cluster,
        "  terminationGracePeriodSeconds: 5\n  containers:\n  - name: main\n    image: \
         busybox:1.37\n    command: [sh, -c, 'trap \"\" TERM; while true; do sleep 1; done']\n    \
         lifecycle: {preStop: {exec: {command: [sleep, '100']}}}\n",
    );
    cluster.run(Duration::from_secs(10));
    delete(&mut cluster);
    cluster.run(Duration::from_secs(6));
    assert!(!happened(&cluster, "FailedPreStopHook", "PreStopHook failed"));
    assert!(pod(&cluster).is_some(), "two seconds after the hook's time");
    cluster.run(Duration::from_secs(2));
    assert!(happened(&cluster, "FailedPreStopHook", "PreStopHook failed"));
    assert!(pod(&cluster).is_none());
}

/// Upstream: pkg/kubelet/prober/worker.go and prober_manager.go: the period goes on from when
/// the kubelet first saw the pod, and readiness is asked for at once when the container runs.
#[test]
fn readiness_is_asked_for_at_once_and_liveness_when_its_period_ends() {
    let mut cluster = booted();
    create(
        &mut cluster,
        "  containers:\n  - name: main\n    image: busybox:1.37\n    command: [sh, -c, 'touch \
         /tmp/live; while true; do sleep 1; done']\n    readinessProbe: {periodSeconds: 30, exec: \
         {command: [sh, -c, 'date +%s >> /tmp/ready']}}\n    livenessProbe: {periodSeconds: 30, \
         failureThreshold: 1, exec: {command: [sh, -c, 'exit 1']}}\n",
    );
    cluster.run(Duration::from_secs(12));
    let status = container(&cluster, "main");
    assert!(status.ready, "asked long before the period of 30 seconds ended");
    assert_eq!(status.restart_count, 0, "the first period of the other has not ended");
    cluster.run(Duration::from_secs(60));
    assert!(
        happened(&cluster, "Killing", "Container main failed liveness probe, will be restarted"),
        "{:?}",
        events(&cluster)
    );
}

/// Upstream: pkg/volume/downwardapi, CollectData; pkg/kubelet/container/helpers.go,
/// ExpandContainerVolumeMounts.
#[test]
fn a_pod_reads_its_own_fields_resources_and_path() {
    let mut cluster = booted();
    create(
        &mut cluster,
        "  containers:\n  - name: main\n    image: busybox:1.37\n    command: [sh, -c, 'cat \
         /etc/info/tier /etc/info/cpu /etc/info/memory; echo; cat /one/file; echo $LIMIT']\n    \
         env: [{name: LIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: \
         1Mi}}}, {name: DIR, value: tier}]\n    resources: {limits: {cpu: 1500m, memory: 64Mi}}\n\
         \x20   volumeMounts: [{name: info, mountPath: /etc/info}, {name: info, mountPath: \
         /one/file, subPathExpr: $(DIR)}]\n  restartPolicy: Never\n  volumes:\n  - name: info\n    \
         downwardAPI: {items: [{path: tier, fieldRef: {fieldPath: \"metadata.labels['tier']\"}}, \
         {path: cpu, resourceFieldRef: {containerName: main, resource: limits.cpu, divisor: 1m}}, \
         {path: memory, resourceFieldRef: {containerName: main, resource: limits.memory}}]}\n",
    );
    cluster.run(Duration::from_secs(10));
    assert_eq!(log(&cluster), "web150067108864\nweb64\n");
}

#[test]
fn a_path_within_a_volume_that_names_nothing_keeps_the_container_from_being_made() {
    let mut cluster = booted();
    create(
        &mut cluster,
        "  containers:\n  - name: main\n    image: busybox:1.37\n    command: [sleep, 1d]\n    \
         volumeMounts: [{name: data, mountPath: /data, subPathExpr: $(NOPE)/x}]\n  volumes: \
         [{name: data, emptyDir: {}}]\n",
    );
    cluster.run(Duration::from_secs(10));
    let waiting = container(&cluster, "main").state.and_then(|state| state.waiting);
    let waiting = waiting.expect("it waits");
    assert_eq!(waiting.reason.as_deref(), Some("CreateContainerConfigError"));
    assert_eq!(waiting.message.as_deref(), Some("missing value for \"NOPE\""));
}

/// Upstream: eviction_manager.go, emptyDirLimitEviction and evictPod.
#[test]
fn a_volume_that_holds_more_than_it_may_has_its_pod_evicted() {
    let mut cluster = booted();
    create(
        &mut cluster,
        "  containers:\n  - name: main\n    image: busybox:1.37\n    command: [sh, -c, 'for i in 1 \
         2 3 4 5 6 7 8 9; do echo 0123456789 >> /cache/x; done; sleep 1d']\n    volumeMounts: \
         [{name: cache, mountPath: /cache}]\n  volumes: [{name: cache, emptyDir: {sizeLimit: \
         '64'}}]\n",
    );
    cluster.run(Duration::from_secs(40));
    let phase = |cluster: &Cluster| pod(cluster).and_then(|pod| pod.status?.phase);
    assert_eq!(phase(&cluster).as_deref(), Some("Running"), "not measured yet");
    cluster.run(Duration::from_secs(100));
    let status = pod(&cluster).and_then(|pod| pod.status).expect("a status");
    let words = "Usage of EmptyDir volume \"cache\" exceeds the limit \"64\". ";
    assert_eq!(status.phase.as_deref(), Some("Failed"));
    assert_eq!(status.reason.as_deref(), Some("Evicted"));
    assert_eq!(status.message.as_deref(), Some(words));
    assert!(happened(&cluster, "Evicted", words), "{:?}", events(&cluster));
}

/// Upstream: pkg/kubelet/kubelet_pods.go, getPullSecretsForPod; network/dns/dns.go.
#[test]
fn what_a_pod_names_and_cannot_have_is_said() {
    let mut cluster = booted();
    create(
        &mut cluster,
        "  imagePullSecrets: [{name: nope}, {name: neither}]\n  dnsConfig: {nameservers: [1.1.1.1, \
         2.2.2.2, 3.3.3.3]}\n  containers:\n  - name: main\n    image: nginx:1.29\n    \
         readinessProbe: {httpGet: {port: nope}}\n    livenessProbe: {periodSeconds: 5, exec: \
         {command: [nope]}}\n",
    );
    cluster.run(Duration::from_secs(20));
    for (reason, words) in [
        (
            "FailedToRetrieveImagePullSecret",
            "Unable to retrieve some image pull secrets (nope, neither); attempting to pull the \
             image may not succeed.",
        ),
        (
            "DNSConfigForming",
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied \
             nameserver line is: 10.96.0.10 1.1.1.1 2.2.2.2",
        ),
        (
            "Unhealthy",
            "Readiness probe errored and resulted in unknown state: strconv.Atoi: parsing \
             \"nope\": invalid syntax",
        ),
    ] {
        assert!(happened(&cluster, reason, words), "{words}: {:?}", events(&cluster));
    }
    let failed = |(_, message): &(String, String)| {
        message.starts_with(
            "Liveness probe errored and resulted in unknown state: rpc error: code = Unknown desc \
             = failed to exec in container: failed to start exec \"",
        ) && message.ends_with("exec: \"nope\": executable file not found in $PATH: unknown")
    };
    assert!(events(&cluster).iter().any(failed), "{:?}", events(&cluster));
    assert_eq!(container(&cluster, "main").restart_count, 0, "what is unknown does not count");
}

/// Upstream: pkg/kubelet/kuberuntime/kuberuntime_termination_order_test.go.
#[test]
fn sidecars_end_after_the_others_and_the_last_first() {
    let mut cluster = booted();
    let sidecar = |name: &str| {
        format!(
            "  - name: {name}\n    image: busybox:1.37\n    restartPolicy: Always\n    command: [sh, \
             -c, 'trap \"sleep 2; exit 0\" TERM; while true; do sleep 1; done']\n"
        )
    };
    create(
        &mut cluster,
        &format!(
            "  restartPolicy: Never\n  initContainers:\n{}{}  containers:\n  - name: main\n    image: \
             busybox:1.37\n    command: [sleep, '5']\n  - name: other\n    image: busybox:1.37\n    \
             command: [sleep, '8']\n",
            sidecar("first"),
            sidecar("second")
        ),
    );
    cluster.run(Duration::from_secs(40));
    let finished = |name: &str| {
        let ended = container(&cluster, name).state.and_then(|state| state.terminated);
        let ended = ended.expect("it has ended");
        (ended.finished_at.expect("an end").0.as_second(), ended.exit_code)
    };
    let [main, other, second, first] = ["main", "other", "second", "first"].map(finished);
    assert!(main.0 < other.0 && other.0 + 2 <= second.0, "{main:?} {other:?} {second:?}");
    assert!(second.0 + 2 <= first.0 && first.0 <= second.0 + 4, "{second:?} {first:?}");
    assert_eq!([main.1, other.1, second.1, first.1], [0; 4]);
    let phase = pod(&cluster).and_then(|pod| pod.status?.phase);
    assert_eq!(phase.as_deref(), Some("Succeeded"));
    assert!(happened(&cluster, "Killing", "Stopping container second"));
}

/// Upstream: kuberuntime_termination_order.go, newTerminationOrdering; active_deadline.go.
#[test]
fn a_sidecar_does_not_wait_for_an_init_container_to_end() {
    let mut cluster = booted();
    create(
        &mut cluster,
        "  activeDeadlineSeconds: 10\n  terminationGracePeriodSeconds: 6\n  initContainers:\n  - name: \
         sidecar\n    image: busybox:1.37\n    restartPolicy: Always\n    command: [sh, -c, 'trap \
         \"exit 0\" TERM; while true; do sleep 1; done']\n  - name: init\n    image: busybox:1.37\n\
         \x20   command: [sh, -c, 'trap \"\" TERM; while true; do sleep 1; done']\n  containers:\n  - \
         name: main\n    image: busybox:1.37\n",
    );
    cluster.run(Duration::from_secs(30));
    let status = pod(&cluster).and_then(|pod| pod.status).expect("a status");
    let words = "Pod was active on the node longer than the specified deadline";
    assert_eq!(status.phase.as_deref(), Some("Failed"));
    assert_eq!(status.reason.as_deref(), Some("DeadlineExceeded"));
    assert_eq!(status.message.as_deref(), Some(words));
    assert!(happened(&cluster, "DeadlineExceeded", words));
    let finished = |name: &str| {
        let ended = container(&cluster, name).state.and_then(|state| state.terminated);
        let ended = ended.expect("it has ended");
        (ended.finished_at.expect("an end").0.as_second(), ended.exit_code)
    };
    let (sidecar, init) = (finished("sidecar"), finished("init"));
    assert_eq!((sidecar.1, init.1), (0, 137));
    assert!(sidecar.0 + 4 <= init.0, "{sidecar:?} {init:?}");
}

/// Upstream: pkg/kubelet/kubelet_pods_test.go, TestMakeEnvironmentVariables.
#[test]
fn variables_come_from_objects_and_what_is_missing_is_said() {
    let objects = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {key: value, \
                   OTHER: second}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n\
                   stringData: {password: hidden}\n";
    for (lines, want) in [
        (
            "env: [{name: A, valueFrom: {configMapKeyRef: {name: c, key: key}}}, {name: B, value: \
             \"$(A)-$(NOPE)-$$(A)\"}, {name: A, value: \"$(B)\"}]\n    command: [sh, -c, 'echo $A \
             $B']",
            Ok("value-$(NOPE)-$(A) value-$(NOPE)-$(A)\n"),
        ),
        (
            "envFrom: [{prefix: X_, configMapRef: {name: c}}, {secretRef: {name: s}}]\n    env: \
             [{name: X_key, value: own}]\n    command: [sh, -c, 'echo $X_key $X_OTHER $password']",
            Ok("own second hidden\n"),
        ),
        (
            "envFrom: [{configMapRef: {name: none, optional: true}}]\n    env: [{name: A, value: \
             a}, {name: B, valueFrom: {secretKeyRef: {name: s, key: none, optional: true}}}, \
             {name: C, valueFrom: {configMapKeyRef: {name: none, key: x, optional: true}}}]\n    \
             command: [sh, -c, 'echo $A$B$C.']",
            Ok("a.\n"),
        ),
        ("command: [echo, $(A), $(B), $$(A)]\n    env: [{name: A, value: x}]", Ok("x $(B) $(A)\n")),
        (
            "env: [{name: A, valueFrom: {configMapKeyRef: {name: c, key: none}}}]",
            Err("couldn't find key none in ConfigMap default/c"),
        ),
        (
            "env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: none}}}]",
            Err("couldn't find key none in Secret default/s"),
        ),
        (
            "env: [{name: A, valueFrom: {configMapKeyRef: {name: none, key: x}}}]",
            Err("configmap \"none\" not found"),
        ),
        ("envFrom: [{secretRef: {name: none}}]", Err("secret \"none\" not found")),
        ("envFrom: [{configMapRef: {name: none}}]", Err("configmap \"none\" not found")),
    ] {
        let mut cluster = booted();
        apply(&mut cluster, objects);
        create(
            &mut cluster,
            &format!(
                "  restartPolicy: Never\n  containers:\n  - name: main\n    image: busybox:1.37\n    \
                 {lines}\n"
            ),
        );
        cluster.run(Duration::from_secs(10));
        match want {
            Ok(words) => assert_eq!(log(&cluster), words, "{lines}"),
            Err(words) => {
                let waiting = container(&cluster, "main").state.and_then(|state| state.waiting);
                let waiting = waiting.expect("it waits");
                assert_eq!(waiting.reason.as_deref(), Some("CreateContainerConfigError"));
                assert_eq!(waiting.message.as_deref(), Some(words));
                assert!(happened(&cluster, "Failed", &format!("Error: {words}")), "{lines}");
            }
        }
    }
}
