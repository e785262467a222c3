//! Upstream: scoring_test.go, TestPodTopologySpreadScore.

use api::openapi::api::apps::v1::{ReplicaSet, ReplicaSetSpec};
use api::openapi::api::core::v1::PodTemplateSpec;
use api::openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::*;

const HOST: &str = "kubernetes.io/hostname";

fn soft(max_skew: i32, key: &str, selector: &str) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        when_unsatisfiable: "ScheduleAnyway".into(),
        ..constraint(max_skew, key, selector)
    }
}

/// Hosts, each the only one of its name.
fn hosts(names: &[&str]) -> Vec<Node> {
    names.iter().map(|name| node(&format!("{name} {HOST}={name}"))).collect()
}

fn zoned(names: &[(&str, &str)]) -> Vec<Node> {
    names.iter().map(|(name, zone)| node(&format!("{name} zone={zone} {HOST}={name}"))).collect()
}

/// As many pods with the label foo on each node.
fn pods(counts: &[(&str, usize)]) -> Vec<Pod> {
    let pods = |(node, count): &(&str, usize)| vec![running(&format!("{node} foo")); *count];
    counts.iter().flat_map(pods).collect()
}

fn score(name: &str, pod: Pod, world: &World, want: &[i64]) {
    assert_eq!(world.score(NAME, pod), Some(want.to_vec()), "{name}");
}

#[test]
fn one_constraint_on_node() {
    let foo = |max_skew| spread(&["foo"], vec![soft(max_skew, HOST, "foo")]);
    let (ab, abcd) = (&["node-a", "node-b"], &["node-a", "node-b", "node-c", "node-d"]);
    let abxy = &["node-a", "node-b", "node-x", "node-y"];
    let world = |names: &[&str], counts: &[(&str, usize)]| World::new(hosts(names), pods(counts));
    score("no existing pods", foo(1), &world(ab, &[]), &[100, 100]);
    let lone = world(ab, &[("node-a", 2), ("node-b", 1)]).without(&["node-b"]);
    score("only one node is candidate", foo(1), &lone, &[100]);
    let same = world(ab, &[("node-a", 1), ("node-b", 1)]);
    score("all nodes have the same number of matching pods", foo(1), &same, &[100, 100]);
    let four = world(abcd, &[("node-a", 2), ("node-b", 1), ("node-d", 3)]);
    score("all 4 nodes are candidates", foo(1), &four, &[20, 60, 100, 0]);
    let mut no_selector = soft(1, HOST, "foo");
    no_selector.label_selector = None;
    score("null selector", spread(&["foo"], vec![no_selector]), &four, &[100; 4]);
    score("all 4 nodes are candidates, maxSkew=2", foo(2), &four, &[33, 66, 100, 16]);
    let counts = [("node-a", 4), ("node-b", 3), ("node-c", 2), ("node-d", 1)];
    let down = world(abcd, &counts);
    score("all 4 nodes are candidates, maxSkew=3", foo(3), &down, &[44, 66, 77, 100]);
    let counts = [("node-a", 4), ("node-b", 2), ("node-x", 1), ("node-y", 3)];
    let three = world(abxy, &counts).without(&["node-y"]);
    score("3 out of 4 nodes are candidates", foo(1), &three, &[33, 83, 100]);
    let mut unlabelled = hosts(abxy);
    unlabelled[1] = node("node-b n=node-b");
    let three = World::new(unlabelled, pods(&counts)).without(&["node-y"]);
    let name = "3 out of 4 nodes are candidates, one node doesn't match topology key";
    score(name, foo(1), &three, &[16, 0, 100]);
    let mut elsewhere = all_running(&["ns1/node-a foo", "node-a foo"]);
    elsewhere.extend(pods(&[("node-b", 2)]));
    let world = World::new(hosts(ab), elsewhere);
    let name = "existing pods in a different namespace do not count";
    score(name, foo(1), &world, &[100, 33]);
    let ending = World::new(hosts(ab), all_running(&["node-a !foo", "node-b foo"]));
    score("terminating Pods should be excluded", foo(1), &ending, &[100, 0]);
}

