//! What the page is told of requests: who sends them, what came of them, and the way of their
//! packets.

use cluster::{Cluster, Command, Options, TrafficSource};
use projection::{Projection, Traffic};
use protocol::{Delta, GeneratorRow, PacketRow, PacketSort, Station};
use sim::Duration;

const SHOP: &str = "apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, nodePort: 30080}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec: {containers: [{name: main, image: busybox, command: [sleep, 1d]}]}
";

struct Page {
    cluster: Cluster,
    projection: Projection,
    services: Vec<(String, String)>,
}

fn shop() -> Page {
    let mut cluster = Cluster::new(Options::default());
    cluster.run(Duration::from_secs(20));
    cluster.execute(Command::Apply { text: SHOP.into() });
    cluster.run(Duration::from_secs(30));
    let mut projection = Projection::default();
    let services = projection.reset(&mut cluster).into_iter().filter_map(|delta| match delta {
        Delta::Service(row) => Some((row.name, row.uid)),
        _ => None,
    });
    let services = services.collect();
    Page { cluster, projection, services }
}

impl Page {
    fn send(&mut self, from_client: bool, url: &str, rate_per_second: u32) {
        let pod = TrafficSource::Pod { namespace: "default".into(), name: "client".into() };
        let from = if from_client { pod } else { TrafficSource::Outside };
        let (name, url) = ("requests".into(), url.into());
        let outcome = self.cluster.execute(Command::Traffic { name, from, url, rate_per_second });
        assert!(outcome.results.is_empty(), "{outcome:?}");
    }

    fn uid(&self, service: &str) -> Option<String> {
        let found = self.services.iter().find(|(name, _)| name == service);
        Some(found.expect("it was told").1.clone())
    }

    /// Lets time pass as it does in a browser; everything that was told of packets.
    fn run(&mut self, span: Duration) -> Traffic {
        let mut all = Traffic::default();
        for _ in 0..span.as_nanos() / 16_000_000 {
            self.cluster.run(Duration::from_millis(16));
            let told = self.projection.traffic(&self.cluster, false);
            all.packets.extend(told.packets);
            all.lanes.extend(told.lanes);
            all.left_off += told.left_off;
        }
        all
    }

    fn row(&mut self) -> GeneratorRow {
        let rows = self.projection.generators(&self.cluster).into_iter();
        let mut rows = rows.filter_map(|delta| match delta {
            Delta::Generator(row) => Some(*row),
            _ => None,
        });
        rows.next().expect("the generator has done something")
    }
}

/// Packets that are exactly this; probes ask for other paths.
fn of_words<'a>(packets: &'a [PacketRow], words: &str) -> Vec<&'a PacketRow> {
    packets.iter().filter(|packet| packet.words == words).collect()
}

#[test]
fn requests_and_answers_go_through_the_service_that_they_were_sent_to() {
    let mut page = shop();
    page.send(true, "http://web/", 10);
    let told = page.run(Duration::from_secs(10));
    let client = Station::Pod(
        page.cluster
            .snapshot(api::KindId::POD)
            .iter()
            .find(|pod| pod.name() == "client")
            .expect("it runs")
            .uid()
            .to_string(),
    );
    let requests = of_words(&told.packets, "HTTP GET /");
    assert!(requests.len() > 80, "{}", requests.len());
    for packet in &requests {
        assert_eq!((&packet.from, &packet.through), (&client, &page.uid("web")), "{packet:?}");
    }
    let mut pods: Vec<_> = requests.iter().map(|packet| &packet.to).collect();
    pods.sort();
    pods.dedup();
    assert_eq!(pods.len(), 3, "each of the pods behind it was asked");
    let mut answers = of_words(&told.packets, "HTTP 200");
    answers.retain(|packet| packet.to == client);
    assert_eq!(answers.len(), requests.len());
    assert!(answers.iter().all(|packet| packet.through == page.uid("web")), "{answers:?}");
    let row = page.row();
    assert_eq!(row.redirected + row.client_errors + row.server_errors, 0);
    assert!(row.succeeded > 80, "{row:?}");
}

