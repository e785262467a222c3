//! Fields of features that are alpha in 1.37, and so off where nobody turns them on: what is
//! written to them is dropped.
//!
//! Upstream: DropDisabledPodFields in pkg/api/pod/util.go; the gates are named at the fields in
//! staging/src/k8s.io/api/core/v1/types.go

use k8s_openapi::api::core::v1::{
    Container, KeyToPath, Lifecycle, PodSpec, PodTemplateSpec, Probe, Volume,
};

/// Drops the fields of a template. Upstream: DropDisabledTemplateFields.
pub(super) fn template(template: &mut PodTemplateSpec) {
    template.spec.iter_mut().for_each(pod_spec);
}

/// Drops the fields of a specification.
pub(super) fn pod_spec(spec: &mut PodSpec) {
    // EvictionRequestAPI.
    spec.eviction_responders = None;
    spec.volumes.iter_mut().flatten().for_each(volume);
    spec.containers.iter_mut().for_each(container);
    spec.init_containers.iter_mut().flatten().for_each(container);
}

fn container(container: &mut Container) {
    // VolumeBindMountOptions.
    for mount in container.volume_mounts.iter_mut().flatten() {
        mount.bind_mount_options = None;
    }
    let probes = [
        &mut container.liveness_probe,
        &mut container.readiness_probe,
        &mut container.startup_probe,
    ];
    probes.into_iter().flatten().for_each(probe);
    container.lifecycle.iter_mut().for_each(lifecycle);
}

/// H2CContainerProbe and GRPCContainerProbeTLS.
fn probe(probe: &mut Probe) {
    probe.http_get.iter_mut().for_each(|action| action.protocol = None);
    probe.grpc.iter_mut().for_each(|action| action.mode = None);
}

fn lifecycle(lifecycle: &mut Lifecycle) {
    let handlers = [&mut lifecycle.post_start, &mut lifecycle.pre_stop];
    for action in handlers.into_iter().flatten().flat_map(|handler| &mut handler.http_get) {
        action.protocol = None;
    }
}

/// EmptyDirVolumeMode and AtomicWriteVolumeUserFields.
fn volume(volume: &mut Volume) {
    volume.empty_dir.iter_mut().for_each(|dir| dir.mode = None);
    if let Some(secret) = &mut volume.secret {
        secret.default_user = None;
        items(&mut secret.items);
    }
    if let Some(config_map) = &mut volume.config_map {
        config_map.default_user = None;
        items(&mut config_map.items);
    }
    if let Some(downward) = &mut volume.downward_api {
        downward.default_user = None;
        downward.items.iter_mut().flatten().for_each(|file| file.user = None);
    }
    let Some(projected) = &mut volume.projected else { return };
    projected.default_user = None;
    for source in projected.sources.iter_mut().flatten() {
        source.secret.iter_mut().for_each(|secret| items(&mut secret.items));
        source.config_map.iter_mut().for_each(|config_map| items(&mut config_map.items));
        let files = source.downward_api.iter_mut().flat_map(|it| it.items.iter_mut().flatten());
        files.for_each(|file| file.user = None);
        source.service_account_token.iter_mut().for_each(|token| token.user = None);
        source.cluster_trust_bundle.iter_mut().for_each(|bundle| bundle.user = None);
        source.pod_certificate.iter_mut().for_each(|certificate| certificate.user = None);
    }
}

fn items(items: &mut Option<Vec<KeyToPath>>) {
    items.iter_mut().flatten().for_each(|item| item.user = None);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_of_features_that_are_off_are_dropped() {
        let mut spec: PodSpec = serde_json::from_value(json!({
            "containers": [{
                "name": "a",
                "readinessProbe": {"grpc": {"port": 1, "mode": "TLS"}},
                "livenessProbe": {"httpGet": {"port": 1, "protocol": "HTTP2"}},
                "volumeMounts": [{"name": "v", "mountPath": "/v", "bindMountOptions": ["noexec"]}],
            }],
            "volumes": [
                {"name": "v", "emptyDir": {"mode": 511}},
                {"name": "s", "secret": {
                    "defaultUser": 1, "items": [{"key": "k", "path": "p", "user": 1}]}},
            ],
        }))
        .expect("a specification");
        pod_spec(&mut spec);
        assert_eq!(
            serde_json::to_value(spec).expect("JSON"),
            json!({
                "containers": [{
                    "name": "a",
                    "readinessProbe": {"grpc": {"port": 1}},
                    "livenessProbe": {"httpGet": {"port": 1}},
                    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                }],
                "volumes": [
                    {"name": "v", "emptyDir": {}},
                    {"name": "s", "secret": {"items": [{"key": "k", "path": "p"}]}},
                ],
            })
        );
    }
}
