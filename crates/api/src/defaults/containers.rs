//! Defaults of containers: pull policy, termination message, ports, probes, handlers and
//! references to fields.

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, EphemeralContainer, HTTPGetAction, Lifecycle,
    ObjectFieldSelector, Probe, ResourceFieldSelector,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as QuantityText;

use super::image::default_pull_policy;
use super::{number, omitted, resources, text};

/// Upstream: SetDefaults_Container and what is generated for the fields of a container.
pub(super) fn container(container: &mut Container) {
    omitted::container(container);
    pull_policy(&mut container.image_pull_policy, container.image.as_deref());
    text(&mut container.termination_message_path, "/dev/termination-log");
    text(&mut container.termination_message_policy, "File");
    ports(&mut container.ports);
    environment(&mut container.env);
    // Upstream has no pointer here: a container always has requirements, however empty.
    resources::requirements(container.resources.get_or_insert_default());
    let probes = [
        &mut container.liveness_probe,
        &mut container.readiness_probe,
        &mut container.startup_probe,
    ];
    probes.into_iter().flatten().for_each(probe);
    lifecycle(&mut container.lifecycle);
}

/// Upstream: SetDefaults_EphemeralContainer.
pub(super) fn ephemeral_container(container: &mut EphemeralContainer) {
    pull_policy(&mut container.image_pull_policy, container.image.as_deref());
    text(&mut container.termination_message_path, "/dev/termination-log");
    text(&mut container.termination_message_policy, "File");
    ports(&mut container.ports);
    environment(&mut container.env);
    resources::requirements(container.resources.get_or_insert_default());
    let probes = [
        &mut container.liveness_probe,
        &mut container.readiness_probe,
        &mut container.startup_probe,
    ];
    probes.into_iter().flatten().for_each(probe);
    lifecycle(&mut container.lifecycle);
}

fn pull_policy(policy: &mut Option<String>, image: Option<&str>) {
    text(policy, default_pull_policy(image.unwrap_or_default()));
}

fn ports(ports: &mut Option<Vec<ContainerPort>>) {
    for port in ports.iter_mut().flatten() {
        text(&mut port.protocol, "TCP");
    }
}

/// The ports of a pod in the node's network are the node's ports.
/// Upstream: defaultHostNetworkPorts.
pub(super) fn host_network_ports(containers: &mut [Container]) {
    for container in containers {
        for port in container.ports.iter_mut().flatten() {
            number(&mut port.host_port, port.container_port);
        }
    }
}

fn environment(variables: &mut Option<Vec<EnvVar>>) {
    for variable in variables.iter_mut().flatten() {
        let Some(source) = &mut variable.value_from else { continue };
        source.field_ref.iter_mut().for_each(field_selector);
        source.resource_field_ref.iter_mut().for_each(resource_field_selector);
        for optional in source.file_key_ref.iter_mut().map(|file| &mut file.optional) {
            optional.get_or_insert(false);
        }
    }
}

/// Upstream: SetDefaults_ObjectFieldSelector.
pub(super) fn field_selector(selector: &mut ObjectFieldSelector) {
    text(&mut selector.api_version, "v1");
}

/// The divisor is not optional upstream, so that it prints as zero when it is not set.
pub(super) fn resource_field_selector(selector: &mut ResourceFieldSelector) {
    let divisor = selector.divisor.get_or_insert_with(|| QuantityText("0".to_string()));
    resources::quantity(divisor);
}

/// Upstream: SetDefaults_Probe.
fn probe(probe: &mut Probe) {
    number(&mut probe.timeout_seconds, 1);
    number(&mut probe.period_seconds, 10);
    number(&mut probe.success_threshold, 1);
    number(&mut probe.failure_threshold, 3);
    probe.http_get.iter_mut().for_each(http_get);
    if let Some(grpc) = &mut probe.grpc {
        grpc.service.get_or_insert_default();
    }
}

fn lifecycle(lifecycle: &mut Option<Lifecycle>) {
    let Some(lifecycle) = lifecycle else { return };
    let handlers = [&mut lifecycle.post_start, &mut lifecycle.pre_stop];
    for handler in handlers.into_iter().flatten() {
        handler.http_get.iter_mut().for_each(http_get);
    }
}

/// Upstream: SetDefaults_HTTPGetAction.
fn http_get(action: &mut HTTPGetAction) {
    text(&mut action.path, "/");
    text(&mut action.scheme, "HTTP");
}
