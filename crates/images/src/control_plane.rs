//! The images of the control plane. Their containers show that a component runs on a node; what
//! the component does is the component itself, of which the cluster has one. They listen where
//! the real ones do, and say that they are well.

use network::Payload;
use runtime::{Environment, Io, Process, Signal};
use sim::Digest;

use crate::apps::{flag, port_of};
use crate::catalogue::ImageDefinition;
use crate::net::{Arrived, Host, Reply, Service, text};
use crate::server::{grpc, is_grpc};
use crate::tags::Tags;

const RELEASES: Tags = Tags::Released { newest: &[(1, 37)], words: &[], variants: &[] };

/// The programs with the ports that they listen at unless told otherwise, and the flags that
/// tell them.
const PROGRAMS: [(&str, u16, &str); 4] = [
    ("etcd", 2379, "listen-client-urls"),
    ("kube-apiserver", 6443, "secure-port"),
    ("kube-controller-manager", 10257, "secure-port"),
    ("kube-scheduler", 10259, "secure-port"),
];

fn own_program(name: &str, _environment: &Environment) -> Option<Box<dyn Process>> {
    PROGRAMS.iter().any(|(own, ..)| *own == name).then(|| Host::start(Component))
}

/// A component as those see it who ask over the network whether it is well.
#[derive(Clone, Debug)]
struct Component;

impl Service for Component {
    fn begin(&mut self, io: &mut Io<'_>) -> Result<Vec<u16>, i32> {
        let command = io.environment.argv.first().map(String::as_str).unwrap_or_default();
        let name = command.rsplit('/').next().unwrap_or_default();
        let mut ports = io.environment.ports.clone();
        if let Some((_, port, flag_name)) = PROGRAMS.iter().find(|(own, ..)| *own == name) {
            let given = flag(io.environment, flag_name).and_then(port_of);
            ports.push(given.unwrap_or(*port));
        }
        ports.sort_unstable();
        ports.dedup();
        Ok(ports)
    }

    fn serve(&mut self, arrived: &Arrived, _io: &mut Io<'_>) -> Reply {
        match &arrived.payload {
            Payload::HttpRequest(request) if is_grpc(request) => {
                Reply::Send(grpc(0, "", r#"{"status":"SERVING"}"#))
            }
            Payload::HttpRequest(request) => {
                let path = request.path.split('?').next().unwrap_or_default();
                let well = matches!(path, "/healthz" | "/livez" | "/readyz" | "/health");
                Reply::Send(if well { text(200, "ok") } else { text(401, "Unauthorized\n") })
            }
            _ => Reply::Silence,
        }
    }

    fn clone_service(&self) -> Box<dyn Service> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("component");
    }
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
