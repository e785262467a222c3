//! Volumes of a pod: names, and that each has exactly one source.

use k8s_openapi::api::core::v1::{Volume, VolumeProjection};
use sim::SmallSet;

use super::mounts::Volumes;
use super::{claim, dns_label, names, projected, text, volume_sources as sources};
use crate::field::{Error, ErrorList, Path};
use crate::quantity::Amount;

/// Checks volumes and returns those that are valid. Upstream: ValidateVolumes.
pub(super) fn volumes<'a>(
    volumes: &'a [Volume],
    pod_name: Option<&str>,
    path: &Path,
    errors: &mut ErrorList,
) -> Volumes<'a> {
    let created_claims: SmallSet<String> = pod_name
        .into_iter()
        .flat_map(|pod| {
            let ephemeral = volumes.iter().filter(|volume| volume.ephemeral.is_some());
            ephemeral.map(move |volume| format!("{pod}-{}", volume.name))
        })
        .collect();
    let mut valid = Volumes::new();
    for (index, volume) in volumes.iter().enumerate() {
        let path = path.index(index);
        let name_path = path.child("name");
        let before = errors.len();
        source(volume, pod_name, &path, errors);
        if volume.name.is_empty() {
            errors.push(Error::required(&name_path, ""));
        } else {
            dns_label(&volume.name, &name_path, errors);
        }
        if valid.contains_key(volume.name.as_str()) {
            errors.push(Error::duplicate(&name_path, volume.name.as_str()));
        }
        if errors.len() == before {
            valid.insert(&volume.name, volume);
        }
        if let Some(claim) = &volume.persistent_volume_claim
            && created_claims.contains(&claim.claim_name)
        {
            let path = path.child("persistentVolumeClaim").child("claimName");
            let message = "must not reference a PVC that gets created for an ephemeral volume";
            errors.push(Error::invalid(&path, claim.claim_name.as_str(), message));
        }
    }
    valid
}

/// Counts the sources of a volume: only the first is looked into.
pub(super) struct OneSource<'a> {
    path: &'a Path,
    errors: &'a mut ErrorList,
    count: usize,
    /// What is said of a second one.
    message: &'static str,
}

impl<'a> OneSource<'a> {
    pub(super) fn new(path: &'a Path, errors: &'a mut ErrorList, message: &'static str) -> Self {
        OneSource { path, errors, count: 0, message }
    }

    /// How many sources there were.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Checks a source; `names` are the field's names where another source stands before it,
    /// and where its own fields are wrong, which upstream does not always write alike.
    pub(super) fn check<T>(
        &mut self,
        source: Option<&T>,
        names: (&str, &str),
        check: fn(&T, &Path, &mut ErrorList),
    ) {
        let Some(source) = source else { return };
        self.count += 1;
        if self.count > 1 {
            self.errors.push(Error::forbidden(&self.path.child(names.0), self.message));
        } else {
            check(source, &self.path.child(names.1), self.errors);
        }
    }
}

