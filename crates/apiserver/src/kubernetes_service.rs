//! What the server itself makes: the priority classes of the system, and the Service `kubernetes`,
//! by which pods reach the API server, with its endpoints, which it makes anew when they are gone.
//!
//! Upstream: pkg/controlplane/controller/kubernetesservice/controller.go,
//! pkg/controlplane/reconcilers/endpointsadapter.go and
//! pkg/registry/scheduling/rest/storage_scheduling.go, AddSystemPriorityClasses

use api::openapi::api::core::v1::{
    EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Service, ServicePort, ServiceSpec,
};
use api::openapi::api::discovery::v1::{
    Endpoint, EndpointConditions, EndpointPort as SlicePort, EndpointSlice,
};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use api::openapi::apimachinery::pkg::util::intstr::IntOrString;
use api::{Key, KindId, Kinded, Object};
use sim::{Digest, Digestible, Duration, Time};

use crate::{ApiServer, Body, Identity, Request, Subresource, Verb};

/// How often the server looks. Upstream: DefaultEndpointReconcilerInterval.
const INTERVAL: Duration = Duration::from_secs(10);
const NAME: &str = "kubernetes";
const NAMESPACE: &str = "default";
/// The first address of the Services' range.
const CLUSTER_IP: &str = "10.96.0.1";
const PORT: i32 = 443;
/// kubeadm's `--secure-port`.
const SECURE_PORT: i32 = 6443;

/// What the server publishes of itself.
#[derive(Clone, Debug)]
pub(crate) struct KubernetesService {
    /// `--advertise-address`.
    address: String,
    /// When it looks next.
    pub(crate) next: Time,
}

impl Digestible for KubernetesService {
    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.address);
        digest.add(&self.next);
    }
}

impl ApiServer {
    /// From now on, the server publishes its address as the Service `kubernetes`, for which the
    /// namespace `default` must exist.
    pub fn advertise(&mut self, now: Time, address: &str) {
        self.kubernetes_service =
            Some(KubernetesService { address: address.to_string(), next: now });
        self.reconcile_kubernetes_service(now);
    }

    /// Makes the priority classes that every cluster has, as far as they are missing.
    pub fn add_system_priority_classes(&mut self, now: Time) {
        for class in api::priority::system_classes() {
            let object = Object::new(class);
            if self.etcd.get(&(object.kind_id(), object.key())).is_none() {
                let key = object.key();
                self.ask(now, Verb::Create, (object.kind_id(), &key), Body::Object(object));
            }
        }
    }

    /// Makes what is missing, if it is time to look.
    pub(crate) fn reconcile_kubernetes_service(&mut self, now: Time) {
        let Some(state) = self.kubernetes_service.as_mut().filter(|it| it.next <= now) else {
            return;
        };
        state.next = now + INTERVAL;
        let address = state.address.clone();
        self.make(now, service);
        self.publish_endpoints(now, endpoints(&address), |found, wanted| {
            found.subsets != wanted.subsets
        });
        self.publish_endpoints(now, endpoint_slice(&address), |found, wanted| {
            found.endpoints != wanted.endpoints || found.ports != wanted.ports
        });
    }

    fn make<T: Kinded>(&mut self, now: Time, object: fn() -> T) {
        let key = Key::new(NAMESPACE, NAME);
        if self.etcd.get(&(T::ID, key.clone())).is_none() {
            self.ask(now, Verb::Create, (T::ID, &key), Body::Object(Object::new(object())));
        }
    }

    /// Creates the object, or brings the one that is there to what it should be.
    fn publish_endpoints<T: Kinded>(&mut self, now: Time, wanted: T, differs: fn(&T, &T) -> bool) {
        let key = Key::new(NAMESPACE, NAME);
        let stored = self.etcd.get(&(T::ID, key.clone()));
        let verb = match stored.and_then(|kv| kv.value.typed::<T>()) {
            None => Verb::Create,
            Some(found) if differs(&found, &wanted) => Verb::Update,
            Some(_) => return,
        };
        self.ask(now, verb, (T::ID, &key), Body::Object(Object::new(wanted)));
    }

    /// What is refused now is tried again when the server looks next.
    fn ask(&mut self, now: Time, verb: Verb, (kind, key): (KindId, &Key), body: Body) {
        let request = Request {
            identity: Identity::new("system:apiserver", &["system:masters"]),
            verb,
            kind,
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            subresource: Subresource::None,
            body,
            dry_run: false,
        };
        drop(self.answer(now, request));
    }
}

fn metadata(labels: &[(&str, &str)]) -> ObjectMeta {
    let labels = labels.iter().map(|(key, value)| (key.to_string(), value.to_string()));
    ObjectMeta {
        name: Some(NAME.to_string()),
        namespace: Some(NAMESPACE.to_string()),
        labels: Some(labels.collect()),
        ..ObjectMeta::default()
    }
}

fn service() -> Service {
    let port = ServicePort {
        name: Some("https".to_string()),
        protocol: Some("TCP".to_string()),
        port: PORT,
        target_port: Some(IntOrString::Int(SECURE_PORT)),
        ..ServicePort::default()
    };
    Service {
        metadata: metadata(&[("component", "apiserver"), ("provider", "kubernetes")]),
        spec: Some(ServiceSpec {
            cluster_ip: Some(CLUSTER_IP.to_string()),
            ports: Some(vec![port]),
            ip_family_policy: Some("SingleStack".to_string()),
            session_affinity: Some("None".to_string()),
            type_: Some("ClusterIP".to_string()),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn endpoints(address: &str) -> Endpoints {
    let port = EndpointPort {
        name: Some("https".to_string()),
        port: SECURE_PORT,
        protocol: Some("TCP".to_string()),
        ..EndpointPort::default()
    };
    let address = EndpointAddress { ip: address.to_string(), ..EndpointAddress::default() };
    Endpoints {
        metadata: metadata(&[("endpointslice.kubernetes.io/skip-mirror", "true")]),
        subsets: Some(vec![EndpointSubset {
            addresses: Some(vec![address]),
            not_ready_addresses: None,
            ports: Some(vec![port]),
        }]),
    }
}

fn endpoint_slice(address: &str) -> EndpointSlice {
    let port = SlicePort {
        name: Some("https".to_string()),
        port: Some(SECURE_PORT),
        protocol: Some("TCP".to_string()),
        ..SlicePort::default()
    };
    let conditions = EndpointConditions { ready: Some(true), ..EndpointConditions::default() };
    let endpoint = Endpoint {
        addresses: vec![address.to_string()],
        conditions: Some(conditions),
        ..Endpoint::default()
    };
    EndpointSlice {
        metadata: metadata(&[("kubernetes.io/service-name", NAME)]),
        address_type: "IPv4".to_string(),
        endpoints: Some(vec![endpoint]),
        ports: Some(vec![port]),
    }
}
