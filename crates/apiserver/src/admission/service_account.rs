//! A pod runs as a service account that exists, and finds its token mounted.
//!
//! Upstream: plugin/pkg/admission/serviceaccount/admission.go

use api::openapi::api::core::v1::{
    ConfigMapProjection, Container, DownwardAPIProjection, DownwardAPIVolumeFile, KeyToPath,
    ObjectFieldSelector, Pod, PodSpec, ProjectedVolumeSource, ServiceAccount,
    ServiceAccountTokenProjection, Volume, VolumeMount, VolumeProjection,
};
use api::{Key, KindId, Object, Status};
use sim::Duration;

use super::{AdmissionPlugin, Attributes, View};
use crate::Verb;

const DEFAULT_NAME: &str = "default";
/// How long a pod waits for the account `default`: ten looks, up to 200 ms apart.
const DEFAULT_WAIT: Duration = Duration::from_millis(1800);
const VOLUME_NAME: &str = "kube-api-access";
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const MIRROR_ANNOTATION: &str = "kubernetes.io/config.mirror";
/// An hour, and the seven seconds by which the API server knows that it set the period itself.
const TOKEN_EXPIRATION_SECONDS: i64 = 3607;

pub(super) struct ServiceAccountPlugin;

impl AdmissionPlugin for ServiceAccountPlugin {
    fn name(&self) -> &'static str {
        "ServiceAccount"
    }

    fn admit(
        &self,
        request: &Attributes<'_>,
        object: Option<&mut Object>,
        view: &mut View<'_>,
    ) -> Result<(), Status> {
        let Some(object) = object else { return Ok(()) };
        if !request.concerns(KindId::POD) || request.verb != Verb::Create {
            return Ok(());
        }
        if is_mirror(object) {
            return check_mirror(object).map_err(|words| request.forbidden(Some(object), words));
        }
        let wanted = object.get::<Pod>().and_then(|pod| pod.spec.as_ref()).and_then(name_of);
        let name = wanted.unwrap_or(DEFAULT_NAME).to_string();
        let key = Key::new(request.namespace, &name);
        let Some(account) = look_up(view, &key) else {
            let words = format!(
                "error looking up service account {key}: serviceaccount {name:?} not found"
            );
            return Err(request.forbidden(Some(object), &words));
        };
        let Some(pod) = object.get_mut::<Pod>() else { return Ok(()) };
        let spec = pod.spec.get_or_insert_default();
        // Upstream keeps one field for both names; the deprecated one is its copy.
        spec.service_account = Some(name.clone());
        spec.service_account_name = Some(name);
        if should_automount(&account, spec) {
            mount_token(spec, view);
        }
        if spec.image_pull_secrets.as_ref().is_none_or(Vec::is_empty) {
            spec.image_pull_secrets.clone_from(&account.image_pull_secrets);
        }
        Ok(())
    }
}

/// The account of that key. The one that every namespace has is waited for: a pod may come with
/// its namespace, before the controller has made the account. A request here takes no time, so
/// what the wait would bring, an account that says nothing, is taken for granted as long as
/// upstream waits. Upstream: getServiceAccount
fn look_up(view: &View<'_>, key: &Key) -> Option<ServiceAccount> {
    if let Some(account) = view.get(KindId::SERVICE_ACCOUNT, key) {
        return account.get::<ServiceAccount>().cloned();
    }
    let namespace = view.get(KindId::NAMESPACE, &Key::cluster(&key.namespace))?;
    let is_coming = &*key.name == DEFAULT_NAME && view.age(&namespace) < DEFAULT_WAIT;
    is_coming.then(ServiceAccount::default)
}

fn name_of(spec: &PodSpec) -> Option<&str> {
    [&spec.service_account_name, &spec.service_account]
        .into_iter()
        .filter_map(|name| name.as_deref())
        .find(|name| !name.is_empty())
}

