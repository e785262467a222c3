use std::cell::Cell;

use cluster::Parts;
use protocol::{Action, Batch, Command, CommandResult, Delta, Message, ObjectRef, Request};

use super::Host;

const POD: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: web
    image: nginx:1.28
";

/// A host and a wall clock that is set by hand.
struct Page {
    host: Host,
    wall_ms: Cell<f64>,
    next_id: u64,
}

impl Page {
    fn booted() -> Page {
        let mut page = Page { host: Host::default(), wall_ms: Cell::new(1000.0), next_id: 1 };
        page.send(Command::Boot { seed: 1, nodes: 3 });
        page
    }

    fn send(&mut self, command: Command) {
        let bytes = protocol::encode_request(&Request { id: self.next_id, command });
        self.next_id += 1;
        self.host.command(&bytes.expect("plain data"), self.wall_ms.get());
    }

    /// Lets wall time pass in frames of 16 ms, and returns everything the page was told.
    fn pass(&mut self, milliseconds: f64) -> Vec<Message> {
        let end = self.wall_ms.get() + milliseconds;
        let mut told = Vec::new();
        while self.wall_ms.get() < end {
            self.wall_ms.set(self.wall_ms.get() + 16.0);
            let wall = || self.wall_ms.get();
            self.host.slice(self.wall_ms.get(), 10.0, &wall);
            told.extend(self.messages());
        }
        told
    }

    fn messages(&mut self) -> Vec<Message> {
        let bytes = self.host.take_messages();
        bytes.map(|it| protocol::decode(&it).expect("the host speaks it")).unwrap_or_default()
    }
}

fn batches(messages: &[Message]) -> Vec<&Batch> {
    messages
        .iter()
        .filter_map(|message| match message {
            Message::Batch(batch) => Some(batch),
            _ => None,
        })
        .collect()
}

fn result(messages: &[Message]) -> &CommandResult {
    let found = messages.iter().find_map(|message| match message {
        Message::Result(result) => Some(result),
        _ => None,
    });
    found.expect("the command was answered")
}

#[test]
fn batches_are_numbered_without_a_gap_and_the_first_holds_everything() {
    let mut page = Page::booted();
    let told = page.pass(2000.0);
    let batches = batches(&told);
    assert!(batches[0].reset);
    let numbers: Vec<u64> = batches.iter().map(|batch| batch.sequence).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(batches.iter().skip(1).all(|batch| !batch.reset));
}

#[test]
fn virtual_time_follows_the_wall_clock_times_the_speed() {
    let mut page = Page::booted();
    page.pass(1000.0);
    for speed in [1.0, 10.0, 0.5] {
        page.send(Command::SetSpeed(speed));
        let before = batches(&page.pass(100.0)).last().expect("time flows").now_ms;
        let after = batches(&page.pass(3200.0)).last().expect("time flows").now_ms;
        let passed = (after - before) as f64;
        assert!((passed - 3200.0 * speed).abs() < 150.0 * speed, "×{speed}: {passed} ms");
    }
}

#[test]
fn a_paused_cluster_stands_and_a_step_is_one_event() {
    let mut page = Page::booted();
    page.pass(1000.0);
    page.send(Command::Pause);
    let told = page.pass(100.0);
    let paused = (*batches(&told).last().expect("the pause is told")).clone();
    assert!(!paused.running);
    assert!(batches(&page.pass(1000.0)).is_empty(), "nothing moves, nothing is sent");
    for steps in 1..=20 {
        page.send(Command::Step);
        let told = page.pass(16.0);
        let stepped = *batches(&told).last().expect("every step is told");
        assert_eq!(stepped.events_handled, paused.events_handled + steps);
        assert!(stepped.packets.len() <= 1, "a packet goes in a step of its own");
    }
}

