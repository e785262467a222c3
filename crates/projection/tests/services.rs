//! What the page is told of Services, of packets, and of the control plane.

use std::collections::BTreeMap;

use cluster::{Cluster, Command, Options};
use projection::Projection;
use protocol::{Delta, EndpointState, ServiceRow};
use sim::Duration;

const WEB: &str = "apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
";

/// The Services as a page holds them: rows by their uid.
#[derive(Default)]
struct Page(BTreeMap<String, ServiceRow>);

impl Page {
    fn take(&mut self, deltas: Vec<Delta>) {
        for delta in deltas {
            match delta {
                Delta::Service(row) => {
                    self.0.insert(row.uid.clone(), *row);
                }
                Delta::ServiceRemoved(uid) => {
                    self.0.remove(&uid).expect("only what the page has goes away");
                }
                _ => {}
            }
        }
    }

    fn web(&self) -> Option<&ServiceRow> {
        self.0.values().find(|row| row.name == "web")
    }
}

fn started() -> (Cluster, Projection, Page) {
    let mut cluster = Cluster::new(Options::default());
    cluster.run(Duration::from_secs(5));
    let (mut projection, mut page) = (Projection::default(), Page::default());
    page.take(projection.reset(&mut cluster));
    (cluster, projection, page)
}

#[test]
fn a_service_follows_its_endpoints_and_its_end() {
    let (mut cluster, mut projection, mut page) = started();
    assert!(page.web().is_none());
    cluster.execute(Command::Apply { text: WEB.into() });
    page.take(projection.changes(&mut cluster));
    let row = page.web().expect("it was applied");
    assert_eq!(
        (row.service_type.as_str(), row.ports.as_str(), row.total),
        ("ClusterIP", "80/TCP", 0)
    );
    cluster.run(Duration::from_secs(60));
    page.take(projection.changes(&mut cluster));
    let row = page.web().unwrap();
    assert_eq!((row.ready, row.total), (2, 2));
    assert!(row.endpoints.iter().all(|it| it.state == EndpointState::Ready && it.pod.is_some()));
    let mut again = Page::default();
    again.take(Projection::default().reset(&mut cluster));
    assert_eq!(again.web(), page.web(), "a page that asks anew sees the same");
    let replicas = 1;
    let (api_version, kind) = ("apps/v1".into(), "Deployment".into());
    let (namespace, name) = ("default".into(), "web".into());
    cluster.execute(Command::Scale { api_version, kind, namespace, name, replicas });
    cluster.run(Duration::from_secs(60));
    page.take(projection.changes(&mut cluster));
    assert_eq!(page.web().unwrap().total, 1);
    cluster.execute(Command::Delete { text: WEB.into() });
    cluster.run(Duration::from_secs(60));
    page.take(projection.changes(&mut cluster));
    assert!(page.web().is_none());
}

#[test]
fn a_stopped_component_is_told_once() {
    let (mut cluster, mut projection, _) = started();
    let told = |projection: &mut Projection, cluster: &mut Cluster| {
        let deltas = projection.changes(cluster).into_iter();
        let components = deltas.filter_map(|delta| match delta {
            Delta::Component(row) => Some((row.name, row.running)),
            _ => None,
        });
        components.collect::<Vec<_>>()
    };
    assert_eq!(told(&mut projection, &mut cluster), []);
    cluster.execute(Command::StopComponent { name: "kube-scheduler".into() });
    // The component runs until its container has ended.
    cluster.run(Duration::from_secs(40));
    assert_eq!(told(&mut projection, &mut cluster), [("kube-scheduler".to_owned(), false)]);
    assert_eq!(told(&mut projection, &mut cluster), []);
}