fn is_mirror(object: &Object) -> bool {
    let annotations = object.meta().annotations.as_ref();
    annotations.is_some_and(|annotations| annotations.contains_key(MIRROR_ANNOTATION))
}

/// A mirror pod is what a kubelet was given as a file: it may not ask for anything of the API.
fn check_mirror(object: &Object) -> Result<(), &'static str> {
    let Some(spec) = object.get::<Pod>().and_then(|pod| pod.spec.as_ref()) else { return Ok(()) };
    if name_of(spec).is_some() {
        return Err("a mirror pod may not reference service accounts");
    }
    let volumes = spec.volumes.iter().flatten();
    for volume in volumes.clone() {
        if volume.secret.is_some() {
            return Err("a mirror pod may not reference secrets");
        }
    }
    let projections = volumes
        .filter_map(|volume| volume.projected.as_ref())
        .flat_map(|projected| projected.sources.iter().flatten());
    for projection in projections {
        if projection.service_account_token.is_some() {
            return Err("a mirror pod may not use ServiceAccountToken volume projections");
        }
    }
    Ok(())
}

/// The pod decides before the account, and both say yes by saying nothing.
fn should_automount(account: &ServiceAccount, spec: &PodSpec) -> bool {
    spec.automount_service_account_token.or(account.automount_service_account_token).unwrap_or(true)
}

fn mount_token(spec: &mut PodSpec, view: &mut View<'_>) {
    let prefix = format!("{VOLUME_NAME}-");
    let existing = spec
        .volumes
        .iter()
        .flatten()
        .find(|volume| volume.projected.is_some() && volume.name.starts_with(&prefix));
    let existing = existing.map(|volume| volume.name.clone());
    let has_volume = existing.is_some();
    let name = existing.unwrap_or_else(|| view.generate_name(&prefix));
    let mut is_needed = false;
    let containers = spec.init_containers.iter_mut().flatten().chain(&mut spec.containers);
    for container in containers.filter(|container| !has_mount(container)) {
        is_needed = true;
        container.volume_mounts.get_or_insert_default().push(VolumeMount {
            name: name.clone(),
            read_only: Some(true),
            mount_path: MOUNT_PATH.to_string(),
            ..VolumeMount::default()
        });
    }
    if is_needed && !has_volume {
        spec.volumes.get_or_insert_default().push(Volume {
            name,
            projected: Some(token_source()),
            ..Volume::default()
        });
    }
}

fn has_mount(container: &Container) -> bool {
    container.volume_mounts.iter().flatten().any(|mount| mount.mount_path == MOUNT_PATH)
}

/// Upstream: TokenVolumeSource.
fn token_source() -> ProjectedVolumeSource {
    let token = ServiceAccountTokenProjection {
        path: "token".to_string(),
        expiration_seconds: Some(TOKEN_EXPIRATION_SECONDS),
        ..ServiceAccountTokenProjection::default()
    };
    let certificate = ConfigMapProjection {
        name: "kube-root-ca.crt".to_string(),
        items: Some(vec![KeyToPath {
            key: "ca.crt".to_string(),
            path: "ca.crt".to_string(),
            ..KeyToPath::default()
        }]),
        ..ConfigMapProjection::default()
    };
    let namespace = DownwardAPIProjection {
        items: Some(vec![DownwardAPIVolumeFile {
            path: "namespace".to_string(),
            field_ref: Some(ObjectFieldSelector {
                api_version: Some("v1".to_string()),
                field_path: "metadata.namespace".to_string(),
            }),
            ..DownwardAPIVolumeFile::default()
        }]),
    };
    let empty = VolumeProjection::default;
    ProjectedVolumeSource {
        default_mode: Some(0o644),
        sources: Some(vec![
            VolumeProjection { service_account_token: Some(token), ..empty() },
            VolumeProjection { config_map: Some(certificate), ..empty() },
            VolumeProjection { downward_api: Some(namespace), ..empty() },
        ]),
        ..ProjectedVolumeSource::default()
    }
}
