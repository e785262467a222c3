//! Prefers nodes that hold the pod's images already, the larger the better; an image that only
//! few nodes hold counts less, so that its pods do not all gather there.
//!
//! Upstream: pkg/scheduler/framework/plugins/imagelocality/image_locality.go

use crate::framework::{
    CycleState, Handle, MAX_NODE_SCORE, NodeInfo, Plugin, PodInfo, PreScorePlugin, ScorePlugin,
    Status,
};
use sim::SmallMap;

const PRE_SCORE_STATE: &str = "PreScoreImageLocality";
const MEBIBYTE: i64 = 1024 * 1024;
/// Images of less in all count nothing.
const MIN_THRESHOLD: i64 = 23 * MEBIBYTE;
/// Images of more than this each count no more.
const MAX_CONTAINER_THRESHOLD: i64 = 1000 * MEBIBYTE;

/// The plugin.
pub struct ImageLocality;

/// The pod's images that some node holds, and which part of the nodes hold them.
struct PreScoreState {
    spreads: SmallMap<String, f64>,
}

impl Plugin for ImageLocality {
    fn name(&self) -> &'static str {
        "ImageLocality"
    }

    fn as_pre_score(&self) -> Option<&dyn PreScorePlugin> {
        Some(self)
    }

    fn as_score(&self) -> Option<&dyn ScorePlugin> {
        Some(self)
    }
}

impl PreScorePlugin for ImageLocality {
    fn pre_score(
        &self,
        handle: Handle<'_>,
        state: &mut CycleState,
        pod: &PodInfo,
        _nodes: &[&NodeInfo],
    ) -> Status {
        let all = handle.snapshot.len() as f64;
        let spreads = images(pod).map(normalized_image_name).filter_map(|name| {
            let holding = handle.snapshot.nodes_with_image(&name);
            (holding > 0).then(|| (name, f64::from(holding) / all))
        });
        let spreads = spreads.collect();
        state.write(PRE_SCORE_STATE, PreScoreState { spreads });
        Status::SUCCESS
    }
}

impl ScorePlugin for ImageLocality {
    fn score(&self, state: &CycleState, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let Some(state) = state.read::<PreScoreState>(PRE_SCORE_STATE) else { return 0 };
        if state.spreads.is_empty() {
            return 0;
        }
        let scaled = |name: String| {
            let (spread, size) = (state.spreads.get(&name)?, node.images.get(&name)?);
            Some((*size as f64 * spread) as i64)
        };
        let sum = images(pod).map(normalized_image_name).filter_map(scaled).sum();
        let count = i64::try_from(images(pod).count()).unwrap_or(i64::MAX);
        calculate_priority(sum, count)
    }
}

/// The images of a pod's containers and of its volumes, in the order of the spec.
fn images(pod: &PodInfo) -> impl Iterator<Item = &str> {
    let spec = pod.pod.spec.iter();
    let images = spec.flat_map(|spec| {
        let init = spec.init_containers.iter().flatten();
        let containers = init.chain(&spec.containers).map(|container| container.image.as_deref());
        let volumes = spec.volumes.iter().flatten().filter_map(|volume| volume.image.as_ref());
        containers.chain(volumes.map(|image| image.reference.as_deref()))
    });
    images.map(Option::unwrap_or_default)
}

/// Brings what the images weigh between 0 and [`MAX_NODE_SCORE`].
fn calculate_priority(sum: i64, images: i64) -> i64 {
    let most = MAX_CONTAINER_THRESHOLD * images;
    let sum = if sum < MIN_THRESHOLD { MIN_THRESHOLD } else { sum.min(most) };
    MAX_NODE_SCORE * (sum - MIN_THRESHOLD) / (most - MIN_THRESHOLD)
}

/// The name as nodes list it: with a tag. Upstream: normalizedImageName.
fn normalized_image_name(name: &str) -> String {
    if name.rfind(':') <= name.rfind('/') { format!("{name}:latest") } else { name.to_string() }
}

#[cfg(test)]
mod tests {
    use api::openapi::api::core::v1::{Container, ContainerImage, Node, Pod};

    use super::*;
    use crate::plugins::world::World;
    use crate::tests::cluster::{node, pod};

    fn holding(name: &str, images: &[(&[&str], i64)]) -> Node {
        let mut node = node(name, &[]);
        let image = |(names, size): &(&[&str], i64)| ContainerImage {
            names: Some(names.iter().map(|name| format!("gcr.io/{name}")).collect()),
            size_bytes: Some(size * MEBIBYTE),
        };
        node.status.get_or_insert_default().images = Some(images.iter().map(image).collect());
        node
    }

    fn with_images(init: &[&str], images: &[&str]) -> Pod {
        let container = |image: &&str| Container {
            image: Some(format!("gcr.io/{image}")),
            ..Container::default()
        };
        let mut pod = pod("pod", &[]);
        let spec = pod.spec.get_or_insert_default();
        spec.containers = images.iter().map(container).collect();
        spec.init_containers = Some(init.iter().map(container).collect());
        pod
    }

    // Upstream: image_locality_test.go, TestImageLocalityPriority. The thresholds there are those
    // of a whole pod; here they are for each container, as its newer versions reckon.
    #[test]
    fn image_locality_priority() {
        let one = || {
            let images: [(&[&str], i64); 3] = [
                (&["40:latest", "40:v1", "40:v1"], 40),
                (&["300:latest", "300:v1"], 300),
                (&["2000:latest"], 2000),
            ];
            holding("machine1", &images)
        };
        let two = || holding("machine2", &[(&["250:latest"], 250), (&["10:latest", "10:v1"], 10)]);
        let none = || holding("machine3", &[]);
        // 100 * (250/2 - 23) / (2000 - 23), and so on.
        for (name, init, images, nodes, want) in [
            (
                "two images spread on two nodes, prefer the larger image one",
                &[][..],
                &["40", "250"][..],
                vec![one(), two()],
                vec![0, 5],
            ),
            (
                "two images on one node, prefer this node",
                &[],
                &["40", "300"],
                vec![one(), two()],
                vec![7, 0],
            ),
            ("if exceed limit, use limit", &[], &["10", "2000"], vec![one(), two()], vec![49, 0]),
            (
                "if exceed limit, use limit (with node which has no images present)",
                &[],
                &["10", "2000"],
                vec![one(), two(), none()],
                vec![32, 0, 0],
            ),
            (
                "images of init containers count as well",
                &["300"],
                &["40"],
                vec![one(), two()],
                vec![7, 0],
            ),
            ("no node has any of the images", &[], &["1", "2"], vec![one(), two()], vec![0, 0]),
        ] {
            let world = World::new(nodes, vec![]);
            let scores = world.score("ImageLocality", with_images(init, images));
            assert_eq!(scores, Some(want), "{name}");
        }
    }

    // Upstream: image_locality_test.go, TestNormalizedImageName.
    #[test]
    fn names_without_a_tag_mean_the_latest() {
        for (name, want) in [
            ("root", "root:latest"),
            ("root:tag", "root:tag"),
            ("gcr.io:5000/root", "gcr.io:5000/root:latest"),
            ("root@sha256:6d1ef012b5674ad8a127ecfa9b5e6f5178d171b90ee462846974177fd9bdd39f", ""),
        ] {
            let want = if want.is_empty() { name } else { want };
            assert_eq!(normalized_image_name(name), want);
        }
    }
}
