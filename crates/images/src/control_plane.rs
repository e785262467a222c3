//! The images of the control plane. A component runs while one of its containers does, which
//! answers whoever asks for its health; what the component does is the component itself, of
//! which the cluster has one.

use client::Context;
use runtime::{Environment, Flow, Io, Process, ProcessEvent, Signal};
use sim::{Digest, Sort};

use crate::apps::{self, Asked, SITE, Site, State, flag, port_of};
use crate::catalogue::ImageDefinition;
use crate::net::{Reply, text};
use crate::server::{grpc, is_grpc};
use crate::tags::Tags;

const RELEASES: Tags = Tags::Released { newest: &[(1, 37)], words: &[], variants: &[] };

const NAMES: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];

fn own_program(name: &str, _environment: &Environment) -> Option<Box<dyn Process>> {
    let name = NAMES.into_iter().find(|own| *own == name)?;
    Some(Box::new(Component { name, server: server(name)? }))
}

/// A component with the server that answers for its health.
#[derive(Clone, Debug)]
struct Component {
    name: &'static str,
    server: Box<dyn Process>,
}

impl Process for Component {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        self.server.on(event, io)
    }

    fn component(&self) -> Option<&'static str> {
        Some(self.name)
    }

    fn disconnect(&mut self, cx: &mut Context<'_>) {
        self.server.disconnect(cx);
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str(self.name);
        self.server.digest(digest);
    }
}

fn server(name: &str) -> Option<Box<dyn Process>> {
    let ports = match name {
        "etcd" => etcd_ports,
        // The port of the secure listener unless its flag says otherwise.
        "kube-apiserver" => |io: &mut Io<'_>| Ok(vec![secure_port(io, 6443)]),
        "kube-controller-manager" => |io: &mut Io<'_>| Ok(vec![secure_port(io, 10257)]),
        "kube-scheduler" => |io: &mut Io<'_>| Ok(vec![secure_port(io, 10259)]),
        _ => return None,
    };
    apps::start(&Site { name: "component", ports, answer: healthy, ..SITE })
}

fn secure_port(io: &Io<'_>, default: u16) -> u16 {
    flag(io.environment, "secure-port").and_then(port_of).unwrap_or(default)
}

fn etcd_ports(io: &mut Io<'_>) -> Result<Vec<u16>, i32> {
    let flags = [
        ("listen-client-urls", "http://localhost:2379"),
        ("listen-peer-urls", "http://localhost:2380"),
        ("listen-metrics-urls", ""),
    ];
    let urls = flags.map(|(name, default)| flag(io.environment, name).unwrap_or(default));
    let mut ports: Vec<u16> =
        urls.iter().flat_map(|urls| urls.split(',')).filter_map(port_of).collect();
    ports.order();
    ports.dedup();
    Ok(ports)
}

/// A component that runs is well.
fn healthy(_: &mut State, asked: &Asked<'_>, _: &mut Io<'_>) -> Reply {
    Reply::Send(match is_grpc(asked.request) {
        true => grpc(0, "", r#"{"status":"SERVING"}"#),
        false => text(200, "ok"),
    })
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
