//! A pod's volumes: what has to be there before its containers start, and the files they find.
//!
//! Upstream: pkg/kubelet/volumemanager; pkg/volume/{configmap,secret,projected,downwardapi}.

use std::collections::BTreeMap;

use api::openapi::api::core::v1::{
    Container, DownwardAPIVolumeFile, HostPathVolumeSource, KeyToPath, Pod, Volume as VolumeSource,
    VolumeMount, VolumeProjection,
};
use api::openapi::apimachinery::pkg::api::resource::Quantity;
use client::{Context, EventType};
use runtime::{Environment, Files, Volume};
use sim::{Digest, Digestible, Duration, SmallMap, Time};

use crate::actions;
use crate::environment::{config_map, expand_or_name, metadata_field, resource_value, secret};
use crate::node::Node;
use crate::pod_worker::PodWorker;
use crate::resources::value;

/// Upstream: pkg/util/goroutinemap/exponentialbackoff, initialDurationBeforeRetry and
/// maxDurationBeforeRetry.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(122);

/// How often a pod is synced: at least and at most. Upstream: KubeletConfiguration.syncFrequency
/// and pkg/kubelet/pod_workers.go, workerResyncIntervalJitterFactor.
const RESYNC: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(90));

/// How often it is measured how much the volumes hold: at least and at most.
/// Upstream: KubeletConfiguration.volumeStatsAggPeriod and
/// pkg/kubelet/server/stats/volume_stat_calculator.go, StartOnce.
const MEASURED: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(120));

const MISSING_CONFIG_KEY: &str = "configmap references non-existent config key";
const MISSING_SECRET_KEY: &str = "references non-existent secret key";

type Contents = SmallMap<String, Vec<u8>>;

/// How far the volumes of a pod have come.
#[derive(Clone, Debug, Default)]
pub(crate) struct VolumeState {
    /// The volumes by name, shared by the pod's containers; empty until all are mounted.
    pub(crate) mounted: SmallMap<String, Volume>,
    ready: bool,
    retry: Duration,
    retry_at: Option<Time>,
    /// When the sources are looked at again; `None` when no volume can change.
    pub(crate) refresh_at: Option<Time>,
    /// When it is measured how much they hold; `None` when none has a limit.
    pub(crate) measured_at: Option<Time>,
}

/// The name under which the machine's own files are mounted. No volume of a pod can have it.
pub(crate) const HOST_VOLUME: &str = "/";

/// The files that a container of the pod begins with. A `hostPath` is a part of the machine's
/// own files.
///
/// # Errors
/// The kubelet's words, when a path within a volume names variables that there are not.
pub(crate) fn mounts(
    pod: &Pod,
    container: &Container,
    environment: &Environment,
) -> Result<Files, String> {
    let mut files = Files::new();
    let volumes = || pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    for mount in container.volume_mounts.iter().flatten() {
        let sub_path = match mount.sub_path_expr.as_deref() {
            Some(path) if !path.is_empty() => expand_all(path, &environment.variables)?,
            _ => mount.sub_path.clone().unwrap_or_default(),
        };
        if sub_path.starts_with('/') {
            return Err(format!("error SubPath `{sub_path}` must not be an absolute path"));
        }
        if sub_path.split('/').any(|part| part == "..") {
            return Err(format!("unable to provision SubPath `{sub_path}`: must not contain '..'"));
        }
        let read_only = mount.read_only == Some(true);
        let volume = volumes().find(|volume| volume.name == mount.name);
        match volume.and_then(|volume| volume.host_path.as_ref()) {
            Some(host) => {
                let path = format!("{}/{sub_path}", host.path.trim_end_matches('/'));
                files.mount(&mount.mount_path, HOST_VOLUME, &path, read_only);
            }
            None if has_sub_path(mount) && volume.is_some_and(is_written) => {
                let name = kept_name(&mount.name, container);
                files.mount(&mount.mount_path, &name, &sub_path, read_only);
            }
            None => files.mount(&mount.mount_path, &mount.name, &sub_path, read_only),
        }
    }
    Ok(files)
}

fn has_sub_path(mount: &VolumeMount) -> bool {
    [&mount.sub_path, &mount.sub_path_expr].into_iter().flatten().any(|path| !path.is_empty())
}

/// Whether the kubelet writes what is in a volume.
fn is_written(volume: &VolumeSource) -> bool {
    volume.config_map.is_some()
        || volume.secret.is_some()
        || volume.downward_api.is_some()
        || volume.projected.is_some()
}

