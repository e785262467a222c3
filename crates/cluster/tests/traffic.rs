//! Requests from a pod and from outside, through Services, to pods on other nodes.

use api::KindId;
use api::openapi::api::core::v1::Service;
use cluster::{Cluster, Command, Options, TrafficReport, TrafficSource};
use sim::Duration;

const SHOP: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx:1.29
        ports: [{containerPort: 80}]
        readinessProbe: {httpGet: {path: /, port: 80}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80, nodePort: 30080}]
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  containers:
  - name: main
    image: busybox:1.37
    command: [sleep, 1d]
";

fn shop() -> Cluster {
    let mut cluster = Cluster::new(Options::default());
    cluster.run(Duration::from_secs(20));
    let outcome = cluster.execute(Command::Apply { text: SHOP.into() });
    assert!(outcome.results.iter().all(kubectl::DocumentResult::is_done), "{outcome:?}");
    cluster.run(Duration::from_secs(30));
    cluster
}

fn send(cluster: &mut Cluster, name: &str, from: TrafficSource, url: &str) {
    let (name, url) = (name.to_string(), url.to_string());
    let outcome = cluster.execute(Command::Traffic { name, from, url, rate_per_second: 20 });
    assert!(outcome.results.is_empty(), "{outcome:?}");
}

fn client() -> TrafficSource {
    TrafficSource::Pod { namespace: "default".into(), name: "client".into() }
}

fn report(cluster: &Cluster, name: &str) -> TrafficReport {
    cluster.traffic().find(|report| report.name == name).expect("the traffic")
}

fn assert_well(report: &TrafficReport) {
    assert!(report.running, "{report:?}");
    assert!((180..=220).contains(&report.sent), "{report:?}");
    assert!(report.succeeded + 2 >= report.sent, "all but those under way: {report:?}");
    assert!(report.failures.iter().all(|(_, count)| *count == 0), "{report:?}");
    let mean = report.latency_micros / report.succeeded.max(1);
    assert!((100..20_000).contains(&mean), "{report:?}");
}

#[test]
fn requests_reach_a_service_by_name_by_address_and_by_node_port() {
    let mut cluster = shop();
    let services = cluster.snapshot(KindId::SERVICE);
    let web = services.get(&api::Key::new("default", "web")).and_then(|o| o.get::<Service>());
    let address = web.and_then(|web| web.spec.as_ref()?.cluster_ip.clone()).expect("an address");
    send(&mut cluster, "by-name", client(), "http://web/");
    send(&mut cluster, "by-address", client(), &format!("http://{address}/"));
    send(&mut cluster, "outside", TrafficSource::Outside, "http://172.18.0.3:30080/");
    cluster.run(Duration::from_secs(10));
    for name in ["by-name", "by-address", "outside"] {
        assert_well(&report(&cluster, name));
    }
    cluster.execute(Command::StopTraffic { name: "outside".into() });
    assert_eq!(cluster.traffic().count(), 2);
}

#[test]
fn names_that_do_not_exist_and_ports_that_nobody_listens_at_are_counted() {
    let mut cluster = shop();
    send(&mut cluster, "nobody", client(), "http://nobody/");
    send(&mut cluster, "closed", TrafficSource::Outside, "http://172.18.0.3:81/");
    cluster.run(Duration::from_secs(10));
    let failures = |name: &str, why: &str| {
        let report = report(&cluster, name);
        report.failures.iter().find(|(word, _)| *word == why).map_or(0, |(_, count)| *count)
    };
    assert!(failures("nobody", "unresolved") > 150, "{:?}", report(&cluster, "nobody"));
    assert!(failures("closed", "refused") > 150, "{:?}", report(&cluster, "closed"));
}

#[test]
fn traffic_ends_with_its_container_and_what_makes_no_sense_is_refused() {
    let mut cluster = shop();
    send(&mut cluster, "by-name", client(), "http://web/");
    cluster.run(Duration::from_secs(2));
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: client}\n".to_string();
    cluster.execute(Command::Delete { text });
    cluster.run(Duration::from_secs(40));
    assert!(!report(&cluster, "by-name").running);
    for (url, rate_per_second) in [("ftp://web/", 1), ("http://web/", 0), ("http://web/", 10_001)] {
        let outcome = cluster.execute(Command::Traffic {
            name: "odd".into(),
            from: TrafficSource::Outside,
            url: url.into(),
            rate_per_second,
        });
        assert_eq!(outcome.results.len(), 1, "{url} {rate_per_second}");
    }
}

#[test]
fn traffic_is_part_of_a_session() {
    let mut cluster = shop();
    send(&mut cluster, "by-name", client(), "http://web/");
    cluster.run(Duration::from_secs(3));
    let mut replayed = cluster.session().replay().expect("it replays");
    replayed.run_until(cluster.now(), u64::MAX);
    assert_eq!(replayed.state_hash(), cluster.state_hash());
    assert_eq!(report(&replayed, "by-name"), report(&cluster, "by-name"));
}

#[test]
fn pods_answer_on_nodes_whose_kubelets_have_ended() {
    let mut cluster = shop();
    for node in ["node-1", "node-2", "node-3"] {
        cluster.execute(Command::StopKubelet { node: node.into() });
    }
    cluster.run(Duration::from_secs(2));
    send(&mut cluster, "outside", TrafficSource::Outside, "http://172.18.0.3:30080/");
    cluster.run(Duration::from_secs(10));
    assert_well(&report(&cluster, "outside"));
}
