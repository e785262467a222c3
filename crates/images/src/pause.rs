//! The container that holds a pod's namespaces.

use runtime::Signal;

use crate::catalogue::ImageDefinition;
use crate::server::Idle;
use crate::tags::Tags;

/// `registry.k8s.io/pause`.
pub(crate) static IMAGE: ImageDefinition = ImageDefinition {
    repository: "registry.k8s.io/pause",
    tags: Tags::Released { newest: &[(1, 0), (2, 0), (3, 10)], words: &["latest"], variants: &[] },
    sizes: &[("", 320_448)],
    entrypoint: &["/pause"],
    command: &[],
    variables: &[],
    stop_signal: Signal::Term,
    user: 65535,
    has_userland: false,
    program: |name, _| (name == "pause").then(|| Box::new(Idle) as _),
    by_tag: &[],
    files: &[],
};