/// The name of what a container keeps of a volume. No volume of a pod can have it.
fn kept_name(volume: &str, container: &Container) -> String {
    format!("{volume}/{}", container.name)
}

/// Expands a path that must not name what there is not.
/// Upstream: pkg/kubelet/container/helpers.go, ExpandContainerVolumeMounts.
fn expand_all(path: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let (expanded, missing) = expand_or_name(path, &[variables]);
    match missing.as_slice() {
        [] => Ok(expanded),
        [name] => Err(format!("missing value for {name:?}")),
        names => {
            let words = names.iter().map(|name| format!("missing value for {name:?}"));
            Err(format!("[{}]", words.collect::<Vec<_>>().join(", ")))
        }
    }
}

/// Directories that every machine has, whatever is in them.
const HOST_DIRECTORIES: [&str; 21] = [
    "",
    "bin",
    "boot",
    "dev",
    "etc",
    "etc/cni",
    "etc/kubernetes",
    "etc/ssl/certs",
    "home",
    "lib/modules",
    "mnt",
    "opt",
    "proc",
    "root",
    "run",
    "sys",
    "sys/fs/cgroup",
    "tmp",
    "usr",
    "var/lib/kubelet",
    "var/log",
];

/// Checks what a `hostPath` must be, and makes it where its type says so.
/// Upstream: pkg/volume/hostpath/host_path.go, checkTypeInternal.
fn host_path(node: &mut Node, source: &HostPathVolumeSource) -> Result<(), String> {
    let path = source.path.trim_matches('/');
    let is_file = node.host.read(path).is_some();
    let is_directory = !is_file
        && (HOST_DIRECTORIES.iter().any(|known| {
            *known == path || known.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
        }) || !node.host.names_in(path).is_empty()
            || node.host_directories.contains(path));
    let fail = |what: &str| Err(format!("hostPath type check failed: {} {what}", source.path));
    match source.type_.as_deref().unwrap_or_default() {
        "DirectoryOrCreate" if !is_file => {
            node.host_directories.insert(path.to_string());
            Ok(())
        }
        "DirectoryOrCreate" | "Directory" if !is_directory => fail("is not a directory"),
        "FileOrCreate" if !is_directory => {
            if !is_file {
                node.host.write(path, b"");
            }
            Ok(())
        }
        "FileOrCreate" | "File" if !is_file => fail("is not a file"),
        "Socket" => fail("is not a socket file"),
        "CharDevice" => fail("is not a character device"),
        "BlockDevice" => fail("is not a block device"),
        _ => Ok(()),
    }
}

impl Digestible for VolumeState {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.mounted);
        digest.bool(self.ready);
        digest.add(&self.retry);
        digest.add(&self.retry_at);
        digest.add(&self.refresh_at);
        digest.add(&self.measured_at);
    }
}

/// The keys of an object under the paths that the volume gives them.
fn select(
    data: Contents,
    items: Option<&Vec<KeyToPath>>,
    optional: bool,
    missing: &str,
) -> Result<Contents, String> {
    let Some(items) = items.filter(|items| !items.is_empty()) else { return Ok(data) };
    let mut selected = Contents::new();
    for item in items {
        match data.get(&item.key) {
            Some(content) => {
                selected.insert(item.path.clone(), content.clone());
            }
            None if optional => {}
            None => return Err(format!("{missing}: {}", item.key)),
        }
    }
    Ok(selected)
}

impl PodWorker {
    /// Mounts what is not mounted yet. Says whether everything is; otherwise it has arranged to
    /// be called again.
    pub(crate) fn mount_volumes(&mut self, node: &mut Node, cx: &mut Context<'_>) -> bool {
        if self.volumes.ready {
            return true;
        }
        if let Some(time) = self.volumes.retry_at.filter(|time| *time > cx.now) {
            self.next_sync = Some(time);
            return false;
        }
        let mut mounted = SmallMap::new();
        let mut failed = false;
        let pod = self.pod.clone();
        let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        for volume in volumes {
            let checked = match &volume.host_path {
                Some(source) => host_path(node, source),
                None => Ok(()),
            };
            match checked.and_then(|()| self.volume(node, cx, volume)) {
                Ok(contents) => {
                    let mut files = Volume::new();
                    for (path, content) in &contents {
                        files.write(path, content);
                    }
                    mounted.insert(volume.name.clone(), files);
                }
                Err(why) => {
                    failed = true;
                    let message =
                        format!("MountVolume.SetUp failed for volume {:?} : {why}", volume.name);
                    self.event(node, cx, None, (EventType::Warning, "FailedMount", &message));
                }
            }
        }
        if failed {
            let retry = self.volumes.retry * 2;
            self.volumes.retry = retry.max(FIRST_RETRY).min(LONGEST_RETRY);
            self.volumes.retry_at = Some(cx.now + self.volumes.retry);
            self.next_sync = self.volumes.retry_at;
            return false;
        }
        self.volumes.mounted = mounted;
        self.volumes.ready = true;
        self.plan_refresh(node, cx);
        self.plan_measurement(node, cx);
        true
    }

