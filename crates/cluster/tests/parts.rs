//! An engine that holds less of the world does what a whole one does, until it says that it is
//! lacking something.

use cluster::{Cluster, Command, Options, Parts, Replay};
use sim::{Duration, Time};

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
";

fn both(seed: u64) -> [Cluster; 2] {
    [Parts::CORE, Parts::FULL].map(|parts| Cluster::of(parts, Options::new(seed, 3)))
}

#[test]
fn the_state_is_the_same_at_every_event_of_a_boot() {
    let [mut core, mut full] = both(1);
    let mut last = Time::ZERO;
    while last < Time::ZERO + Duration::from_secs(60) {
        // The clock goes with the events, so the two stand at the same instant.
        last = core.step().expect("nothing is lacking");
        assert_eq!(full.step(), Some(last));
        if core.events_handled() % 50 == 0 {
            assert_eq!(core.state_hash(), full.state_hash(), "event {}", core.events_handled());
        }
    }
    assert_eq!(core.state_hash(), full.state_hash());
    assert_eq!(core.moving(), full.moving());
}

#[test]
fn nothing_is_lacking_in_an_idle_cluster_nor_when_components_stop_and_start() {
    let [mut core, mut full] = both(2);
    let [manager, scheduler] = ["kube-controller-manager", "kube-scheduler"].map(str::to_string);
    let faults = [
        Command::StopComponent { name: manager.clone() },
        Command::StartComponent { name: manager },
        Command::StopComponent { name: scheduler.clone() },
        Command::StartComponent { name: scheduler },
    ];
    for cluster in [&mut core, &mut full] {
        for command in faults.clone() {
            cluster.run(Duration::from_secs(100));
            cluster.execute(command);
        }
        cluster.run(Duration::from_secs(200));
    }
    assert_eq!(core.lacking(), None);
    assert_eq!(core.state_hash(), full.state_hash());
}

#[test]
fn an_event_that_needs_what_is_lacking_counts_for_nothing() {
    let [mut core, mut full] = both(3);
    // After five minutes the pods of a node that failed are evicted.
    for cluster in [&mut core, &mut full] {
        cluster.run(Duration::from_secs(60));
        cluster.execute(Command::FailNode { name: "node-2".into() });
        cluster.run(Duration::from_secs(600));
    }
    assert!(core.lacking().is_some());
    let point = core.point();
    assert!(point.is_behind);
    let end = (point.events, point.time);
    let mut replay = Replay::new(Parts::FULL, point.session, end).unwrap();
    while !replay.run(1000).unwrap() {}
    let mut next = replay.into_cluster();
    assert_eq!(next.events_handled() + 1, core.events_handled());
    next.run_until(full.now(), u64::MAX);
    assert_eq!(next.state_hash(), full.state_hash());
}

#[test]
fn what_is_lacking_is_said_and_a_whole_engine_goes_on_from_before_it() {
    let [mut core, mut full] = both(3);
    let apply = Command::Apply { text: DEPLOYMENT.into() };
    for cluster in [&mut core, &mut full] {
        cluster.run(Duration::from_secs(45));
        cluster.execute(Command::FailNode { name: "node-3".into() });
        cluster.run(Duration::from_secs(3));
    }
    assert!(core.execute(apply.clone()).results.is_empty());
    assert_eq!(core.lacking(), Some("what reads manifests"));
    core.run(Duration::from_secs(5));
    let point = core.point();
    assert!(!point.is_behind, "the command was not begun");
    assert_eq!((point.events, point.time), (full.events_handled(), full.now()));

    let mut replay = Replay::new(Parts::FULL, point.session, (point.events, point.time)).unwrap();
    while !replay.run(100).unwrap() {}
    let mut next = replay.into_cluster();
    assert_eq!(next.state_hash(), full.state_hash());
    for cluster in [&mut next, &mut full] {
        let results = cluster.execute(apply.clone()).results;
        assert!(results.len() == 1 && results[0].is_done(), "{results:?}");
        cluster.run(Duration::from_secs(30));
    }
    assert_eq!(next.state_hash(), full.state_hash());
    assert_eq!(next.session(), full.session());
}

#[test]
fn a_replay_goes_on_to_a_later_end_of_its_own_session_only() {
    let mut cluster = Cluster::new(Options::new(4, 1));
    cluster.run(Duration::from_secs(10));
    let early = cluster.point();
    cluster.execute(Command::StopComponent { name: "kube-scheduler".into() });
    cluster.run(Duration::from_secs(10));
    let late = cluster.point();
    let start = |point: &cluster::Point| {
        let end = (point.events, point.time);
        Replay::new(Parts::FULL, point.session.clone(), end).unwrap()
    };
    let mut replay = start(&early);
    while !replay.run(1000).unwrap() {}
    assert!(replay.extend(late.session.clone(), (late.events, late.time)));
    while !replay.run(1000).unwrap() {}
    assert!(!replay.extend(early.session.clone(), (early.events, early.time)));
    let other = Cluster::new(Options::new(5, 1)).point();
    assert!(!replay.extend(other.session, (late.events, late.time)));
    assert_eq!(replay.into_cluster().state_hash(), cluster.state_hash());
}
