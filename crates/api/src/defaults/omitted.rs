//! Fields that say nothing. Where Go has no pointer, an empty text or list, a zero or a false
//! is the same as no value, and is not stored.
//!
//! Upstream: the `omitempty` fields without a pointer in
//! staging/src/k8s.io/api/core/v1/types.go

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, Container, NodeSelectorTerm, PodAffinityTerm, PodSecurityContext, PodSpec,
    ResourceRequirements, SecurityContext, Volume, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

/// Takes back an empty text.
pub(super) fn text(field: &mut Option<String>) {
    field.take_if(|text| text.is_empty());
}

/// Takes back an empty list.
pub(super) fn list<T>(field: &mut Option<Vec<T>>) {
    field.take_if(|list| list.is_empty());
}

/// Takes back an empty map.
pub(super) fn map<V>(field: &mut Option<BTreeMap<String, V>>) {
    field.take_if(|map| map.is_empty());
}

/// Takes back a zero.
pub(super) fn number(field: &mut Option<i32>) {
    field.take_if(|number| *number == 0);
}

/// Takes back a false.
pub(super) fn flag(field: &mut Option<bool>) {
    field.take_if(|flag| !*flag);
}

/// Metadata of any object.
pub(crate) fn meta(meta: &mut ObjectMeta) {
    map(&mut meta.labels);
    map(&mut meta.annotations);
    list(&mut meta.finalizers);
    list(&mut meta.owner_references);
    list(&mut meta.managed_fields);
    text(&mut meta.generate_name);
    text(&mut meta.self_link);
}

pub(super) fn label_selector(selector: &mut LabelSelector) {
    map(&mut selector.match_labels);
    list(&mut selector.match_expressions);
    selector.match_expressions.iter_mut().flatten().for_each(|it| list(&mut it.values));
}

pub(super) fn requirements(resources: &mut ResourceRequirements) {
    map(&mut resources.limits);
    map(&mut resources.requests);
    list(&mut resources.claims);
}

pub(super) fn pod_spec(spec: &mut PodSpec) {
    list(&mut spec.volumes);
    list(&mut spec.init_containers);
    list(&mut spec.ephemeral_containers);
    map(&mut spec.node_selector);
    text(&mut spec.service_account_name);
    text(&mut spec.node_name);
    flag(&mut spec.host_network);
    flag(&mut spec.host_pid);
    flag(&mut spec.host_ipc);
    list(&mut spec.image_pull_secrets);
    text(&mut spec.hostname);
    text(&mut spec.subdomain);
    list(&mut spec.tolerations);
    list(&mut spec.host_aliases);
    text(&mut spec.priority_class_name);
    list(&mut spec.readiness_gates);
    map(&mut spec.overhead);
    list(&mut spec.topology_spread_constraints);
    list(&mut spec.scheduling_gates);
    list(&mut spec.resource_claims);
    for toleration in spec.tolerations.iter_mut().flatten() {
        text(&mut toleration.key);
        text(&mut toleration.operator);
        text(&mut toleration.value);
        text(&mut toleration.effect);
    }
    for constraint in spec.topology_spread_constraints.iter_mut().flatten() {
        list(&mut constraint.match_label_keys);
        constraint.label_selector.iter_mut().for_each(label_selector);
    }
    spec.security_context.iter_mut().for_each(pod_context);
    spec.affinity.iter_mut().for_each(affinity);
    spec.volumes.iter_mut().flatten().for_each(volume);
    if let Some(config) = &mut spec.dns_config {
        list(&mut config.nameservers);
        list(&mut config.searches);
        list(&mut config.options);
    }
}

fn pod_context(context: &mut PodSecurityContext) {
    list(&mut context.supplemental_groups);
    list(&mut context.sysctls);
}

