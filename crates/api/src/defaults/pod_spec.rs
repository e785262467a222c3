//! Defaults of pods and of the templates they are made from.

use k8s_openapi::api::core::v1::{Pod, PodSpec, PodTemplateSpec};

use super::{containers, omitted, pod_resources, resources, text, volumes};

/// Upstream: SetObjectDefaults_Pod.
pub(crate) fn pod(pod: &mut Pod) {
    omitted::meta(&mut pod.metadata);
    let spec = pod.spec.get_or_insert_default();
    pod_spec(spec);
    for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
        resources::requests_from_limits(&mut container.resources);
    }
    pod_resources::pod_level_resources(spec);
    spec.enable_service_links.get_or_insert(true);
    if spec.host_network == Some(true) {
        containers::host_network_ports(&mut spec.containers);
        containers::host_network_ports(spec.init_containers.as_deref_mut().unwrap_or_default());
    }
}

/// The defaults of a template. A template requests no resources because it limits them: that
/// happens when a pod is made from it.
pub(super) fn pod_template(template: &mut PodTemplateSpec) {
    template.metadata.iter_mut().for_each(omitted::meta);
    pod_spec(template.spec.get_or_insert_default());
}

/// Upstream: SetDefaults_PodSpec and the defaults of everything in it.
fn pod_spec(spec: &mut PodSpec) {
    omitted::pod_spec(spec);
    text(&mut spec.dns_policy, "ClusterFirst");
    text(&mut spec.restart_policy, "Always");
    spec.security_context.get_or_insert_default();
    spec.termination_grace_period_seconds.get_or_insert(30);
    text(&mut spec.scheduler_name, "default-scheduler");
    service_account(spec);
    resources::resource_list(&mut spec.overhead);
    spec.resources.iter_mut().for_each(resources::requirements);
    spec.volumes.iter_mut().flatten().for_each(volumes::volume);
    spec.init_containers.iter_mut().flatten().for_each(containers::container);
    spec.containers.iter_mut().for_each(containers::container);
    let ephemeral = spec.ephemeral_containers.iter_mut().flatten();
    ephemeral.for_each(containers::ephemeral_container);
}

/// The old name of the field stands for the new one, and always says the same.
/// Upstream: pkg/apis/core/v1/conversion.go
fn service_account(spec: &mut PodSpec) {
    let is_empty = |name: &Option<String>| name.as_deref().unwrap_or_default().is_empty();
    if is_empty(&spec.service_account_name) {
        spec.service_account_name = spec.service_account.take().filter(|name| !name.is_empty());
    }
    if spec.service_account != spec.service_account_name {
        spec.service_account.clone_from(&spec.service_account_name);
    }
}
