//! The row of a Service: what it is, and the endpoints of its EndpointSlices.

use api::openapi::api::core::v1::Service;
use api::openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use api::{Key, KindId, Object};
use cluster::Cluster;
use protocol::{EndpointRow, EndpointState, ServiceRow};

use crate::pod::cells_by_name;
use crate::rows::{count, created};

/// The label by which an EndpointSlice says whose it is.
/// Upstream: api/discovery/v1/well_known_labels.go, LabelServiceName
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Of a Service with more endpoints only so many are sent.
const MOST_ENDPOINTS: usize = 200;

/// The Service that an EndpointSlice belongs to.
pub(crate) fn of_slice(slice: &Object) -> Option<Key> {
    let name = slice.meta().labels.as_ref()?.get(SERVICE_NAME)?;
    Some(Key::new(slice.namespace(), name))
}

/// The row of a Service.
pub(crate) fn row(cluster: &Cluster, key: &Key) -> Option<ServiceRow> {
    let services = cluster.snapshot(KindId::SERVICE);
    let object = services.get(key)?;
    object.get::<Service>()?;
    let cells = cells_by_name(object, cluster);
    let cell = |name: &str| cells.get(name).cloned().unwrap_or_default();
    let endpoints = endpoints(cluster, key);
    let ready = endpoints.iter().filter(|row| row.state == EndpointState::Ready).count();
    Some(ServiceRow {
        uid: object.uid().to_string(),
        namespace: object.namespace().to_string(),
        name: object.name().to_string(),
        service_type: cell("Type"),
        cluster_ip: cell("Cluster-IP"),
        ports: cell("Port(s)"),
        total: count(i32::try_from(endpoints.len()).ok()),
        ready: count(i32::try_from(ready).ok()),
        endpoints: endpoints.into_iter().take(MOST_ENDPOINTS).collect(),
        created_ms: created(object.meta()),
    })
}

fn endpoints(cluster: &Cluster, service: &Key) -> Vec<EndpointRow> {
    let slices = cluster.snapshot(KindId::ENDPOINT_SLICE);
    let own = slices
        .in_namespace(&service.namespace)
        .filter(|slice| of_slice(slice).as_ref() == Some(service))
        .filter_map(Object::get::<EndpointSlice>);
    own.flat_map(|slice| slice.endpoints.iter().flatten()).map(endpoint).collect()
}

fn endpoint(endpoint: &Endpoint) -> EndpointRow {
    let conditions = endpoint.conditions.clone().unwrap_or_default();
    let target = endpoint.target_ref.as_ref();
    EndpointRow {
        address: endpoint.addresses.first().cloned().unwrap_or_default(),
        pod: target
            .filter(|target| target.kind.as_deref() == Some("Pod"))
            .and_then(|target| target.uid.clone()),
        // An unknown readiness counts as ready. Upstream: api/discovery/v1/types.go
        state: match (conditions.terminating, conditions.ready) {
            (Some(true), _) => EndpointState::Terminating,
            (_, Some(false)) => EndpointState::NotReady,
            _ => EndpointState::Ready,
        },
    }
}