#[test]
fn a_node_port_leads_from_outside_through_its_service() {
    let mut page = shop();
    page.send(false, "http://172.18.0.3:30080/", 10);
    let told = page.run(Duration::from_secs(3));
    let requests = of_words(&told.packets, "HTTP GET /");
    assert!(!requests.is_empty());
    for packet in requests {
        assert_eq!((&packet.from, &packet.through), (&Station::Outside, &page.uid("web")));
        assert!(matches!(packet.to, Station::Pod(_)), "{packet:?}");
    }
}

#[test]
fn a_service_without_pods_rejects_and_the_sender_is_told() {
    let mut page = shop();
    page.send(true, "http://nobody/", 10);
    let told = page.run(Duration::from_secs(3));
    let rejected = told.packets.iter().filter(|packet| packet.sort == PacketSort::Rejected);
    let rejected: Vec<_> = rejected.collect();
    assert!(rejected.len() > 10, "{rejected:?}");
    assert!(rejected.iter().all(|packet| packet.through == page.uid("nobody")), "{rejected:?}");
    assert!(of_words(&told.packets, "port unreachable").len() > 10);
    page.cluster.run(Duration::from_secs(2));
    assert!(page.row().refused > 10);
}

#[test]
fn what_a_machine_that_is_off_never_receives_is_lost() {
    let mut page = shop();
    page.cluster.execute(Command::FailNode { name: "node-2".into() });
    page.send(false, "http://172.18.0.4:30080/", 10);
    let told = page.run(Duration::from_secs(2));
    let lost = told.packets.iter().filter(|packet| packet.sort == PacketSort::Lost);
    let to = Station::Node("node-2".into());
    assert!(lost.filter(|packet| packet.to == to).count() > 5, "{:?}", told.packets);
}

#[test]
fn of_many_packets_a_sample_is_told_and_how_busy_each_lane_was() {
    let mut page = shop();
    page.send(true, "http://web/", 1000);
    let told = page.run(Duration::from_secs(2));
    assert!(told.left_off > 1000, "{}", told.left_off);
    let web = page.uid("web");
    let through: u32 =
        told.lanes.iter().filter(|lane| lane.through == web).map(|lane| lane.packets).sum();
    assert!(through > 5000, "{through}");
    page.cluster.run(Duration::from_secs(1));
    let _ = page.row();
    page.cluster.run(Duration::from_secs(2));
    let row = page.row();
    assert!((9000..=11_000).contains(&row.answered_tenths), "{row:?}");
    page.cluster.execute(Command::StopTraffic { name: "requests".into() });
    let gone = page.projection.generators(&page.cluster);
    assert_eq!(gone, [Delta::GeneratorRemoved("requests".into())]);
}

#[test]
fn a_paused_page_sees_a_packet_go_from_machine_to_machine() {
    let mut page = shop();
    page.send(true, "http://web/", 5);
    page.run(Duration::from_secs(2));
    let mut parts: Vec<PacketRow> = Vec::new();
    for _ in 0..4000 {
        page.cluster.step();
        parts.extend(page.projection.traffic(&page.cluster, true).packets);
    }
    let over_the_cable =
        parts.iter().find(|part| part.words == "HTTP GET /" && matches!(part.to, Station::Node(_)));
    let first = over_the_cable.expect("a pod behind the Service is on another node");
    assert_eq!(first.through, page.uid("web"));
    let mut rest = parts.iter().filter(|part| part.id == first.id);
    assert_eq!(rest.next(), Some(first));
    let second = rest.next().expect("it arrived");
    assert_eq!((&second.from, &second.through), (&first.to, &None));
    assert!(matches!(second.to, Station::Pod(_)), "{second:?}");
}
