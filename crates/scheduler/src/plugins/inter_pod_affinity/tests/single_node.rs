//! Upstream: filtering_test.go, TestRequiredAffinitySingleNode.

use super::*;

const SCAN: &str = "service=securityscan";
const S1: &str = "security=S1";

struct Case<'a>(&'a str, Pod, Vec<Pod>, &'static str);

fn check(cases: Vec<Case<'_>>) {
    for Case(name, pod, pods, want) in cases {
        let nodes = vec![node("machine1", "region=r1 zone=z11"), node("machine2", "")];
        let world = World::new(nodes, pods);
        assert_eq!(world.filter(NAME, pod)[0], status(want), "{name}");
    }
}

#[test]
fn affinity() {
    let near = |terms: Terms<'_>| requiring(S1, terms, &[]);
    let existing = || vec![on("machine1", labelled(SCAN))];
    let elsewhere = with_near(near(&[("service=securityscan,value2", "region")]), |term| {
        term.namespaces = Some(vec!["DiffNameSpace".into()]);
    });
    check(vec![
        Case(
            "A pod that has no required pod affinity scheduling rules can schedule onto a node \
             with no existing pods",
            labelled(""),
            vec![],
            OK,
        ),
        Case(
            "satisfies with requiredDuringSchedulingIgnoredDuringExecution in PodAffinity using \
             In operator that matches the existing pod",
            near(&[("service=securityscan,value2", "region")]),
            existing(),
            OK,
        ),
        Case(
            "satisfies the pod with requiredDuringSchedulingIgnoredDuringExecution in PodAffinity \
             using not in operator in labelSelector that matches the existing pod",
            near(&[("service!=securityscan3,value3", "region")]),
            existing(),
            OK,
        ),
        Case(
            "Does not satisfy the PodAffinity with labelSelector because of diff Namespace",
            elsewhere,
            vec![on("machine1", within("ns", labelled(SCAN)))],
            NEAR,
        ),
        Case(
            "Doesn't satisfy the PodAffinity because of unmatching labelSelector with the \
             existing pod",
            requiring(SCAN, &[("service=antivirusscan,value2", "region")], &[]),
            existing(),
            NEAR,
        ),
        Case(
            "satisfies the PodAffinity with different label Operators in multiple \
             RequiredDuringSchedulingIgnoredDuringExecution",
            near(&[
                ("service&!wrongkey", "region"),
                ("service=securityscan&service!=WrongValue", "region"),
            ]),
            existing(),
            OK,
        ),
        Case(
            "The labelSelector requirements(items of matchExpressions) are ANDed, the pod cannot \
             schedule onto the node because one of the matchExpression item don't match.",
            near(&[
                ("service&!wrongkey", "region"),
                ("service=securityscan2&service!=WrongValue", "region"),
            ]),
            existing(),
            NEAR,
        ),
        Case(
            "pod matches its own Label in PodAffinity and that matches the existing pod Labels",
            requiring(SCAN, &[("service!=securityscan,value2", "region")], &[]),
            vec![on("machine2", labelled(SCAN))],
            NEAR,
        ),
    ]);
}

#[test]
fn affinity_and_anti_affinity() {
    let both = |labels, far| requiring(labels, &[("service=securityscan,value2", "region")], far);
    let existing = || vec![on("machine1", labelled(SCAN))];
    let repelling = |term| vec![on("machine1", requiring(SCAN, &[], &[term]))];
    check(vec![
        Case(
            "satisfies the PodAffinity and PodAntiAffinity with the existing pod",
            both(S1, &[("service=antivirusscan,value2", "node")]),
            existing(),
            OK,
        ),
        Case(
            "satisfies the PodAffinity and PodAntiAffinity and PodAntiAffinity symmetry with the \
             existing pod",
            both(S1, &[("service=antivirusscan,value2", "node")]),
            repelling(("service=antivirusscan,value2", "node")),
            OK,
        ),
        Case(
            "satisfies the PodAffinity but doesn't satisfy the PodAntiAffinity with the existing \
             pod",
            both(S1, &[("service=securityscan,value2", "zone")]),
            existing(),
            FAR,
        ),
        Case(
            "satisfies the PodAffinity and PodAntiAffinity but doesn't satisfy PodAntiAffinity \
             symmetry with the existing pod",
            both(SCAN, &[("service=antivirusscan,value2", "node")]),
            repelling(("service=securityscan,value2", "zone")),
            EXISTING,
        ),
        Case(
            "verify that PodAntiAffinity from existing pod is respected when pod has no \
             AntiAffinity constraints. doesn't satisfy PodAntiAffinity symmetry with the existing \
             pod",
            labelled(SCAN),
            repelling(("service=securityscan,value2", "zone")),
            EXISTING,
        ),
        Case(
            "verify that PodAntiAffinity from existing pod is respected when pod has no \
             AntiAffinity constraints. satisfy PodAntiAffinity symmetry with the existing pod",
            labelled(SCAN),
            repelling(("service!=securityscan,value2", "zone")),
            OK,
        ),
    ]);
}