#[test]
fn zones_and_two_constraints() {
    let counts = [("node-a", 4), ("node-b", 2), ("node-x", 1), ("node-y", 3)];
    let four = [("node-a", "zone1"), ("node-b", "zone1"), ("node-x", "zone2"), ("node-y", "zone2")];
    let zone = spread(&["foo"], vec![soft(1, "zone", "foo")]);
    let world = World::new(zoned(&four), pods(&counts)).without(&["node-y"]);
    score("one constraint on zone, 3 out of 4 nodes are candidates", zone, &world, &[75, 75, 100]);

    let counts = [("node-a", 2), ("node-b", 1), ("node-x", 2), ("node-y", 4)];
    let both = spread(&["foo"], vec![soft(1, "zone", "foo"), soft(1, HOST, "foo")]);
    let world = World::new(zoned(&four), pods(&counts)).without(&["node-b", "node-y"]);
    score("two Constraints on zone and node, 2 out of 4 nodes", both, &world, &[100, 63]);

    let different = || {
        let constraints = vec![soft(1, "zone", "foo"), soft(1, HOST, "bar")];
        spread(&["foo", "bar"], constraints)
    };
    let running = || all_running(&["node-a foo", "node-b foo bar", "node-y foo", "node-y bar"]);
    let world = World::new(zoned(&four), running());
    score("with different labelSelectors", different(), &world, &[60, 20, 100, 60]);
    let world = World::new(zoned(&four), running()).without(&["node-y"]);
    score("different labelSelectors, 3 candidates", different(), &world, &[50, 25, 100]);
    let some = all_running(&["node-b bar", "node-x foo", "node-y foo bar"]);
    let world = World::new(zoned(&four), some);
    score("some nodes have 0 pods", different(), &world, &[100, 60, 40, 0]);

    let mut keys = vec![soft(1, "zone", "foo"), soft(1, HOST, "bar")];
    for (constraint, key) in keys.iter_mut().zip(["foo", "bar"]) {
        constraint.label_selector = Some(LabelSelector::default());
        constraint.match_label_keys = Some(vec![key.into()]);
    }
    let world = World::new(zoned(&four), running());
    let name = "matchLabelKeys ANDed with LabelSelector when LabelSelector is empty";
    score(name, spread(&["foo", "bar"], keys), &world, &[60, 20, 100, 60]);
}

#[test]
fn domains_and_policies_of_preferences() {
    let three =
        || nodes(&["node-a node=node-a foo=", "node-b node=node-b foo=", "node-c node=node-c"]);
    let constraint = |max_skew, change: fn(&mut TopologySpreadConstraint)| {
        let mut constraint = soft(max_skew, "node", "foo");
        change(&mut constraint);
        spread(&["foo"], vec![constraint])
    };
    let world = World::new(three(), pods(&[("node-a", 2), ("node-b", 2), ("node-c", 1)]));
    let many = constraint(2, |constraint| constraint.min_domains = Some(10));
    score("minDomains has no effect when ScheduleAnyway", many, &world, &[75, 75, 100]);

    let world = World::new(three(), pods(&[("node-a", 2), ("node-b", 1), ("node-c", 1)]));
    let ignoring = |constraint: &mut TopologySpreadConstraint| {
        constraint.node_affinity_policy = Some("Ignore".into());
    };
    let selecting = |mut pod: Pod| {
        pod.spec.get_or_insert_default().node_selector = Some(labels(&[("foo", "")]));
        pod
    };
    let honoring = constraint(1, |_| ());
    let name = "NodeAffinityPolicy honoed with labelSelectors";
    score(name, selecting(honoring.clone()), &world, &[0, 33, 100]);
    let name = "NodeAffinityPolicy ignored with labelSelectors";
    score(name, selecting(constraint(1, ignoring)), &world, &[66, 100, 100]);
    let name = "NodeAffinityPolicy honoed with nodeAffinity";
    score(name, affine_to(honoring.clone(), "foo", &[""]), &world, &[0, 33, 100]);
    let name = "NodeAffinityPolicy ignored with nodeAffinity";
    score(name, affine_to(constraint(1, ignoring), "foo", &[""]), &world, &[66, 100, 100]);

    let mut nodes = three();
    let last = nodes.pop().expect("three");
    nodes.push(cluster::tainted(last, "foo", "NoSchedule"));
    let world = World::new(nodes, pods(&[("node-a", 2), ("node-b", 1), ("node-c", 1)]));
    let taints = constraint(1, |constraint| constraint.node_taints_policy = Some("Honor".into()));
    score("NodeTaintsPolicy honored", taints, &world, &[0, 33, 100]);
    score("NodeTaintsPolicy ignored", honoring, &world, &[66, 100, 100]);
}

