//! Containers: ports, environment, mounts, probes, resources.

use serde_json::{Value, json};

use super::{errors, pod, pod_of};

/// Checks that a pod with that container is refused with exactly these words, each at a path
/// below the container.
fn check(table: Vec<(Value, &[&str])>) {
    for (container, want) in table {
        let want: Vec<String> =
            want.iter().map(|want| format!("spec.containers[0].{want}")).collect();
        assert_eq!(errors(pod_of(container.clone())), want, "{container}");
    }
}

#[test]
fn validate_containers() {
    check(vec![
        (json!({"name": null}), &["name: Required value"]),
        (
            json!({"name": "123-1234_"}),
            &["name: Invalid value: \"123-1234_\": a lowercase RFC 1123 label must consist of \
               lower case alphanumeric characters or '-', and must start and end with an \
               alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation \
               is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"],
        ),
        (json!({"image": null}), &["image: Required value"]),
        (
            json!({"image": " image:1"}),
            &["image: Invalid value: \" image:1\": must not have leading or trailing whitespace"],
        ),
        (
            json!({"imagePullPolicy": "Sometimes"}),
            &["imagePullPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \
               \"IfNotPresent\", \"Never\""],
        ),
        (
            json!({"terminationMessagePolicy": "Unknown"}),
            &["terminationMessagePolicy: Unsupported value: \"Unknown\": supported values: \
               \"File\", \"FallbackToLogsOnError\""],
        ),
        (
            json!({"restartPolicy": "Sometimes"}),
            &["restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \
               \"Never\", \"OnFailure\""],
        ),
    ]);
    let twice = json!([{"name": "a", "image": "i"}, {"name": "a", "image": "i"}]);
    assert_eq!(
        errors(pod(json!({ "containers": twice }))),
        ["spec.containers[1].name: Duplicate value: \"a\""]
    );
}

#[test]
fn validate_init_containers() {
    let init = |container: Value| pod(json!({"initContainers": [container]}));
    let probe = json!({"exec": {"command": ["true"]}});
    let message = "Forbidden: may not be set for init containers without restartPolicy=Always";
    for (container, want) in [
        (json!({"name": "i", "image": "i"}), vec![]),
        (
            json!({"name": "i", "image": "i", "restartPolicy": "Always", "readinessProbe": probe}),
            vec![],
        ),
        (
            json!({"name": "i", "image": "i", "readinessProbe": probe}),
            vec![format!("spec.initContainers[0].readinessProbe: {message}")],
        ),
        (
            json!({"name": "ctr", "image": "i"}),
            vec!["spec.initContainers[0].name: Duplicate value: \"ctr\"".to_string()],
        ),
    ] {
        assert_eq!(errors(init(container.clone())), want, "{container}");
    }
}