#[test]
fn what_is_applied_is_answered_and_shown() {
    let mut page = Page::booted();
    page.send(Command::RunUntilQuiet { bound_ms: 120_000 });
    page.pass(2000.0);
    page.send(Command::Apply { text: POD.to_string() });
    let told = page.pass(100.0);
    let answer = result(&told);
    assert!(answer.problems.is_empty(), "{:?}", answer.problems);
    assert_eq!(answer.done[0].title, "pod/web");
    assert_eq!(answer.done[0].action, Action::Created);
    let shown = batches(&told).iter().flat_map(|batch| &batch.deltas).any(
        |delta| matches!(delta, Delta::Pod(row) if row.name == "web" && row.namespace == "default"),
    );
    assert!(shown);
}

#[test]
fn a_refused_manifest_says_where_and_why() {
    let mut page = Page::booted();
    page.pass(1000.0);
    page.send(Command::Apply { text: POD.replace("name: web\nspec", "name: Web\nspec") });
    let told = page.pass(100.0);
    let answer = result(&told);
    assert!(answer.done.is_empty());
    let problem = &answer.problems[0];
    assert!(problem.message.contains("Invalid value: \"Web\""), "{problem:?}");
    assert_eq!(problem.field.as_deref(), Some("metadata.name"));
    assert_eq!(problem.line, Some(5));
}

#[test]
fn the_selected_object_is_described_until_it_is_deselected() {
    let mut page = Page::booted();
    page.pass(1000.0);
    page.send(Command::Apply { text: POD.to_string() });
    let object = ObjectRef {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: "default".into(),
        name: "web".into(),
    };
    page.send(Command::Select { object });
    let details = |messages: &[Message]| {
        let details = messages.iter().filter(|message| matches!(message, Message::Detail(_)));
        details.count()
    };
    assert!(details(&page.pass(500.0)) >= 1);
    page.send(Command::Deselect);
    assert_eq!(details(&page.pass(5000.0)), 0);
}

#[test]
fn a_request_before_the_first_boot_is_refused() {
    let mut host = Host::default();
    let bytes = protocol::encode_request(&Request { id: 1, command: Command::Play });
    host.command(&bytes.expect("plain data"), 0.0);
    let told = protocol::decode(&host.take_messages().expect("an answer")).expect("spoken");
    assert!(matches!(told[0], Message::Fatal { .. }));
}

/// Hands the cluster of a page over to a whole engine, as the worker does.
fn handed_over(page: &mut Page) -> (Page, Vec<Message>) {
    let handover = page.host.hand_over().expect("a cluster");
    let last = page.messages();
    let mut host = Host::of(Parts::FULL);
    host.take_over(&handover).expect("a handover");
    while !host.catch_up(10.0, &|| 0.0).expect("the engines agree") {}
    host.go_on(page.wall_ms.get());
    (Page { host, wall_ms: page.wall_ms.clone(), next_id: page.next_id }, last)
}

#[test]
fn what_a_small_engine_lacks_a_whole_one_does_and_the_page_misses_nothing() {
    let mut page = Page { host: Host::of(Parts::CORE), ..Page::booted() };
    page.send(Command::Boot { seed: 1, nodes: 3 });
    page.send(Command::SetSpeed(60.0));
    let mut told = page.pass(1000.0);
    page.send(Command::Apply { text: POD.to_string() });
    page.send(Command::SetSpeed(1.0));
    assert!(page.host.lacking().is_some());
    told.extend(page.pass(500.0));
    let (mut page, last) = handed_over(&mut page);
    told.extend(last);
    assert!(page.host.lacking().is_none());
    let later = page.pass(500.0);
    assert!(result(&later).problems.is_empty());
    assert!(batches(&later).iter().all(|batch| !batch.reset), "the page has the rows already");
    let rows = batches(&later).iter().flat_map(|batch| &batch.deltas).count();
    assert!(rows < 20, "only what changed is told: {rows} rows");
    told.extend(later);
    let numbers: Vec<u64> = batches(&told).iter().map(|batch| batch.sequence).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let speeds: Vec<i64> = batches(&told).iter().rev().take(2).map(|batch| batch.now_ms).collect();
    assert!(speeds[0] - speeds[1] <= 200, "the speed came along: {speeds:?}");
}

