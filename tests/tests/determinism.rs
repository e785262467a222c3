//! The same session makes the same state, however it is run.

mod support;

use cluster::{Cluster, Command, Options, Session};
use sim::{Duration, Time};
use support::{NGINX, apply};

/// A run with something of everything: a rollout, a crash loop, a deletion, a fault.
fn busy(seed: u64) -> Cluster {
    let mut cluster = Cluster::new(Options::new(seed, 3));
    cluster.run(Duration::from_secs(20));
    apply(&mut cluster, NGINX);
    apply(&mut cluster, support::CRASHING);
    cluster.run(Duration::from_secs(7));
    cluster.execute(Command::Scale {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: "default".into(),
        name: "nginx".into(),
        replicas: 6,
    });
    cluster.execute(Command::FailNode { name: "node-2".into() });
    cluster
}

#[test]
fn the_same_seed_twice_gives_the_same_state() {
    let (mut one, mut other) = (busy(7), busy(7));
    for _ in 0..10 {
        one.run(Duration::from_secs(10));
        other.run(Duration::from_secs(10));
        assert_eq!(one.state_hash(), other.state_hash());
    }
}

#[test]
fn another_seed_gives_another_state() {
    let (mut one, mut other) = (busy(7), busy(8));
    one.run(Duration::from_secs(10));
    other.run(Duration::from_secs(10));
    assert_ne!(one.state_hash(), other.state_hash());
}

#[test]
fn sixty_seconds_at_once_are_sixty_times_one_second() {
    let mut at_once = busy(3);
    let mut in_pieces = at_once.clone();
    at_once.run(Duration::from_secs(60));
    for _ in 0..60 {
        in_pieces.run(Duration::from_secs(1));
    }
    assert_eq!(at_once.events_handled(), in_pieces.events_handled());
    assert_eq!(at_once.state_hash(), in_pieces.state_hash());
}

#[test]
fn stepping_is_running() {
    let mut ran = busy(3);
    let mut stepped = ran.clone();
    ran.run(Duration::from_secs(30));
    while stepped.events_handled() < ran.events_handled() {
        stepped.step().expect("leases are renewed for ever");
    }
    assert_eq!(stepped.state_hash(), ran.state_hash());
    assert!(stepped.next_event_time() > Some(ran.now()));
}

#[test]
fn a_keyframe_goes_on_by_itself() {
    let mut original = busy(3);
    let mut keyframe = original.clone();
    let before = keyframe.state_hash();
    original.run(Duration::from_secs(30));
    assert_eq!(keyframe.state_hash(), before, "the original's future is not the keyframe's");
    keyframe.run(Duration::from_secs(30));
    assert_eq!(keyframe.state_hash(), original.state_hash());
}

#[test]
fn a_session_replays_to_the_same_state() {
    let mut original = busy(5);
    original.run(Duration::from_secs(5));
    apply(&mut original, support::TOO_LARGE);
    let text = serde_json::to_string(original.session()).expect("a session is plain data");
    let session: Session = serde_json::from_str(&text).expect("it was just written");
    let mut replayed = session.replay().expect("the same engine");
    assert_eq!(replayed.state_hash(), original.state_hash());
    original.run(Duration::from_secs(60));
    replayed.run(Duration::from_secs(60));
    assert_eq!(replayed.state_hash(), original.state_hash());
}

#[test]
fn what_is_traced_changes_nothing() {
    let mut untraced = Options::new(3, 3);
    untraced.trace_capacity = 0;
    let mut one = Cluster::new(untraced);
    let mut other = Cluster::new(Options::new(3, 3));
    for cluster in [&mut one, &mut other] {
        cluster.run(Duration::from_secs(20));
        apply(cluster, NGINX);
        cluster.run(Duration::from_secs(20));
    }
    assert_eq!(one.state_hash(), other.state_hash());
}

#[test]
fn a_limit_of_events_stops_a_run_and_says_so() {
    let mut cluster = busy(3);
    let ran = cluster.run_until(Time::MAX, 100);
    assert_eq!((ran.events, ran.finished), (100, false));
}
