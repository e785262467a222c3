use api::openapi::api::core::v1::{Pod, PodSpec};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use apiserver::{DeleteOptions, Identity, WatchSelector};
use sim::Duration;

use crate::testing::TestCluster;
use crate::{Change, Informer};

fn cluster() -> TestCluster {
    let mut cluster = TestCluster::new();
    cluster.create_namespace("default");
    cluster
}

fn pod(name: &str, node: Option<&str>) -> Pod {
    Pod {
        metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() },
        spec: Some(PodSpec {
            containers: vec![api::openapi::api::core::v1::Container {
                name: "main".into(),
                image: Some("nginx".into()),
                ..Default::default()
            }],
            node_name: node.map(str::to_string),
            ..PodSpec::default()
        }),
        status: None,
    }
}

fn words(changes: &[Change<Pod>]) -> Vec<String> {
    changes
        .iter()
        .map(|change| match (&change.old, &change.new) {
            (None, Some(_)) => format!("added {}", change.key),
            (Some(_), Some(_)) => format!("modified {}", change.key),
            _ => format!("deleted {}", change.key),
        })
        .collect()
}

#[test]
fn an_informer_lists_first_and_then_follows() {
    let mut cluster = cluster();
    cluster.api::<Pod>("default").create(pod("a", None)).expect("created");
    let mut informer = Informer::<Pod>::new(Identity::administrator(), WatchSelector::Everything);
    assert_eq!(words(&informer.sync(&mut cluster.context(0))), ["added default/a"]);
    cluster.api::<Pod>("default").create(pod("b", None)).expect("created");
    assert_eq!(informer.len(), 1, "what is not delivered is not known");
    cluster.now += Duration::from_millis(1);
    assert_eq!(words(&informer.sync(&mut cluster.context(0))), ["added default/b"]);
    assert_eq!(informer.len(), 2);
}

#[test]
fn a_watch_on_a_node_sees_only_pods_bound_to_it() {
    let mut cluster = cluster();
    let selector = WatchSelector::Node("node-1".into());
    let mut informer = Informer::<Pod>::new(Identity::node("node-1"), selector);
    informer.sync(&mut cluster.context(0));
    cluster.api::<Pod>("default").create(pod("a", None)).expect("created");
    cluster.api::<Pod>("default").create(pod("b", Some("node-1"))).expect("created");
    cluster.api::<Pod>("default").create(pod("c", Some("node-2"))).expect("created");
    let binding = apiserver::Binding { node: "node-1".into(), uid: String::new() };
    cluster.api::<Pod>("default").bind("a", binding).expect("bound");
    cluster.now += Duration::from_millis(1);
    let changes = informer.sync(&mut cluster.context(0));
    assert_eq!(words(&changes), ["added default/b", "added default/a"]);
    let at_once = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    cluster.api::<Pod>("default").delete("a", at_once).expect("deleted");
    cluster.now += Duration::from_millis(1);
    // Upstream: updateForGracefulDeletionAndFinalizers writes the timestamp even for no grace.
    let changes = informer.sync(&mut cluster.context(0));
    assert_eq!(words(&changes), ["modified default/a", "deleted default/a"]);
}