/// A ReplicaSet whose pods have the label foo, and a pod of it.
fn replica_set() -> (ReplicaSet, Pod) {
    let selector =
        LabelSelector { match_labels: Some(labels(&[("foo", "")])), match_expressions: None };
    let meta = |name: Option<&str>| ObjectMeta {
        name: name.map(str::to_string),
        labels: Some(labels(&[("foo", "")])),
        ..ObjectMeta::default()
    };
    let template =
        PodTemplateSpec { metadata: Some(meta(None)), spec: cluster::pod("p", &[]).spec };
    let spec = ReplicaSetSpec { selector, template: Some(template), ..ReplicaSetSpec::default() };
    let replica_set = ReplicaSet { metadata: meta(Some("rs1")), spec, status: None };
    let owner = OwnerReference {
        api_version: "apps/v1".into(),
        kind: "ReplicaSet".into(),
        name: "rs1".into(),
        controller: Some(true),
        ..OwnerReference::default()
    };
    let mut pod = labelled(&["foo"]);
    pod.metadata.namespace = Some("default".into());
    pod.metadata.owner_references = Some(vec![owner]);
    (replica_set, pod)
}

#[test]
fn system_defaulting_nodes_dont_have_zone_pods_match_service() {
    use api::openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
    let ports = Some(vec![ServicePort { port: 80, ..ServicePort::default() }]);
    let service = |name: &str, selector: Option<&[(&str, &str)]>| {
        let selector = selector.map(labels);
        let spec = ServiceSpec { selector, ports: ports.clone(), ..ServiceSpec::default() };
        let metadata = ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() };
        Service { metadata, spec: Some(spec), status: None }
    };
    let within = |mut pod: Pod| {
        pod.metadata.namespace = Some("default".into());
        pod
    };
    let counts = [("node-a", 4), ("node-b", 3), ("node-c", 2), ("node-d", 1)];
    let running: Vec<Pod> = pods(&counts).into_iter().map(within).collect();
    let names = ["node-a", "node-b", "node-c", "node-d"];
    let others = [service("none", None), service("other", Some(&[("app", "other")]))];
    for (name, matching, want) in [
        ("pods match service", true, Some(vec![44, 66, 77, 100])),
        ("no service selects the pod", false, None),
    ] {
        let world = World::new(hosts(&names), running.clone()).with_objects(|cluster| {
            cluster.create_namespace("default");
            let matching = matching.then(|| service("web", Some(&[("foo", "")])));
            for service in others.iter().cloned().chain(matching) {
                cluster.api::<Service>("default").create(service).expect("created");
            }
        });
        assert_eq!(world.score(NAME, within(labelled(&["foo"]))), want, "{name}");
    }
}

// The same for a ReplicaSet that owns the pods.
#[test]
fn system_defaulting_by_the_owner() {
    let (replica_set, pod) = replica_set();
    let counts = [("node-a", 4), ("node-b", 3), ("node-c", 2), ("node-d", 1)];
    let mut running = pods(&counts);
    for pod in &mut running {
        pod.metadata.namespace = Some("default".into());
    }
    let world = World::new(hosts(&["node-a", "node-b", "node-c", "node-d"]), running.clone());
    assert_eq!(world.score(NAME, pod.clone()), None, "its ReplicaSet is not known");
    let world = world.with_objects(|cluster| {
        cluster.create_namespace("default");
        cluster.api::<ReplicaSet>("default").create(replica_set.clone()).expect("created");
    });
    score("same scores as with one constraint", pod.clone(), &world, &[44, 66, 77, 100]);
    assert!(world.pre_filter(NAME, &info(pod.clone())).is_none(), "defaults keep off no node");
    // log(4) is what a pod counts in either of two zones, log(6) on one of four hosts; the
    // maximal skews of 5 and 3 add 6 to each.
    let zone = |name: &str, zone: &str| {
        node(&format!("{name} topology.kubernetes.io/zone={zone} {HOST}={name}"))
    };
    let nodes =
        vec![zone("node-a", "1"), zone("node-b", "1"), zone("node-c", "2"), zone("node-d", "2")];
    let world = World::new(nodes, running).with_objects(|cluster| {
        cluster.create_namespace("default");
        cluster.api::<ReplicaSet>("default").create(replica_set).expect("created");
    });
    // 7 log 4 + 4 log 6 + 6 = 22.87, 7 log 4 + 3 log 6 + 6 = 21.08,
    // 3 log 4 + 2 log 6 + 6 = 13.74, 3 log 4 + log 6 + 6 = 11.95: 23, 21, 14 and 12.
    score("zones count as well", pod, &world, &[52, 60, 91, 100]);
}