#[test]
fn validate_ports() {
    check(vec![
        (
            json!({"ports": [
                {"name": "abc", "containerPort": 80, "hostPort": 80, "protocol": "TCP"},
                {"name": "123-abc", "containerPort": 81}]}),
            &[],
        ),
        (
            json!({"ports": [{"name": "aaaaaaaaaaaaaaaa", "containerPort": 80}]}),
            &["ports[0].name: Invalid value: \"aaaaaaaaaaaaaaaa\": must be no more than 15 \
               characters"],
        ),
        (
            json!({"ports": [{"name": "a.b", "containerPort": 80}]}),
            &["ports[0].name: Invalid value: \"a.b\": must contain only alpha-numeric characters \
               (a-z, 0-9), and hyphens (-)"],
        ),
        (
            json!({"ports": [
                {"name": "abc", "containerPort": 80}, {"name": "abc", "containerPort": 81}]}),
            &["ports[1].name: Duplicate value: \"abc\""],
        ),
        (json!({"ports": [{"containerPort": 0}]}), &["ports[0].containerPort: Required value"]),
        (
            json!({"ports": [{"containerPort": 65536}]}),
            &["ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, \
               inclusive"],
        ),
        (
            json!({"ports": [{"containerPort": 80, "protocol": "ICMP"}]}),
            &["ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", \
               \"TCP\", \"UDP\""],
        ),
        (
            json!({"ports": [
                {"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80}]}),
            &["ports[1].hostPort: Duplicate value: \"TCP//80\""],
        ),
    ]);
}

#[test]
fn validate_env() {
    check(vec![
        (
            json!({"env": [
                {"name": "abc", "value": "value"}, {"name": "1abc=", "value": ""},
                {"name": "", "value": ""}]}),
            &[
                "env[1].name: Invalid value: \"1abc=\": a valid environment variable name must \
                 consist only of printable ASCII characters other than '='",
                "env[2].name: Required value",
            ],
        ),
        (
            json!({"env": [{"name": "a", "valueFrom": {
                "fieldRef": {"fieldPath": "metadata.annotations['key']"}}}]}),
            &[],
        ),
        (
            json!({"env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]}),
            &["env[0].valueFrom.fieldRef.fieldPath: Unsupported value: \"status.phase\": \
               supported values: \"metadata.name\", \"metadata.namespace\", \"metadata.uid\", \
               \"spec.nodeName\", \"spec.serviceAccountName\", \"status.hostIP\", \
               \"status.hostIPs\", \"status.podIP\", \"status.podIPs\""],
        ),
        (
            json!({"env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.whoops"}}}]}),
            &["env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"metadata.whoops\": error \
               converting fieldPath: field label not supported: metadata.whoops"],
        ),
        (
            json!({"env": [{"name": "a", "value": "b", "valueFrom": {
                "configMapKeyRef": {"name": "c", "key": "k"}}}]}),
            &["env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not \
               empty"],
        ),
        (
            json!({"env": [{"name": "a", "valueFrom": {
                "configMapKeyRef": {"name": "c", "key": "k"},
                "secretKeyRef": {"name": "s", "key": "k"}}}]}),
            &["env[0].valueFrom: Invalid value: \"\": may not have more than one field specified \
               at a time"],
        ),
        (
            json!({"env": [{"name": "a", "valueFrom": {
                "secretKeyRef": {"name": "s", "key": "!"}}}]}),
            &["env[0].valueFrom.secretKeyRef.key: Invalid value: \"!\": a valid config key must \
               consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
               'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"],
        ),
        (
            json!({"env": [{"name": "a", "valueFrom": {
                "resourceFieldRef": {"resource": "limits.cpu", "divisor": "1Mi"}}}]}),
            &["env[0].valueFrom.resourceFieldRef.divisor: Invalid value: \"limits.cpu\": only \
               divisor's values 1m and 1 are supported with the cpu resource"],
        ),
        (json!({"envFrom": [{"prefix": "pre_", "configMapRef": {"name": "abc"}}]}), &[]),
        (
            json!({"envFrom": [{}]}),
            &["envFrom: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`"],
        ),
        (
            json!({"envFrom": [{"secretRef": {"name": ""}}]}),
            &["envFrom[0].secretRef.name: Required value"],
        ),
    ]);
}

#[test]
fn validate_volume_mounts() {
    let with = |mounts: Value, extra: Value| {
        let container = json!({"name": "ctr", "image": "i", "volumeMounts": mounts});
        pod(json!({
            "containers": [super::merged(container, extra)],
            "volumes": [
                {"name": "abc", "emptyDir": {}},
                {"name": "img", "image": {"reference": "r:1"}},
            ],
        }))
    };
    let path = "spec.containers[0].volumeMounts";
    for (mounts, extra, want) in [
        (json!([{"name": "abc", "mountPath": "/foo"}]), json!({}), None),
        (
            json!([{"name": "abc", "mountPath": "/bar", "mountPropagation": "Bidirectional"}]),
            json!({"securityContext": {"privileged": true}}),
            None,
        ),
        (
            json!([{"name": "def", "mountPath": "/foo"}]),
            json!({}),
            Some("[0].name: Not found: \"def\""),
        ),
        (
            json!([{"name": "abc", "mountPath": ""}]),
            json!({}),
            Some("[0].mountPath: Required value"),
        ),
        (
            json!([{"name": "abc", "mountPath": "/a"}, {"name": "abc", "mountPath": "/a"}]),
            json!({}),
            Some("[1].mountPath: Invalid value: \"/a\": must be unique"),
        ),
        (
            json!([{"name": "abc", "mountPath": "/a", "subPath": "../b"}]),
            json!({}),
            Some(".subPath: Invalid value: \"../b\": must not contain '..'"),
        ),
        (
            json!([{"name": "abc", "mountPath": "/a", "subPath": "/b"}]),
            json!({}),
            Some(".subPath: Invalid value: \"/b\": must be a relative path"),
        ),
        (
            json!([{"name": "abc", "mountPath": "/bar", "mountPropagation": "Bidirectional"}]),
            json!({}),
            Some(
                ".mountPropagation: Forbidden: Bidirectional mount propagation is available only \
                 to privileged containers",
            ),
        ),
        (
            json!([{"name": "abc", "mountPath": "/a", "recursiveReadOnly": "Enabled"}]),
            json!({}),
            Some(".recursiveReadOnly: Forbidden: may only be specified when readOnly is true"),
        ),
        (
            json!([{"name": "img", "mountPath": "/a", "subPath": "b"}]),
            json!({}),
            Some("[0].subPath: Invalid value: \"b\": not allowed in image volume sources"),
        ),
    ] {
        let want: Vec<String> = want.iter().map(|want| format!("{path}{want}")).collect();
        assert_eq!(errors(with(mounts.clone(), extra)), want, "{mounts}");
    }
}

#[test]
fn validate_handler_and_probe() {
    check(vec![
        (json!({"livenessProbe": {"httpGet": {"port": "web"}}}), &[]),
        (
            json!({"livenessProbe": {}}),
            &["livenessProbe: Required value: must specify a handler type"],
        ),
        (
            json!({"livenessProbe": {"httpGet": {"port": 1}, "exec": {"command": ["a"]}}}),
            &["livenessProbe.httpGet: Forbidden: may not specify more than 1 handler type"],
        ),
        (json!({"livenessProbe": {"exec": {}}}), &["livenessProbe.exec.command: Required value"]),
        (
            json!({"readinessProbe": {"tcpSocket": {"port": 0}}}),
            &["readinessProbe.tcpSocket.port: Invalid value: 0: must be between 1 and 65535, \
               inclusive"],
        ),
        (
            json!({"readinessProbe": {"httpGet": {"port": 80, "scheme": "TCP"}}}),
            &["readinessProbe.httpGet.scheme: Unsupported value: \"TCP\": supported values: \
               \"HTTP\", \"HTTPS\""],
        ),
        (
            json!({"livenessProbe": {"grpc": {"port": 80}, "successThreshold": 2}}),
            &["livenessProbe.successThreshold: Invalid value: 2: must be 1"],
        ),
        (
            json!({"startupProbe": {"grpc": {"port": 80}, "periodSeconds": -1}}),
            &["startupProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (
            json!({"readinessProbe": {"grpc": {"port": 80}, "terminationGracePeriodSeconds": 3}}),
            &["readinessProbe.terminationGracePeriodSeconds: Invalid value: 3: must not be set \
               for readinessProbes"],
        ),
        (
            json!({"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}}),
            &["lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than \
               terminationGracePeriodSeconds (30)"],
        ),
    ]);
}

#[test]
fn validate_resource_requirements() {
    let with = |requests: Value, limits: Value| json!({"resources": {"requests": requests, "limits": limits}});
    check(vec![
        (with(json!({"cpu": "1", "memory": "1G"}), json!({"cpu": "2", "memory": "2G"})), &[]),
        (with(json!({"example.com/gpu": "1"}), json!({"example.com/gpu": "1"})), &[]),
        (
            with(json!({"cpu": "3"}), json!({"cpu": "2"})),
            &["resources.requests: Invalid value: \"3\": must be less than or equal to cpu limit \
               of 2"],
        ),
        (
            with(json!({"example.com/gpu": "1"}), json!({"example.com/gpu": "2"})),
            &["resources.requests: Invalid value: \"1\": must be equal to example.com/gpu limit \
               of 2"],
        ),
        (
            with(json!({"example.com/gpu": "1"}), json!({})),
            &["resources.limits: Required value: Limit must be set for non overcommitable \
               resources"],
        ),
        (
            with(json!({}), json!({"example.com/gpu": "500m"})),
            &[
                "resources.limits[example.com/gpu]: Invalid value: \"500m\": must be an integer",
                "resources.requests[example.com/gpu]: Invalid value: \"500m\": must be an integer",
            ],
        ),
        (
            with(json!({"cpu": "-10m"}), json!({})),
            &["resources.requests[cpu]: Invalid value: \"-10m\": must be greater than or equal \
               to 0"],
        ),
        (
            with(json!({"gpu": "1"}), json!({})),
            &[
                "resources.requests[gpu]: Invalid value: \"gpu\": must be a standard resource \
                 type or fully qualified",
                "resources.requests[gpu]: Invalid value: \"gpu\": must be a standard resource \
                 for containers",
            ],
        ),
        (
            with(json!({"hugepages-2Mi": "1Mi", "cpu": "1"}), json!({"hugepages-2Mi": "1Mi"})),
            &[
                "resources.limits[hugepages-2Mi]: Invalid value: \"1Mi\": 1Mi is not positive \
                 integer multiple of hugepages-2Mi",
                "resources.requests[hugepages-2Mi]: Invalid value: \"1Mi\": 1Mi is not positive \
                 integer multiple of hugepages-2Mi",
            ],
        ),
        (
            with(json!({"hugepages-2Mi": "2Mi"}), json!({"hugepages-2Mi": "2Mi"})),
            &["resources: Forbidden: HugePages require cpu or memory"],
        ),
    ]);
}

#[test]
fn validate_pod_resource_consistency() {
    let container = json!({"name": "a", "image": "i", "resources": {
        "requests": {"cpu": "6"}, "limits": {"cpu": "8"}}});
    let spec = json!({
        "containers": [container, super::merged(container.clone(), json!({"name": "b"}))],
        "resources": {"requests": {"cpu": "10"}, "limits": {"cpu": "7"}},
    });
    assert_eq!(
        errors(pod(spec)),
        [
            "spec.resources.requests: Invalid value: \"10\": must be less than or equal to cpu \
             limit of 7",
            "spec.resources.requests[cpu]: Invalid value: \"10\": must be greater than or equal \
             to aggregate container requests of 12",
            "spec.resources.containers[0][cpu].limits: Invalid value: \"8\": must be less than or \
             equal to pod limits of 7",
            "spec.resources.containers[1][cpu].limits: Invalid value: \"8\": must be less than or \
             equal to pod limits of 7",
        ]
    );
}

#[test]
fn validate_security_context() {
    check(vec![
        (json!({"securityContext": {"privileged": true, "runAsUser": 1}}), &[]),
        (
            json!({"securityContext": {"privileged": true, "allowPrivilegeEscalation": false}}),
            &["securityContext: Invalid value: \
               {\"allowPrivilegeEscalation\":false,\"privileged\":true}: cannot set \
               `allowPrivilegeEscalation` to false and `privileged` to true"],
        ),
        (
            json!({"securityContext": {"procMount": "Unmasked"}}),
            &["securityContext.procMount: Invalid value: \"Unmasked\": `hostUsers` must be false \
               to use `Unmasked`"],
        ),
        (
            json!({"securityContext": {"seccompProfile": {"type": "Localhost"}}}),
            &["securityContext.seccompProfile.localhostProfile: Required value: must be set when \
               seccomp type is Localhost"],
        ),
        (
            json!({"securityContext": {"appArmorProfile": {"type": "Soft"}}}),
            &["securityContext.appArmorProfile.type: Unsupported value: \"Soft\": supported \
               values: \"Localhost\", \"RuntimeDefault\", \"Unconfined\""],
        ),
    ]);
}
