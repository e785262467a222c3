//! flannel: tells the other nodes where this one's pods are, and this one where theirs are.
//!
//! Upstream: flannel-io/flannel, main.go, pkg/subnet/kube/kube.go, pkg/backend/vxlan.

use api::Key;
use api::openapi::api::core::v1::{Node, Pod};
use apiserver::{Identity, WatchSelector};
use client::{Context, Informer};
use network::{Cidr, FlannelBackend, MacAddress, RemoteNode};
use runtime::{Environment, Flow, Io, Process, ProcessEvent, Signal};
use sim::{Digest, OrdMap};

use crate::apps::PLAIN;
use crate::catalogue::ImageDefinition;
use crate::userland::copy;

/// `ghcr.io/flannel-io/flannel`.
pub(crate) static IMAGE: ImageDefinition = ImageDefinition {
    repository: "ghcr.io/flannel-io/flannel",
    sizes: &[("", 33_000_000)],
    entrypoint: &["/opt/bin/flanneld"],
    program,
    ..PLAIN
};

/// `ghcr.io/flannel-io/flannel-cni-plugin`: holds the plugin for others to copy.
pub(crate) static PLUGIN: ImageDefinition = ImageDefinition {
    repository: "ghcr.io/flannel-io/flannel-cni-plugin",
    sizes: &[("", 4_900_000)],
    command: &["sh"],
    files: &[("/flannel", "\u{7f}ELF flannel CNI plugin\n")],
    program: |name, _| (name == "cp").then(|| Box::new(Copy) as _),
    ..PLAIN
};

const BACKEND_TYPE: &str = "flannel.alpha.coreos.com/backend-type";
const BACKEND_DATA: &str = "flannel.alpha.coreos.com/backend-data";
const PUBLIC_IP: &str = "flannel.alpha.coreos.com/public-ip";
const MANAGER: &str = "flannel.alpha.coreos.com/kube-subnet-manager";

fn program(name: &str, environment: &Environment) -> Option<Box<dyn Process>> {
    let kube = environment.argv.iter().any(|word| word.ends_with("-kube-subnet-mgr"));
    let identity = Identity::service_account("kube-flannel", "flannel");
    if name == "cp" {
        return Some(Box::new(Copy));
    }
    (name == "flanneld").then(|| {
        Box::new(Flannel {
            kube,
            nodes: Informer::new(identity.clone(), WatchSelector::Everything),
            identity,
            own: String::new(),
            backend: FlannelBackend::Vxlan,
            network: String::new(),
            range: None,
            remotes: OrdMap::new(),
        }) as _
    })
}

/// `cp` as both images use it, without the other commands that are in them.
#[derive(Clone, Debug)]
struct Copy;

impl Process for Copy {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        if event != ProcessEvent::Started {
            return Flow::Continue;
        }
        match copy(&io.environment.argv.clone(), io) {
            Ok(()) => Flow::Exit(0),
            Err(words) => {
                io.stderr(&words);
                Flow::Exit(1)
            }
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("cp");
    }
}

/// The agent of one node.
#[derive(Clone, Debug)]
struct Flannel {
    kube: bool,
    identity: Identity,
    nodes: Informer<Node>,
    /// The name of the node.
    own: String,
    backend: FlannelBackend,
    /// The range of all nodes together.
    network: String,
    range: Option<Cidr>,
    remotes: OrdMap<String, RemoteNode>,
}

/// A text value of a small JSON file.
fn value(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("\"{name}\""))?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    rest.split_once('"').map(|(value, _)| value.to_string())
}

