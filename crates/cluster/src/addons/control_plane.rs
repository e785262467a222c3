//! The control plane, as static pods of its node.
//!
//! Upstream: cmd/kubeadm/app/phases/controlplane/manifests.go and etcd/local.go

use api::openapi::api::core::v1::{
    Container, HTTPGetAction, Pod, PodSecurityContext, PodSpec, Probe, SeccompProfile, Volume,
    VolumeMount,
};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::parts::{
    container, host_path, http_get, map, meta, mount, port, probe, read_only, resources, text,
};

/// What the four differ in.
struct Component<'a> {
    name: &'static str,
    image: &'static str,
    annotation: Option<(&'static str, String)>,
    arguments: &'a [&'a str],
    port: i32,
    requests: &'static [(&'static str, &'static str)],
    /// Where the probes ask.
    host: &'a str,
    scheme: &'static str,
    /// The paths that say that it has started, that it lives and that it is ready.
    paths: (&'static str, &'static str, Option<&'static str>),
    volumes: Vec<(VolumeMount, Volume)>,
}

/// Upstream: util/staticpod/utils.go, StartupProbe, LivenessProbe and ReadinessProbe.
fn probes(component: &Component<'_>) -> [Option<Probe>; 3] {
    let get = |path: &str| HTTPGetAction {
        host: text(component.host),
        scheme: text(component.scheme),
        ..http_get(path, "probe-port")
    };
    let (started, lives, ready) = component.paths;
    [
        probe(get(started), [10, 10, 15, 24]),
        probe(get(lives), [10, 10, 15, 8]),
        ready.and_then(|path| probe(get(path), [0, 1, 15, 3])),
    ]
}

fn pod(component: Component<'_>) -> Pod {
    let name = component.name;
    let [startup_probe, liveness_probe, readiness_probe] = probes(&component);
    let words = [name].into_iter().chain(component.arguments.iter().copied());
    let (mounts, volumes) = component.volumes.into_iter().unzip();
    let container = Container {
        image_pull_policy: text("IfNotPresent"),
        command: Some(words.map(str::to_string).collect()),
        ports: Some(vec![port("probe-port", component.port, "")]),
        resources: resources(component.requests, &[]),
        startup_probe,
        liveness_probe,
        readiness_probe,
        volume_mounts: Some(mounts),
        ..container(name, component.image)
    };
    let seccomp = SeccompProfile { type_: "RuntimeDefault".into(), ..SeccompProfile::default() };
    let security =
        PodSecurityContext { seccomp_profile: Some(seccomp), ..PodSecurityContext::default() };
    let spec = PodSpec {
        host_network: Some(true),
        priority: Some(2_000_001_000),
        priority_class_name: text("system-node-critical"),
        security_context: Some(security),
        containers: vec![container],
        volumes: Some(volumes),
        ..PodSpec::default()
    };
    let metadata = ObjectMeta {
        annotations: component.annotation.and_then(|(key, value)| map(&[(key, &value)])),
        ..meta("kube-system", name, &[("component", name), ("tier", "control-plane")])
    };
    Pod { metadata, spec: Some(spec), status: None }
}

fn etcd(node: &str, address: &str) -> Pod {
    let clients = format!("https://{address}:2379");
    pod(Component {
        name: "etcd",
        image: "registry.k8s.io/etcd:3.6.6-0",
        annotation: Some(("kubeadm.kubernetes.io/etcd.advertise-client-urls", clients.clone())),
        arguments: &[
            &format!("--advertise-client-urls={clients}"),
            "--data-dir=/var/lib/etcd",
            &format!("--listen-client-urls=https://127.0.0.1:2379,{clients}"),
            "--listen-metrics-urls=http://127.0.0.1:2381",
            &format!("--name={node}"),
        ],
        port: 2381,
        requests: &[("cpu", "100m"), ("memory", "100Mi")],
        host: "127.0.0.1",
        scheme: "HTTP",
        paths: ("/readyz", "/livez", Some("/readyz")),
        volumes: vec![
            (
                mount("etcd-data", "/var/lib/etcd"),
                host_path("etcd-data", "/var/lib/etcd", "DirectoryOrCreate"),
            ),
            (
                mount("etcd-certs", "/etc/kubernetes/pki/etcd"),
                host_path("etcd-certs", "/etc/kubernetes/pki/etcd", "DirectoryOrCreate"),
            ),
        ],
    })
}

fn certificates() -> (VolumeMount, Volume) {
    let mount = read_only(mount("k8s-certs", "/etc/kubernetes/pki"));
    (mount, host_path("k8s-certs", "/etc/kubernetes/pki", "DirectoryOrCreate"))
}

fn kubeconfig(path: &str) -> (VolumeMount, Volume) {
    (read_only(mount("kubeconfig", path)), host_path("kubeconfig", path, "FileOrCreate"))
}

fn kube_apiserver(address: &str) -> Pod {
    pod(Component {
        name: "kube-apiserver",
        image: "registry.k8s.io/kube-apiserver:v1.37.0",
        annotation: Some((
            "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint",
            format!("{address}:6443"),
        )),
        arguments: &[
            &format!("--advertise-address={address}"),
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--etcd-servers=https://127.0.0.1:2379",
            "--secure-port=6443",
            "--service-cluster-ip-range=10.96.0.0/12",
        ],
        port: 6443,
        requests: &[("cpu", "250m")],
        host: address,
        scheme: "HTTPS",
        paths: ("/livez", "/livez", Some("/readyz")),
        volumes: vec![certificates()],
    })
}

fn kube_controller_manager() -> Pod {
    pod(Component {
        name: "kube-controller-manager",
        image: "registry.k8s.io/kube-controller-manager:v1.37.0",
        annotation: None,
        arguments: &[
            "--allocate-node-cidrs=true",
            "--bind-address=127.0.0.1",
            "--cluster-cidr=10.244.0.0/16",
            "--kubeconfig=/etc/kubernetes/controller-manager.conf",
            "--leader-elect=true",
            "--service-cluster-ip-range=10.96.0.0/12",
            "--use-service-account-credentials=true",
        ],
        port: 10257,
        requests: &[("cpu", "200m")],
        host: "127.0.0.1",
        scheme: "HTTPS",
        paths: ("/healthz", "/healthz", None),
        volumes: vec![certificates(), kubeconfig("/etc/kubernetes/controller-manager.conf")],
    })
}

fn kube_scheduler() -> Pod {
    pod(Component {
        name: "kube-scheduler",
        image: "registry.k8s.io/kube-scheduler:v1.37.0",
        annotation: None,
        arguments: &[
            "--authentication-kubeconfig=/etc/kubernetes/scheduler.conf",
            "--bind-address=127.0.0.1",
            "--kubeconfig=/etc/kubernetes/scheduler.conf",
            "--leader-elect=true",
        ],
        port: 10259,
        requests: &[("cpu", "100m")],
        host: "127.0.0.1",
        scheme: "HTTPS",
        paths: ("/livez", "/livez", Some("/readyz")),
        volumes: vec![kubeconfig("/etc/kubernetes/scheduler.conf")],
    })
}

/// The static pods on the node of that name and address.
pub(super) fn pods(node: &str, address: &str) -> [Pod; 4] {
    [etcd(node, address), kube_apiserver(address), kube_controller_manager(), kube_scheduler()]
}