    /// The volumes that may hold no more than they say.
    fn limited_volumes(&self) -> impl Iterator<Item = (&str, &Quantity)> {
        let volumes = self.pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        volumes.filter_map(|volume| {
            let limit = volume.empty_dir.as_ref()?.size_limit.as_ref()?;
            (value(limit) > 0).then_some((volume.name.as_str(), limit))
        })
    }

    fn plan_measurement(&mut self, node: &Node, cx: &mut Context<'_>) {
        let limited = self.limited_volumes().next().is_some();
        self.volumes.measured_at =
            limited.then(|| cx.now + node.random(cx).between(MEASURED.0, MEASURED.1));
    }

    /// Evicts the pod if one of its volumes holds more than it may, when it is time to look. Says
    /// whether it was evicted.
    /// Upstream: pkg/kubelet/eviction/eviction_manager.go, emptyDirLimitEviction.
    pub(crate) fn measure_volumes(&mut self, node: &mut Node, cx: &mut Context<'_>) -> bool {
        if self.volumes.measured_at.is_none_or(|time| time > cx.now) {
            return false;
        }
        let used = |name: &str| self.volumes.mounted.get(name).map_or(0, Volume::used_bytes);
        let full = self.limited_volumes().find(|(name, limit)| used(name) > value(limit));
        let Some((name, limit)) = full else {
            self.plan_measurement(node, cx);
            return false;
        };
        let limit = &limit.0;
        let message = format!("Usage of EmptyDir volume {name:?} exceeds the limit {limit:?}. ");
        self.volumes.measured_at = None;
        self.evict(node, cx, &message);
        true
    }

    /// The volumes whose content follows an object. That of a token does not.
    fn following_volumes(&self) -> Vec<VolumeSource> {
        let Some(spec) = &self.pod.spec else { return Vec::new() };
        let follows = |volume: &&VolumeSource| {
            let projected = volume.projected.as_ref().and_then(|p| p.sources.as_ref());
            let of_objects =
                projected.is_some_and(|all| all.iter().all(|s| s.service_account_token.is_none()));
            volume.config_map.is_some()
                || volume.secret.is_some()
                || volume.downward_api.is_some()
                || of_objects
        };
        spec.volumes.iter().flatten().filter(follows).cloned().collect()
    }

    /// Keeps for a container that is about to be made what it mounts by a `subPath` of volumes
    /// that the kubelet writes: it goes on seeing that when they are written anew.
    /// Upstream: pkg/volume/util/atomic_writer.go; pkg/volume/util/subpath.
    pub(crate) fn keep_sub_paths(&mut self, container: &Container) {
        let volumes = self.pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        let written: Vec<&VolumeSource> = volumes.filter(|it| is_written(it)).collect();
        for mount in container.volume_mounts.iter().flatten().filter(|mount| has_sub_path(mount)) {
            let kept = self.volumes.mounted.get(&mount.name).cloned();
            if let Some(files) = kept.filter(|_| written.iter().any(|it| it.name == mount.name)) {
                self.volumes.mounted.insert(kept_name(&mount.name, container), files);
            }
        }
    }

    fn plan_refresh(&mut self, node: &Node, cx: &mut Context<'_>) {
        let follows = !self.following_volumes().is_empty();
        self.volumes.refresh_at =
            follows.then(|| cx.now + node.random(cx).between(RESYNC.0, RESYNC.1));
    }

    /// Brings what changed in the sources into the mounted volumes, when that is due.
    /// Upstream: pkg/volume/util/atomic_writer.go.
    pub(crate) fn refresh_volumes(&mut self, node: &mut Node, cx: &mut Context<'_>) {
        if self.volumes.refresh_at.is_none_or(|time| time > cx.now) {
            return;
        }
        for volume in self.following_volumes() {
            match self.volume(node, cx, &volume) {
                Ok(contents) => {
                    let mut files = Volume::new();
                    for (path, content) in &contents {
                        files.write(path, content);
                    }
                    self.volumes.mounted.insert(volume.name.clone(), files);
                }
                Err(why) => {
                    let message =
                        format!("MountVolume.SetUp failed for volume {:?} : {why}", volume.name);
                    self.event(node, cx, None, (EventType::Warning, "FailedMount", &message));
                }
            }
        }
        self.plan_refresh(node, cx);
    }