impl Flannel {
    fn begin(&mut self, io: &mut Io<'_>) -> Flow {
        if !self.kube {
            io.stderr("Failed to create SubnetManager: could not connect to etcd\n");
            return Flow::Exit(1);
        }
        let variable = |name: &str| io.environment.variables.get(name).cloned();
        let (pod, namespace) = (variable("POD_NAME"), variable("POD_NAMESPACE"));
        self.own = match (variable("NODE_NAME"), pod, namespace) {
            (Some(node), ..) => node,
            (None, Some(pod), Some(namespace)) => {
                let found = io.cx.api::<Pod>(&self.identity, &namespace).get(&pod);
                let node = found.ok().and_then(|pod| pod.spec.as_ref()?.node_name.clone());
                node.unwrap_or_default()
            }
            _ => {
                io.stderr(
                    "Failed to create SubnetManager: env variables POD_NAME and \
                           POD_NAMESPACE must be set\n",
                );
                return Flow::Exit(1);
            }
        };
        let path = "/etc/kube-flannel/net-conf.json";
        let Some(content) = io.files.read(path) else {
            io.stderr(&format!(
                "Failed to create SubnetManager: failed to read net conf: open {path}: no such \
                 file or directory\n"
            ));
            return Flow::Exit(1);
        };
        let text = String::from_utf8_lossy(content);
        self.network = value(&text, "Network").unwrap_or_default();
        if value(&text, "Type").as_deref() == Some("host-gw") {
            self.backend = FlannelBackend::HostGateway;
        }
        self.take_deliveries(io);
        if self.own_node().is_none() {
            io.stderr(&format!("node {:?} not found\n", self.own));
            return Flow::Exit(1);
        }
        if self.range.is_none() {
            io.stderr(&format!(
                "Error registering network: failed to acquire lease: node {:?} pod cidr not \
                 assigned\n",
                self.own
            ));
            return self.end(1, io);
        }
        Flow::Continue
    }

    fn own_node(&self) -> Option<&Node> {
        self.nodes.get_ref(&Key::cluster(&self.own))
    }

    fn take_deliveries(&mut self, io: &mut Io<'_>) {
        let changes = self.nodes.sync(&mut io.cx);
        if self.range.is_none() {
            let range = self.own_node().and_then(|node| node.spec.as_ref()?.pod_cidr.clone());
            if let Some(range) = range.and_then(|range| range.parse().ok()) {
                self.register(range, io);
            }
        }
        for change in changes {
            if *change.key.name != *self.own {
                self.take_node(&change.key.name, change.new.as_deref(), io);
            }
        }
    }

    /// Takes the node's range: tells the others, and makes the tunnel.
    fn register(&mut self, range: Cidr, io: &mut Io<'_>) {
        self.range = Some(range);
        io.network.machine.set_pod_range(range);
        if self.backend == FlannelBackend::Vxlan {
            io.network.machine.add_tunnel(range);
        }
        if let Ok(cluster) = self.network.parse() {
            io.network.machine.add_flannel_rules(cluster, range);
        }
        let masquerades = io.environment.argv.iter().any(|word| word.ends_with("-ip-masq"));
        if let (true, Ok(network)) = (masquerades, self.network.parse()) {
            io.network.machine.add_flannel_rules(network, range);
        }
        let gateway = std::net::Ipv4Addr::from(u32::from(range.network()).saturating_add(1));
        let environment = format!(
            "FLANNEL_NETWORK={}\nFLANNEL_SUBNET={gateway}/{}\nFLANNEL_MTU=1450\n\
             FLANNEL_IPMASQ=true\n",
            self.network, range.prefix
        );
        io.files.write("/run/flannel/subnet.env", environment.as_bytes());
        io.stderr("Wrote subnet file to /run/flannel/subnet.env\nRunning backend.\n");
        let address = io.network.address().to_string();
        let (kind, data) = match self.backend {
            FlannelBackend::Vxlan => {
                let mac = io.network.machine.tunnel_address();
                ("vxlan", format!("{{\"VNI\":1,\"VtepMAC\":\"{mac}\"}}"))
            }
            FlannelBackend::HostGateway => ("host-gw", "null".to_string()),
        };
        let patched = io.cx.api::<Node>(&self.identity, "").patch(&self.own, move |node| {
            let annotations = node.metadata.annotations.get_or_insert_default();
            for (name, value) in [
                (BACKEND_TYPE, kind),
                (BACKEND_DATA, &data),
                (PUBLIC_IP, &address),
                (MANAGER, "true"),
            ] {
                annotations.insert(name.to_string(), value.to_string());
            }
        });
        if let Err(why) = patched {
            io.stderr(&format!("failed to annotate node: {}\n", why.message()));
        }
    }