#[test]
fn an_engine_that_is_followed_hands_over_while_it_goes_on() {
    let mut page = Page { host: Host::of(Parts::CORE), ..Page::booted() };
    page.send(Command::Boot { seed: 2, nodes: 1 });
    page.pass(1000.0);
    let mut next = Host::of(Parts::FULL);
    next.take_over(&page.host.hand_over().expect("a cluster")).expect("a handover");
    while !next.catch_up(10.0, &|| 0.0).expect("the engines agree") {}
    page.send(Command::FailNode { name: "node-1".to_string() });
    page.pass(1000.0);
    page.send(Command::Pause);
    next.take_over(&page.host.hand_over().expect("a cluster")).expect("a handover");
    while !next.catch_up(10.0, &|| 0.0).expect("the engines agree") {}
    next.go_on(page.wall_ms.get());
    assert_eq!(next.state_hash(), page.host.state_hash());
    assert_eq!(next.slice(page.wall_ms.get(), 10.0, &|| 0.0), -1.0, "it is paused as well");
}

#[test]
fn what_a_torn_event_showed_is_never_told() {
    let mut page = Page { host: Host::of(Parts::CORE), ..Page::booted() };
    page.send(Command::Boot { seed: 1, nodes: 3 });
    page.send(Command::SetSpeed(1000.0));
    page.pass(100.0);
    // Some time after a node has failed, the pods on it are to be evicted.
    page.send(Command::FailNode { name: "node-2".to_string() });
    while page.host.lacking().is_none() {
        page.pass(16.0);
    }
    assert!(batches(&page.pass(500.0)).is_empty());
    let (mut page, _) = handed_over(&mut page);
    let told = page.pass(100.0);
    assert!(batches(&told)[0].reset, "the page is told everything anew");
}

const WEB: &str = "
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, nodePort: 30080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {containers: [{name: web, image: nginx}]}
";

#[test]
fn a_page_that_looks_at_a_packet_is_told_its_hops_with_the_rules_that_decided() {
    let mut page = Page::booted();
    page.send(Command::SetSpeed(60.0));
    page.pass(500.0);
    page.send(Command::Apply { text: WEB.into() });
    page.pass(500.0);
    page.send(Command::Traffic {
        name: "requests".into(),
        from: None,
        url: "http://172.18.0.3:30080/".into(),
        rate_per_second: 5,
    });
    page.send(Command::Packets { shown: true, packet: None });
    page.send(Command::SetSpeed(1.0));
    let told = page.pass(2000.0);
    let last = told.iter().rev().find_map(|message| match message {
        Message::Packets(rows) => Some(rows),
        _ => None,
    });
    let last = last.expect("packets are told while they are looked at");
    let request =
        last.iter().rfind(|packet| packet.words == "HTTP GET /" && packet.through.is_some());
    let packet = request.expect("one of the last hundred is a request").id;
    page.send(Command::Pause);
    page.send(Command::Packets { shown: true, packet: Some(packet) });
    let told = page.messages();
    let hops = told.iter().find_map(|message| match message {
        Message::Hops { packet: id, hops } if *id == packet => Some(hops),
        _ => None,
    });
    let hops = hops.expect("its hops are told");
    let natted = hops.iter().find(|hop| hop.verdict == "Natted");
    assert!(natted.expect("a node port is rewritten").rule.is_some(), "{hops:?}");
    assert_eq!(hops.last().map(|hop| hop.verdict.as_str()), Some("Delivered"));
}

#[test]
fn a_step_to_the_next_packet_moves_one() {
    let mut page = Page::booted();
    page.pass(1000.0);
    page.messages();
    page.send(Command::Pause);
    page.messages();
    for _ in 0..3 {
        page.send(Command::StepPacket);
        let told = page.messages();
        let batch = batches(&told).pop().expect("time went on").clone();
        assert!(!batch.running);
        assert!(batch.events_handled > 0);
    }
}