#[test]
fn anti_affinity_is_symmetric() {
    let far = |labels, terms: Terms<'_>| requiring(labels, &[], terms);
    let running = |labels, terms: Terms<'_>| vec![on("machine1", requiring(labels, &[], terms))];
    let two: Terms<'_> = &[("service", "zone"), ("security", "zone")];
    let letters: Terms<'_> = &[("abc", "zone"), ("def", "zone")];
    let partially = "incoming pod and existing pod partially match each other on AffinityTerms";
    let a1 = format!("PodAntiAffinity symmetry check a1: {partially}");
    let a2 = format!("PodAntiAffinity symmetry check a2: {partially}");
    let b1 = format!("PodAntiAffinity symmetry check b1: {partially}");
    let b2 = format!("PodAntiAffinity symmetry check b2: {partially}");
    check(vec![
        Case(
            "satisfies the PodAntiAffinity with existing pod but doesn't satisfy PodAntiAffinity \
             symmetry with incoming pod",
            far(SCAN, &[("service", "region"), ("security", "region")]),
            running(S1, &[("security", "zone")]),
            FAR,
        ),
        Case(&a1, far(SCAN, two), running(S1, &[("security", "zone")]), FAR),
        Case(&a2, far(S1, &[("security", "zone")]), running(SCAN, two), EXISTING),
        // Upstream's expectation, which follows from the order of its checks: the pod's own
        // anti-affinity is looked at before that of pods that are there.
        Case(&b1, far("abc= xyz=", letters), running("def= xyz=", letters), FAR),
        Case(&b2, far("def= xyz=", letters), running("abc= xyz=", letters), FAR),
    ]);
}

#[test]
fn namespaces_are_selected_by_their_labels() {
    let near = |change: fn(&mut PodAffinityTerm)| {
        let pod = requiring("", &[("service", "region")], &[]);
        within("subteam1-team1", with_near(pod, change))
    };
    let of_team = |term: &mut PodAffinityTerm| {
        term.namespace_selector = Some(selector("team=team1"));
    };
    let of_all = |term: &mut PodAffinityTerm| {
        term.namespace_selector = Some(LabelSelector::default());
    };
    for (name, pod, namespace, want) in [
        ("no selector means the pod's own namespace", near(|_| ()), "subteam2-team1", NEAR),
        ("a namespace that the selector selects", near(of_team), "subteam2-team1", OK),
        ("a namespace that the selector does not select", near(of_team), "subteam1-team2", NEAR),
        ("an empty selector selects every namespace", near(of_all), "subteam1-team2", OK),
    ] {
        let running = on("machine1", within(namespace, labelled(SCAN)));
        let nodes = vec![node("machine1", "region=r1")];
        let world = World::new(nodes, vec![running]).with_objects(create_namespaces);
        assert_eq!(world.filter(NAME, pod), [status(want)], "{name}");
    }
}

// Upstream: TestPreFilterStateAddRemovePod, seen through the filter.
#[test]
fn pods_that_come_and_go_are_counted() {
    let world = World::new(vec![node("machine1", "zone=z1"), node("machine2", "zone=z2")], vec![]);
    let pod = info(requiring("app=a", &[("app=a", "zone")], &[("app=b", "zone")]));
    let mut state = world.pre_filter(NAME, &pod).expect("has terms");
    let say = |state: &CycleState| {
        ["machine1", "machine2"]
            .map(|name| InterPodAffinity.filter(state, &pod, world.node(name)).message())
    };
    assert_eq!(say(&state), [OK, OK], "the first of its kind");
    let running = |text| info(on("machine1", labelled(text)));
    let machine = world.node("machine1");
    InterPodAffinity.add_pod(&mut state, &pod, &running("app=a"), machine);
    assert_eq!(say(&state), [OK, NEAR]);
    InterPodAffinity.add_pod(&mut state, &pod, &running("app=b"), machine);
    assert_eq!(say(&state), [FAR, NEAR]);
    InterPodAffinity.remove_pod(&mut state, &pod, &running("app=b"), machine);
    InterPodAffinity.remove_pod(&mut state, &pod, &running("app=a"), machine);
    assert_eq!(say(&state), [OK, OK]);
    let repelling = info(on("machine1", requiring("app=c", &[], &[("app=a", "zone")])));
    InterPodAffinity.add_pod(&mut state, &pod, &repelling, machine);
    assert_eq!(say(&state), [EXISTING, OK]);
    InterPodAffinity.remove_pod(&mut state, &pod, &repelling, machine);
    assert_eq!(say(&state), [OK, OK]);
}