    fn take_node(&mut self, name: &str, node: Option<&Node>, io: &mut Io<'_>) {
        let remote = node.and_then(remote_node);
        let before = self.remotes.get(name).copied();
        if before == remote {
            return;
        }
        if let Some(before) = before {
            io.network.machine.remove_remote_node(before);
            self.remotes.remove(name);
        }
        if let Some(remote) = remote {
            io.network.machine.add_remote_node(self.backend, remote);
            io.stderr(&format!("Subnet added: {} via {}\n", remote.pod_range, remote.address));
            self.remotes.insert(name.to_string(), remote);
        }
    }

    fn end(&mut self, code: i32, io: &mut Io<'_>) -> Flow {
        self.disconnect(&mut io.cx);
        Flow::Exit(code)
    }
}

/// What a node's flannel has said of it.
fn remote_node(node: &Node) -> Option<RemoteNode> {
    let annotations = node.metadata.annotations.as_ref()?;
    let pod_range = node.spec.as_ref()?.pod_cidr.as_ref()?.parse().ok()?;
    let address = annotations.get(PUBLIC_IP)?.parse().ok()?;
    let mac = value(annotations.get(BACKEND_DATA)?, "VtepMAC").unwrap_or_default();
    let mut bytes = [0u8; 6];
    for (byte, part) in bytes.iter_mut().zip(mac.split(':')) {
        *byte = u8::from_str_radix(part, 16).unwrap_or(0);
    }
    Some(RemoteNode { address, tunnel: MacAddress(bytes), pod_range })
}

impl Process for Flannel {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        match event {
            ProcessEvent::Started => self.begin(io),
            ProcessEvent::Delivered => {
                self.take_deliveries(io);
                Flow::Continue
            }
            // The routes stay: a restart of the agent disturbs nobody.
            ProcessEvent::Signal(Signal::Term | Signal::Int) => {
                io.stderr("shutdownHandler sent cancel signal...\nExiting cleanly...\n");
                self.end(0, io)
            }
            _ => Flow::Continue,
        }
    }

    fn watches(&self) -> bool {
        true
    }

    fn disconnect(&mut self, cx: &mut Context<'_>) {
        self.nodes.stop(cx.server);
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("flannel");
        digest.add(&self.nodes);
        digest.str(&self.own);
        digest.add(&self.range);
        for (name, remote) in &self.remotes {
            digest.str(name);
            digest.add(&remote.pod_range);
            digest.u64(u64::from(u32::from(remote.address)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        serde_json::from_str(text).expect("a node")
    }

    /// Upstream: pkg/subnet/kube/kube.go, nodeToLease: a node counts when its flannel has said
    /// where it is and it has a range of pods.
    #[test]
    fn a_node_is_reached_by_what_its_flannel_has_said() {
        let complete = r#"{"metadata":{"name":"b","annotations":{
            "flannel.alpha.coreos.com/public-ip":"172.18.0.3",
            "flannel.alpha.coreos.com/backend-data":"{\"VNI\":1,\"VtepMAC\":\"0e:f1:ac:12:00:03\"}"}},
            "spec":{"podCIDR":"10.244.2.0/24"}}"#;
        let remote = remote_node(&node(complete)).expect("all is known");
        assert_eq!(remote.address.to_string(), "172.18.0.3");
        assert_eq!(remote.tunnel.to_string(), "0e:f1:ac:12:00:03");
        assert_eq!(remote.pod_range.to_string(), "10.244.2.0/24");
        for missing in ["public-ip", "backend-data", "podCIDR"] {
            let partly = complete.replace(missing, "other");
            assert!(remote_node(&node(&partly)).is_none(), "{missing}");
        }
    }
}
