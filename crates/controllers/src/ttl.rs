//! The TTL controller: tells kubelets by an annotation how long they may keep Secrets and
//! ConfigMaps in memory, which depends on how many nodes there are.
//!
//! Upstream: pkg/controller/ttl/ttl_controller.go

use api::Key;
use api::openapi::api::core::v1::Node;
use sim::Digest;

use crate::{Action, Change, Controller, Enqueue, Error, SyncContext, Watch};

/// Upstream: v1.ObjectTTLAnnotationKey.
const ANNOTATION: &str = "node.alpha.kubernetes.io/ttl";

/// Up to which and from which number of nodes on a time counts. The ranges overlap, so that a
/// node that comes and goes does not change the time of all.
struct Boundary {
    least_nodes: usize,
    most_nodes: usize,
    ttl_seconds: u32,
}

const BOUNDARIES: [Boundary; 5] = [
    Boundary { least_nodes: 0, most_nodes: 100, ttl_seconds: 0 },
    Boundary { least_nodes: 90, most_nodes: 500, ttl_seconds: 15 },
    Boundary { least_nodes: 450, most_nodes: 1000, ttl_seconds: 30 },
    Boundary { least_nodes: 900, most_nodes: 2000, ttl_seconds: 60 },
    Boundary { least_nodes: 1800, most_nodes: usize::MAX, ttl_seconds: 300 },
];

/// The TTL controller.
#[derive(Clone, Debug, Default)]
pub struct TtlController {
    step: usize,
}

impl Controller for TtlController {
    const NAME: &'static str = "ttl-controller";

    fn watches() -> &'static [Watch<Self>] {
        const { &[Watch::on::<Node>(on_node)] }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(node) = cx.informers.get::<Node>(key) else { return Ok(Action::Done) };
        let annotations = node.metadata.annotations.as_ref();
        let current = annotations.and_then(|annotations| annotations.get(ANNOTATION));
        let wanted = BOUNDARIES[self.step].ttl_seconds;
        if current.and_then(|text| text.parse().ok()) != Some(wanted) {
            cx.patch::<Node>(key, move |node| {
                let annotations = node.metadata.annotations.get_or_insert_default();
                annotations.insert(ANNOTATION.to_string(), wanted.to_string());
            })?;
        }
        Ok(Action::Done)
    }

    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.step as u64);
    }
}

fn on_node(controller: &mut TtlController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let nodes = enqueue.informers.objects(change.kind).len();
    controller.step = next_step(controller.step, nodes);
    if change.new.is_some() {
        enqueue.add(change.key.clone());
    }
}

fn next_step(mut step: usize, nodes: usize) -> usize {
    while nodes > BOUNDARIES[step].most_nodes {
        step += 1;
    }
    while nodes < BOUNDARIES[step].least_nodes {
        step -= 1;
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, meta};

    /// Upstream: ttl_controller_test.go, TestDesiredTTL.
    #[test]
    fn the_time_depends_on_the_number_of_nodes_and_on_where_it_came_from() {
        let cases = [
            (0, 1, 0),
            (0, 100, 0),
            (0, 101, 1),
            (1, 90, 1),
            (1, 89, 0),
            (1, 501, 2),
            (2, 449, 1),
            (0, 5000, 4),
        ];
        for (step, nodes, want) in cases {
            assert_eq!(next_step(step, nodes), want, "{nodes} nodes after step {step}");
        }
    }

    /// Upstream: TestPatchNode.
    #[test]
    fn a_node_is_annotated_once() {
        let mut world = World::new();
        let node = Node { metadata: meta("node-1", &[]), ..Node::default() };
        world.cluster.api::<Node>("").create(node).expect("created");
        world.run(20);
        let node = world.cluster.api::<Node>("").get("node-1").expect("found");
        assert_eq!(node.metadata.annotations.clone().expect("annotations")[ANNOTATION], "0");
    }
}
