//! The images of the control plane. Their containers show that a component runs on a node; what
//! the component does is the component itself, of which the cluster has one.

use runtime::{Environment, Process, Signal};

use crate::catalogue::ImageDefinition;
use crate::server::Idle;
use crate::tags::Tags;

const RELEASES: Tags = Tags::Released { newest: &[(1, 37)], words: &[], variants: &[] };

fn own_program(name: &str, _environment: &Environment) -> Option<Box<dyn Process>> {
    let own = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];
    own.contains(&name).then(|| Box::new(Idle) as _)
}

const fn image(
    repository: &'static str,
    entrypoint: &'static [&'static str],
    sizes: &'static [(&'static str, u64)],
    tags: Tags,
) -> ImageDefinition {
    ImageDefinition {
        repository,
        tags,
        sizes,
        entrypoint,
        command: &[],
        variables: &[],
        stop_signal: Signal::Term,
        user: 0,
        has_userland: false,
        program: own_program,
        by_tag: &[],
        files: &[],
    }
}

/// `registry.k8s.io/etcd`.
pub(crate) static ETCD: ImageDefinition = image(
    "registry.k8s.io/etcd",
    &["etcd"],
    &[("", 22_871_747)],
    Tags::Released { newest: &[(3, 6)], words: &[], variants: &["0", "1", "2", "3"] },
);

/// `registry.k8s.io/kube-apiserver`.
pub(crate) static KUBE_APISERVER: ImageDefinition =
    image("registry.k8s.io/kube-apiserver", &["kube-apiserver"], &[("", 27_671_920)], RELEASES);

/// `registry.k8s.io/kube-controller-manager`.
pub(crate) static KUBE_CONTROLLER_MANAGER: ImageDefinition = image(
    "registry.k8s.io/kube-controller-manager",
    &["kube-controller-manager"],
    &[("", 23_121_143)],
    RELEASES,
);

/// `registry.k8s.io/kube-scheduler`.
pub(crate) static KUBE_SCHEDULER: ImageDefinition =
    image("registry.k8s.io/kube-scheduler", &["kube-scheduler"], &[("", 17_382_979)], RELEASES);