/// Upstream: validateVolumeSource.
fn source(volume: &Volume, pod_name: Option<&str>, path: &Path, errors: &mut ErrorList) {
    let same = |name| (name, name);
    let mut one = OneSource::new(path, errors, "may not specify more than 1 volume type");
    one.check(volume.empty_dir.as_ref(), same("emptyDir"), |dir, path, errors| {
        if dir.size_limit.as_ref().is_some_and(|limit| Amount::of(limit) < Amount::ZERO) {
            let message = "SizeLimit field must be a valid resource quantity";
            errors.push(Error::forbidden(&path.child("sizeLimit"), message));
        }
    });
    one.check(volume.host_path.as_ref(), same("hostPath"), sources::host_path);
    one.check(volume.git_repo.as_ref(), same("gitRepo"), sources::git_repo);
    let disk = ("gcePersistentDisk", "persistentDisk");
    one.check(volume.gce_persistent_disk.as_ref(), disk, sources::gce_persistent_disk);
    let name = same("awsElasticBlockStore");
    one.check(volume.aws_elastic_block_store.as_ref(), name, sources::aws_elastic_block_store);
    one.check(volume.secret.as_ref(), same("secret"), projected::secret);
    one.check(volume.nfs.as_ref(), same("nfs"), sources::nfs);
    one.check(volume.iscsi.as_ref(), same("iscsi"), sources::iscsi);
    one.check(volume.glusterfs.as_ref(), same("glusterfs"), sources::glusterfs);
    one.check(volume.flocker.as_ref(), same("flocker"), sources::flocker);
    let name = same("persistentVolumeClaim");
    one.check(volume.persistent_volume_claim.as_ref(), name, |claim, path, errors| {
        super::require(&claim.claim_name, &path.child("claimName"), errors);
    });
    one.check(volume.rbd.as_ref(), same("rbd"), sources::rbd);
    one.check(volume.cinder.as_ref(), same("cinder"), sources::cinder);
    one.check(volume.cephfs.as_ref(), ("cephFS", "cephfs"), sources::cephfs);
    one.check(volume.quobyte.as_ref(), same("quobyte"), sources::quobyte);
    let name = ("downwarAPI", "downwardAPI");
    one.check(volume.downward_api.as_ref(), name, projected::downward_api);
    one.check(volume.fc.as_ref(), same("fc"), sources::fibre_channel);
    one.check(volume.flex_volume.as_ref(), same("flexVolume"), sources::flex_volume);
    one.check(volume.config_map.as_ref(), same("configMap"), projected::config_map);
    one.check(volume.azure_file.as_ref(), same("azureFile"), sources::azure_file);
    one.check(volume.vsphere_volume.as_ref(), same("vsphereVolume"), sources::vsphere);
    let name = same("photonPersistentDisk");
    one.check(volume.photon_persistent_disk.as_ref(), name, sources::photon_persistent_disk);
    one.check(volume.portworx_volume.as_ref(), same("portworxVolume"), sources::portworx);
    one.check(volume.azure_disk.as_ref(), same("azureDisk"), sources::azure_disk);
    one.check(volume.storageos.as_ref(), same("storageos"), sources::storage_os);
    one.check(volume.projected.as_ref(), same("projected"), projected::projected);
    one.check(volume.scale_io.as_ref(), same("scaleIO"), sources::scale_io);
    one.check(volume.csi.as_ref(), same("csi"), sources::csi);
    one.check(volume.ephemeral.as_ref(), same("ephemeral"), |ephemeral, path, errors| {
        let path = path.child("volumeClaimTemplate");
        match &ephemeral.volume_claim_template {
            Some(template) => claim::claim_template(template, &path, errors),
            None => errors.push(Error::required(&path, "")),
        }
    });
    one.check(volume.image.as_ref(), same("image"), |image, path, errors| {
        super::require(text(&image.reference), &path.child("reference"), errors);
        let known = ["Always", "IfNotPresent", "Never"];
        super::supported(text(&image.pull_policy), &known, &path.child("pullPolicy"), errors);
    });
    if one.count == 0 {
        errors.push(Error::required(path, "must specify a volume type"));
    }
    beside_the_source(volume, pod_name, path, errors);
}

/// What a source demands of the volume's name.
fn beside_the_source(volume: &Volume, pod_name: Option<&str>, path: &Path, errors: &mut ErrorList) {
    let name_path = path.child("name");
    let name = volume.name.as_str();
    if let Some(iscsi) = &volume.iscsi
        && iscsi.initiator_name.is_some()
        && name.len() + 1 + iscsi.target_portal.len() > 64
    {
        let message = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 \
                       characters if iscsi.initiatorName is specified.";
        errors.push(Error::invalid(&name_path, name, message));
    }
    let Some(pod_name) = pod_name.filter(|_| volume.ephemeral.is_some() && !name.is_empty()) else {
        return;
    };
    let claim_name = format!("{pod_name}-{name}");
    for message in names::dns_subdomain(&claim_name) {
        let message = format!("PVC name {claim_name:?}: {message}");
        errors.push(Error::invalid(&name_path, name, message));
    }
}

/// How many sources a projection names.
pub(super) fn projection_count(projection: &VolumeProjection) -> usize {
    usize::from(projection.secret.is_some())
        + usize::from(projection.config_map.is_some())
        + usize::from(projection.downward_api.is_some())
        + usize::from(projection.service_account_token.is_some())
        + usize::from(projection.cluster_trust_bundle.is_some())
        + usize::from(projection.pod_certificate.is_some())
}