fn affinity(affinity: &mut Affinity) {
    if let Some(node) = &mut affinity.node_affinity {
        list(&mut node.preferred_during_scheduling_ignored_during_execution);
        let required = node.required_during_scheduling_ignored_during_execution.iter_mut();
        required.flat_map(|selector| &mut selector.node_selector_terms).for_each(node_term);
        let preferred = node.preferred_during_scheduling_ignored_during_execution.iter_mut();
        preferred.flatten().for_each(|term| node_term(&mut term.preference));
    }
    if let Some(near) = &mut affinity.pod_affinity {
        pod_terms(
            &mut near.required_during_scheduling_ignored_during_execution,
            &mut near.preferred_during_scheduling_ignored_during_execution,
        );
    }
    if let Some(far) = &mut affinity.pod_anti_affinity {
        pod_terms(
            &mut far.required_during_scheduling_ignored_during_execution,
            &mut far.preferred_during_scheduling_ignored_during_execution,
        );
    }
}

fn node_term(term: &mut NodeSelectorTerm) {
    list(&mut term.match_expressions);
    list(&mut term.match_fields);
    let expressions = term.match_expressions.iter_mut().chain(&mut term.match_fields);
    expressions.flatten().for_each(|expression| list(&mut expression.values));
}

fn pod_terms(
    required: &mut Option<Vec<PodAffinityTerm>>,
    preferred: &mut Option<Vec<WeightedPodAffinityTerm>>,
) {
    list(required);
    list(preferred);
    let weighted = preferred.iter_mut().flatten().map(|term| &mut term.pod_affinity_term);
    for term in required.iter_mut().flatten().chain(weighted) {
        list(&mut term.namespaces);
        list(&mut term.match_label_keys);
        list(&mut term.mismatch_label_keys);
        term.label_selector.iter_mut().for_each(label_selector);
        term.namespace_selector.iter_mut().for_each(label_selector);
    }
}

fn volume(volume: &mut Volume) {
    if let Some(config_map) = &mut volume.config_map {
        list(&mut config_map.items);
    }
    if let Some(secret) = &mut volume.secret {
        list(&mut secret.items);
    }
    if let Some(dir) = &mut volume.empty_dir {
        text(&mut dir.medium);
    }
    if let Some(claim) = &mut volume.persistent_volume_claim {
        flag(&mut claim.read_only);
    }
    macro_rules! read_only {
        ($($source:ident),*) => {
            $(volume.$source.iter_mut().for_each(|source| flag(&mut source.read_only));)*
        };
    }
    read_only!(aws_elastic_block_store, azure_file, cephfs, cinder, fc, flex_volume);
    read_only!(gce_persistent_disk, glusterfs, iscsi, nfs, portworx_volume, quobyte, rbd);
    read_only!(scale_io, storageos);
}

pub(super) fn container(container: &mut Container) {
    text(&mut container.image);
    list(&mut container.command);
    list(&mut container.args);
    text(&mut container.working_dir);
    list(&mut container.ports);
    list(&mut container.env_from);
    list(&mut container.env);
    list(&mut container.resize_policy);
    list(&mut container.volume_mounts);
    list(&mut container.volume_devices);
    flag(&mut container.stdin);
    flag(&mut container.stdin_once);
    flag(&mut container.tty);
    for port in container.ports.iter_mut().flatten() {
        text(&mut port.name);
        text(&mut port.host_ip);
        number(&mut port.host_port);
    }
    for variable in container.env.iter_mut().flatten() {
        text(&mut variable.value);
    }
    for source in container.env_from.iter_mut().flatten() {
        text(&mut source.prefix);
    }
    for mount in container.volume_mounts.iter_mut().flatten() {
        flag(&mut mount.read_only);
        text(&mut mount.sub_path);
        text(&mut mount.sub_path_expr);
    }
    let probes = [
        &mut container.liveness_probe,
        &mut container.readiness_probe,
        &mut container.startup_probe,
    ];
    for probe in probes.into_iter().flatten() {
        number(&mut probe.initial_delay_seconds);
        if let Some(action) = &mut probe.http_get {
            text(&mut action.host);
            list(&mut action.http_headers);
        }
        probe.tcp_socket.iter_mut().for_each(|action| text(&mut action.host));
    }
    container.security_context.iter_mut().for_each(security_context);
}

fn security_context(context: &mut SecurityContext) {
    if let Some(capabilities) = &mut context.capabilities {
        list(&mut capabilities.add);
        list(&mut capabilities.drop);
    }
}
