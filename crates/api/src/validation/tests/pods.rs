//! Pods as they are created.

use serde_json::{Value, json};

use super::{errors, merged, pod};

/// Checks that each specification is refused with exactly these words.
fn check(table: Vec<(Value, &[&str])>) {
    for (spec, want) in table {
        assert_eq!(errors(pod(spec.clone())), want, "{spec}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn validate_pod_spec() {
    for spec in [
        json!({}),
        json!({"hostNetwork": true, "containers": [
            {"name": "a", "image": "i", "ports": [{"containerPort": 80, "hostPort": 80}]}]}),
        json!({"activeDeadlineSeconds": 30, "hostname": "a", "subdomain": "b"}),
        json!({"priorityClassName": "high", "runtimeClassName": "sandbox", "nodeName": "node-1"}),
        json!({"hostAliases": [{"ip": "12.34.56.78", "hostnames": ["host1", "host2"]}]}),
        json!({"securityContext": {"runAsUser": 0, "fsGroup": 2_147_483_647}}),
        json!({"readinessGates": [{"conditionType": "example.com/ready"}]}),
        json!({"os": {"name": "linux"}, "overhead": {"cpu": "10m"}}),
    ] {
        assert_eq!(errors(pod(spec.clone())), [""; 0], "{spec}");
    }
    check(vec![
        (
            json!({"restartPolicy": "UnknowPolicy"}),
            &["spec.restartPolicy: Unsupported value: \"UnknowPolicy\": supported values: \
               \"Always\", \"OnFailure\", \"Never\""],
        ),
        (
            json!({"dnsPolicy": "invalid"}),
            &["spec.dnsPolicy: Unsupported value: \"invalid\": supported values: \
               \"ClusterFirstWithHostNet\", \"ClusterFirst\", \"Default\", \"None\""],
        ),
        (json!({"containers": []}), &["spec.containers: Required value"]),
        (
            json!({"activeDeadlineSeconds": 0}),
            &["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, \
               inclusive"],
        ),
        (
            json!({"nodeName": "node name"}),
            &["spec.nodeName: Invalid value: \"node name\": a lowercase RFC 1123 subdomain must \
               consist of lower case alphanumeric characters, '-' or '.', and must start and end \
               with an alphanumeric character (e.g. 'example.com', regex used for validation is \
               '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"],
        ),
        (
            json!({"hostname": "a.b"}),
            &["spec.hostname: Invalid value: \"a.b\": must not contain dots"],
        ),
        (
            json!({"securityContext": {"runAsUser": -1}}),
            &["spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and \
               2147483647, inclusive"],
        ),
        (
            json!({"hostPID": true, "shareProcessNamespace": true}),
            &["spec.securityContext.shareProcessNamespace: Invalid value: true: \
               ShareProcessNamespace and HostPID cannot both be enabled"],
        ),
        (
            json!({"hostNetwork": true, "containers": [
                {"name": "a", "image": "i", "ports": [{"containerPort": 81, "hostPort": 80}]}]}),
            &["spec.containers[0].ports[0].hostPort: Invalid value: 80: must match \
               `containerPort` when `hostNetwork` is true"],
        ),
        (
            json!({"hostAliases": [{"ip": "999.1.1.1", "hostnames": ["host1"]}]}),
            &["spec.hostAliases[0].ip: Invalid value: \"999.1.1.1\": must be a valid IP address, \
               (e.g. 10.9.8.7 or 2001:db8::ffff)"],
        ),
        (
            json!({"os": {"name": "plan9"}}),
            &["spec.os: Unsupported value: \"plan9\": supported values: \"linux\", \"windows\""],
        ),
        (
            json!({"preemptionPolicy": "Sometimes"}),
            &["spec.preemptionPolicy: Unsupported value: \"Sometimes\": supported values: \
               \"PreemptLowerPriority\", \"Never\""],
        ),
        (
            json!({"ephemeralContainers": [{"name": "debug", "image": "i"}]}),
            &["spec.ephemeralContainers: Forbidden: cannot be set on create"],
        ),
        (
            json!({"nodeName": "n", "schedulingGates": [{"name": "foo"}]}),
            &[
                "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
            ],
        ),
        (
            json!({"schedulingGates": [{"name": "foo"}, {"name": "foo"}]}),
            &["spec.schedulingGates[1]: Duplicate value: \"foo\""],
        ),
    ]);
}

#[test]
fn validate_pod_dns_config() {
    check(vec![
        (
            json!({"dnsPolicy": "None"}),
            &["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
        ),
        (
            json!({"dnsPolicy": "None", "dnsConfig": {"searches": ["custom"]}}),
            &["spec.dnsConfig.nameservers: Required value: must provide at least one DNS \
               nameserver when `dnsPolicy` is None"],
        ),
        (
            json!({"dnsConfig": {"nameservers": ["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"]}}),
            &["spec.dnsConfig.nameservers: Invalid value: \
               [\"1.1.1.1\",\"2.2.2.2\",\"3.3.3.3\",\"4.4.4.4\"]: must not have more than 3 \
               nameservers"],
        ),
        (
            json!({"dnsConfig": {"options": [{"name": "", "value": "a"}]}}),
            &["spec.dnsConfig.options[0]: Required value: must not be empty"],
        ),
        (json!({"dnsConfig": {"searches": [".", "_sip._tcp.abc.", "a.b"]}}), &[]),
    ]);
}

#[test]
fn validate_tolerations() {
    check(vec![
        (json!({"tolerations": [{"operator": "Exists"}]}), &[]),
        (
            json!({"tolerations": [{"key": "a", "operator": "Equal", "value": "b",
                "effect": "NoExecute", "tolerationSeconds": 60}]}),
            &[],
        ),
        (
            json!({"tolerations": [{"operator": "Equal", "value": "bar", "effect": "NoSchedule"}]}),
            &["spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists \
               when `key` is empty, which means \"match all values and all keys\""],
        ),
        (
            json!({"tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists",
                 "effect": "NoSchedule", "tolerationSeconds": 20}]}),
            &["spec.tolerations[0].effect: Invalid value: \"NoSchedule\": effect must be \
               'NoExecute' when `tolerationSeconds` is set"],
        ),
        (
            json!({"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}),
            &["spec.tolerations[0].operator: Invalid value: \"b\": value must be empty when \
               `operator` is 'Exists'"],
        ),
        (
            json!({"tolerations": [{"key": "a", "operator": "In"}]}),
            &["spec.tolerations[0].operator: Unsupported value: \"In\": supported values: \
               \"Equal\", \"Exists\""],
        ),
        (
            json!({"tolerations": [{"key": "a", "operator": "Exists", "effect": "Never"}]}),
            &["spec.tolerations[0].effect: Unsupported value: \"Never\": supported values: \
               \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\""],
        ),
    ]);
}

#[test]
fn validate_affinity() {
    let node = |expression: Value| {
        json!({"affinity": {"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [expression]}]}}}})
    };
    let path = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.\
                nodeSelectorTerms";
    for (spec, want) in [
        (node(json!({"key": "zone", "operator": "In", "values": ["a"]})), vec![]),
        (
            node(json!({"key": "zone", "operator": "In"})),
            vec![format!(
                "{path}[0].matchExpressions[0].values: Required value: must be specified when \
                 `operator` is 'In' or 'NotIn'"
            )],
        ),
        (
            node(json!({"key": "zone", "operator": "Gt", "values": ["1", "2"]})),
            vec![format!(
                "{path}[0].matchExpressions[0].values: Required value: must be specified single \
                 value when `operator` is 'Lt' or 'Gt'"
            )],
        ),
        (
            node(json!({"key": "zone", "operator": "Near"})),
            vec![format!(
                "{path}[0].matchExpressions[0].operator: Invalid value: \"Near\": not a valid \
                 selector operator"
            )],
        ),
        (
            json!({"affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}}),
            vec![format!("{path}: Required value: must have at least one node selector term")],
        ),
        (
            json!({"affinity": {"nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 199, "preference": {}}]}}}),
            vec![
                "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].\
                 weight: Invalid value: 199: must be in the range 1-100"
                    .to_string(),
            ],
        ),
    ] {
        assert_eq!(errors(pod(spec.clone())), want, "{spec}");
    }
    let term = "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]";
    let spec = json!({"affinity": {"podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": ""}]}}});
    assert_eq!(
        errors(pod(spec)),
        [
            format!("{term}.topologyKey: Required value: can not be empty"),
            format!("{term}.topologyKey: Invalid value: \"\": name part must be non-empty"),
            format!(
                "{term}.topologyKey: Invalid value: \"\": name part must consist of alphanumeric \
                 characters, '-', '_' or '.', and must start and end with an alphanumeric \
                 character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
                 validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            ),
        ]
    );
}

#[test]
fn validate_topology_spread_constraints() {
    let with = |changes: Value| {
        let constraint = json!({
            "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}},
        });
        json!({"topologySpreadConstraints": [merged(constraint, changes)]})
    };
    let path = "spec.topologySpreadConstraints[0]";
    for (spec, want) in [
        (with(json!({"minDomains": 2, "nodeTaintsPolicy": "Honor"})), None),
        (with(json!({"maxSkew": 0})), Some("maxSkew: Invalid value: 0: must be greater than zero")),
        (with(json!({"topologyKey": ""})), Some("topologyKey: Required value: can not be empty")),
        (
            with(json!({"whenUnsatisfiable": "N/A"})),
            Some(
                "whenUnsatisfiable: Unsupported value: \"N/A\": supported values: \
                  \"DoNotSchedule\", \"ScheduleAnyway\"",
            ),
        ),
        (
            with(json!({"minDomains": 2, "whenUnsatisfiable": "ScheduleAnyway"})),
            Some(
                "minDomains: Invalid value: 2: can only use minDomains if \
                  whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
            ),
        ),
        (
            with(json!({"nodeAffinityPolicy": "Maybe"})),
            Some(
                "nodeAffinityPolicy: Unsupported value: \"Maybe\": supported values: \"Honor\", \
                  \"Ignore\"",
            ),
        ),
        (
            with(json!({"matchLabelKeys": ["app"], "labelSelector": null})),
            Some("matchLabelKeys: Forbidden: must not be specified when labelSelector is not set"),
        ),
    ] {
        let want: Vec<String> = want.iter().map(|want| format!("{path}.{want}")).collect();
        assert_eq!(errors(pod(spec.clone())), want, "{spec}");
    }
    let twice = with(json!({}))["topologySpreadConstraints"][0].clone();
    assert_eq!(
        errors(pod(json!({"topologySpreadConstraints": [twice, twice]}))),
        ["spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: \
          \"{zone, DoNotSchedule}\""]
    );
}

#[test]
fn validate_pod_metadata() {
    let path = "metadata.annotations[controller.kubernetes.io/pod-deletion-cost]";
    for (cost, is_valid) in
        [("10", true), ("-10", true), ("0", true), ("+10", false), ("text", false), ("010", false)]
    {
        let annotations = json!({"controller.kubernetes.io/pod-deletion-cost": cost});
        let object = merged(pod(json!({})), json!({"metadata": {"annotations": annotations}}));
        let want = format!("{path}: Invalid value: {cost:?}: must be a 32bit integer");
        let want: Vec<String> = (!is_valid).then_some(want).into_iter().collect();
        assert_eq!(errors(object), want, "{cost}");
    }
    let mirror = json!({"kubernetes.io/config.mirror": "true"});
    assert_eq!(
        errors(merged(pod(json!({})), json!({"metadata": {"annotations": mirror}}))),
        ["metadata.annotations[kubernetes.io/config.mirror]: Invalid value: \"true\": must set \
          spec.nodeName if mirror pod annotation is set"]
    );
}