    fn volume(
        &self,
        node: &Node,
        cx: &mut Context<'_>,
        volume: &VolumeSource,
    ) -> Result<Contents, String> {
        if let Some(source) = &volume.config_map {
            let optional = source.optional == Some(true);
            return self.config_map_volume(node, cx, &source.name, source.items.as_ref(), optional);
        }
        if let Some(source) = &volume.secret {
            let name = source.secret_name.as_deref().unwrap_or_default();
            let optional = source.optional == Some(true);
            return self.secret_volume(node, cx, name, source.items.as_ref(), optional);
        }
        if let Some(source) = &volume.downward_api {
            return self.downward_volume(node, source.items.as_ref());
        }
        let mut contents = Contents::new();
        let sources = volume.projected.iter().flat_map(|p| p.sources.iter().flatten());
        // One source that fails does not hide what else is missing.
        // Upstream: pkg/volume/projected/projected.go, collectData.
        let mut errors = Vec::new();
        for source in sources {
            match self.projection(node, cx, source) {
                Ok(files) => contents.extend(files),
                Err(error) => errors.push(error),
            }
        }
        match errors.as_slice() {
            [] => Ok(contents),
            [error] => Err(error.clone()),
            _ => Err(format!("[{}]", errors.join(", "))),
        }
    }

    fn projection(
        &self,
        node: &Node,
        cx: &mut Context<'_>,
        source: &VolumeProjection,
    ) -> Result<Contents, String> {
        if let Some(source) = &source.config_map {
            let optional = source.optional == Some(true);
            return self.config_map_volume(node, cx, &source.name, source.items.as_ref(), optional);
        }
        if let Some(source) = &source.secret {
            let optional = source.optional == Some(true);
            return self.secret_volume(node, cx, &source.name, source.items.as_ref(), optional);
        }
        if let Some(source) = &source.downward_api {
            return self.downward_volume(node, source.items.as_ref());
        }
        let mut contents = Contents::new();
        if let Some(source) = &source.service_account_token {
            // Tokens are opaque to programs here; what counts is that the file is there.
            contents.insert(source.path.clone(), format!("token:{}", self.uid).into_bytes());
        }
        Ok(contents)
    }

    fn config_map_volume(
        &self,
        node: &Node,
        cx: &mut Context<'_>,
        name: &str,
        items: Option<&Vec<KeyToPath>>,
        optional: bool,
    ) -> Result<Contents, String> {
        match config_map(node, cx, &self.key.namespace, name) {
            Some(data) => select(data, items, optional, MISSING_CONFIG_KEY),
            None if optional => Ok(Contents::new()),
            None => Err(format!("configmap {name:?} not found")),
        }
    }

    fn secret_volume(
        &self,
        node: &Node,
        cx: &mut Context<'_>,
        name: &str,
        items: Option<&Vec<KeyToPath>>,
        optional: bool,
    ) -> Result<Contents, String> {
        match secret(node, cx, &self.key.namespace, name) {
            Some(data) => select(data, items, optional, MISSING_SECRET_KEY),
            None if optional => Ok(Contents::new()),
            None => Err(format!("secret {name:?} not found")),
        }
    }

    /// Upstream: pkg/volume/downwardapi/downwardapi.go, CollectData.
    fn downward_volume(
        &self,
        node: &Node,
        items: Option<&Vec<DownwardAPIVolumeFile>>,
    ) -> Result<Contents, String> {
        let mut contents = Contents::new();
        for item in items.into_iter().flatten() {
            if let Some(field) = &item.field_ref {
                let value = metadata_field(&self.pod, &field.field_path)?;
                contents.insert(item.path.clone(), value.into_bytes());
            } else if let Some(selector) = &item.resource_field_ref {
                let name = selector.container_name.as_deref().unwrap_or_default();
                let mut containers = actions::containers(&self.pod);
                let Some((_, container)) = containers.find(|(_, c)| c.name == name) else {
                    return Err(format!("container {name} not found"));
                };
                let value = resource_value(&|name| node.allocatable(name), container, selector)?;
                contents.insert(item.path.clone(), value.into_bytes());
            }
        }
        Ok(contents)
    }
}
