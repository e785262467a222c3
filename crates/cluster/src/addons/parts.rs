//! The parts that the add-ons' objects are put together of.

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{
    ConfigMap, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, EnvVarSource,
    HTTPGetAction, HostPathVolumeSource, ObjectFieldSelector, PodSpec, PodTemplateSpec, Probe,
    ResourceRequirements, ServiceAccount, Toleration, Volume, VolumeMount,
};
use api::openapi::apimachinery::pkg::api::resource::Quantity;
use api::openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use api::openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Names and their values.
pub(super) type Pairs<'a> = &'a [(&'a str, &'a str)];

pub(super) fn text(text: &str) -> Option<String> {
    Some(text.to_string())
}

pub(super) fn texts(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| (*text).to_string()).collect())
}

pub(super) fn map(pairs: Pairs<'_>) -> Option<BTreeMap<String, String>> {
    let own = |(name, value): &(&str, &str)| ((*name).to_string(), (*value).to_string());
    (!pairs.is_empty()).then(|| pairs.iter().map(own).collect())
}

pub(super) fn meta(namespace: &str, name: &str, labels: Pairs<'_>) -> ObjectMeta {
    ObjectMeta {
        name: text(name),
        namespace: (!namespace.is_empty()).then(|| namespace.to_string()),
        labels: map(labels),
        ..ObjectMeta::default()
    }
}

pub(super) fn service_account(metadata: ObjectMeta) -> ServiceAccount {
    ServiceAccount { metadata, ..ServiceAccount::default() }
}

pub(super) fn config_map(metadata: ObjectMeta, data: Pairs<'_>) -> ConfigMap {
    ConfigMap { metadata, data: map(data), ..ConfigMap::default() }
}

/// A selector of labels, and the template of the pods that have them.
pub(super) fn template(
    selected: Pairs<'_>,
    labels: Pairs<'_>,
    spec: PodSpec,
) -> (LabelSelector, PodTemplateSpec) {
    let selector = LabelSelector { match_labels: map(selected), ..LabelSelector::default() };
    let metadata = ObjectMeta { labels: map(labels), ..ObjectMeta::default() };
    (selector, PodTemplateSpec { metadata: Some(metadata), spec: Some(spec) })
}

pub(super) fn container(name: &str, image: &str) -> Container {
    Container { name: name.to_string(), image: text(image), ..Container::default() }
}

pub(super) fn toleration(key: &str, operator: &str, effect: &str) -> Toleration {
    let some = |word: &str| (!word.is_empty()).then(|| word.to_string());
    Toleration {
        key: some(key),
        operator: some(operator),
        effect: some(effect),
        ..Toleration::default()
    }
}

fn quantities(pairs: Pairs<'_>) -> Option<BTreeMap<String, Quantity>> {
    let own = |(name, value): &(&str, &str)| ((*name).to_string(), Quantity((*value).to_string()));
    (!pairs.is_empty()).then(|| pairs.iter().map(own).collect())
}

pub(super) fn resources(requests: Pairs<'_>, limits: Pairs<'_>) -> Option<ResourceRequirements> {
    let (requests, limits) = (quantities(requests), quantities(limits));
    Some(ResourceRequirements { requests, limits, ..ResourceRequirements::default() })
}

pub(super) fn port(name: &str, number: i32, protocol: &str) -> ContainerPort {
    ContainerPort {
        name: text(name),
        container_port: number,
        protocol: (!protocol.is_empty()).then(|| protocol.to_string()),
        ..ContainerPort::default()
    }
}

/// An HTTP probe of a path at a port that has a name.
pub(super) fn http_get(path: &str, port: &str) -> HTTPGetAction {
    HTTPGetAction {
        path: text(path),
        port: IntOrString::String(port.to_string()),
        ..HTTPGetAction::default()
    }
}

/// An HTTP probe with its delay, period, timeout and threshold; what is 0 is left out.
pub(super) fn probe(http_get: HTTPGetAction, numbers: [i32; 4]) -> Option<Probe> {
    let [initial_delay_seconds, period_seconds, timeout_seconds, failure_threshold] =
        numbers.map(|number| (number != 0).then_some(number));
    Some(Probe {
        http_get: Some(http_get),
        initial_delay_seconds,
        period_seconds,
        timeout_seconds,
        failure_threshold,
        ..Probe::default()
    })
}

/// A variable that takes its value from a field of the pod.
pub(super) fn variable_of_field(name: &str, path: &str) -> EnvVar {
    let field = ObjectFieldSelector { field_path: path.to_string(), api_version: None };
    let source = EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() };
    EnvVar { name: name.to_string(), value_from: Some(source), ..EnvVar::default() }
}

pub(super) fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.to_string(), mount_path: path.to_string(), ..VolumeMount::default() }
}

pub(super) fn read_only(mount: VolumeMount) -> VolumeMount {
    VolumeMount { read_only: Some(true), ..mount }
}

/// A directory or file of the node; an empty type leaves out what it is.
pub(super) fn host_path(name: &str, path: &str, kind: &str) -> Volume {
    let type_ = (!kind.is_empty()).then(|| kind.to_string());
    let source = HostPathVolumeSource { path: path.to_string(), type_ };
    Volume { name: name.to_string(), host_path: Some(source), ..Volume::default() }
}

pub(super) fn config_volume(name: &str, config_map: &str) -> Volume {
    let source = ConfigMapVolumeSource { name: config_map.to_string(), ..Default::default() };
    Volume { name: name.to_string(), config_map: Some(source), ..Volume::default() }
}
