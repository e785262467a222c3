//! Claims on volumes, and the templates of claims in pods.
//!
//! Upstream: pkg/apis/core/validation/validation.go

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimTemplate,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as QuantityText;

use super::{dns_subdomain, immutable, list, meta, names, resources, spec_diff, supported, text};
use crate::field::{Error, ErrorList, Path};
use crate::quantity::Amount;

const ACCESS_MODES: [&str; 4] =
    ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
/// The old way to name a class.
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

/// Whether a claim's template is acceptable: its labels and annotations, access modes, size.
/// Upstream: ValidatePersistentVolumeClaimTemplate.
pub(super) fn claim_template(
    template: &PersistentVolumeClaimTemplate,
    path: &Path,
    errors: &mut ErrorList,
) {
    if let Some(template_meta) = &template.metadata {
        meta::template_object_meta(template_meta, &path.child("metadata"), errors);
    }
    claim_spec(&template.spec, &path.child("spec"), errors);
}

/// Access modes: some, known, and one of them alone.
pub(super) fn access_modes(modes: &[String], path: &Path, errors: &mut ErrorList) {
    for mode in modes {
        supported(mode, &ACCESS_MODES, path, errors);
    }
    let is_single = |mode: &String| mode == "ReadWriteOncePod";
    if modes.iter().any(is_single) && !modes.iter().all(is_single) {
        let message = "may not use ReadWriteOncePod with other access modes";
        errors.push(Error::forbidden(path, message));
    }
}

/// Upstream: ValidatePersistentVolumeClaimSpec.
fn claim_spec(spec: &PersistentVolumeClaimSpec, path: &Path, errors: &mut ErrorList) {
    let modes = list(&spec.access_modes);
    let modes_path = path.child("accessModes");
    if modes.is_empty() {
        errors.push(Error::required(&modes_path, "at least 1 access mode is required"));
    }
    if let Some(selector) = &spec.selector {
        meta::label_selector(selector, &path.child("selector"), errors);
    }
    access_modes(modes, &modes_path, errors);
    let storage_path = path.child("resources").key("storage");
    match storage(Some(spec)) {
        None => errors.push(Error::required(&storage_path, "")),
        Some(storage) => resources::positive(storage, &storage_path, errors),
    }
    if let Some(class) = spec.storage_class_name.as_ref().filter(|class| !class.is_empty()) {
        dns_subdomain(class, &path.child("storageClassName"), errors);
    }
    if let Some(mode) = &spec.volume_mode {
        supported(mode, &["Block", "Filesystem"], &path.child("volumeMode"), errors);
    }
}

/// How much a claim requests.
fn storage(spec: Option<&PersistentVolumeClaimSpec>) -> Option<&QuantityText> {
    spec?.resources.as_ref()?.requests.as_ref()?.get("storage")
}

/// Upstream: ValidatePersistentVolumeClaim.
pub(crate) fn persistent_volume_claim(claim: &PersistentVolumeClaim) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta(&claim.metadata, true, names::dns_subdomain, &mut errors);
    if let Some(spec) = &claim.spec {
        claim_spec(spec, &Path::new("spec"), &mut errors);
    }
    errors
}

/// Upstream: ValidatePersistentVolumeClaimUpdate.
pub(crate) fn persistent_volume_claim_update(
    new: &PersistentVolumeClaim,
    old: &PersistentVolumeClaim,
) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let (Some(new_spec), Some(old_spec)) = (&new.spec, &old.spec) else { return errors };
    let path = Path::new("spec");
    claim_spec(new_spec, &path, &mut errors);
    let allowed = with_allowed(new, new_spec, old, old_spec);
    if allowed != *old_spec {
        let message = format!(
            "spec is immutable after creation except resources.requests and \
             volumeAttributesClassName for bound claims\n{}",
            spec_diff::claim_spec(old_spec, &allowed)
        );
        errors.push(Error::forbidden(&path, &message));
    }
    let amount = |quantity: Option<&QuantityText>| quantity.map_or(Amount::ZERO, Amount::of);
    let status = new.status.as_ref().and_then(|status| status.capacity.as_ref());
    let capacity = amount(status.and_then(|capacity| capacity.get("storage")));
    let (wanted, before) = (amount(storage(Some(new_spec))), amount(storage(Some(old_spec))));
    // A request that could not be met may be taken back as far as what there is.
    if wanted < before && wanted <= capacity {
        let path = path.child("resources").child("requests").child("storage");
        errors.push(Error::forbidden(&path, "field can not be less than status.capacity"));
    }
    let path = Path::new("volumeMode");
    immutable(&new_spec.volume_mode, &old_spec.volume_mode, &path, &mut errors);
    errors
}

/// The new specification with everything undone that may be changed.
fn with_allowed(
    new: &PersistentVolumeClaim,
    new_spec: &PersistentVolumeClaimSpec,
    old: &PersistentVolumeClaim,
    old_spec: &PersistentVolumeClaimSpec,
) -> PersistentVolumeClaimSpec {
    let mut allowed = new_spec.clone();
    if text(&old_spec.volume_name).is_empty() {
        allowed.volume_name.clone_from(&old_spec.volume_name);
    }
    let has_annotation = |claim: &PersistentVolumeClaim| {
        let annotations = claim.metadata.annotations.as_ref();
        annotations.is_some_and(|it| it.contains_key(CLASS_ANNOTATION))
    };
    // A class that nobody named may be named once.
    if old_spec.storage_class_name.is_none() && !has_annotation(old) && !has_annotation(new) {
        allowed.storage_class_name = None;
    }
    let is_bound = new.status.as_ref().is_some_and(|it| text(&it.phase) == "Bound");
    let requests = allowed.resources.as_mut().and_then(|it| it.requests.as_mut());
    if let Some(requests) = requests.filter(|_| is_bound) {
        match storage(Some(old_spec)) {
            Some(storage) => drop(requests.insert("storage".to_string(), storage.clone())),
            None => drop(requests.remove("storage")),
        }
    }
    allowed.volume_attributes_class_name.clone_from(&old_spec.volume_attributes_class_name);
    allowed
}

/// Upstream: ValidatePersistentVolumeClaimStatusUpdate.
pub(crate) fn persistent_volume_claim_status_update(
    new: &PersistentVolumeClaim,
    old: &PersistentVolumeClaim,
) -> ErrorList {
    let mut errors = ErrorList::new();
    meta::object_meta_update(&new.metadata, &old.metadata, &mut errors);
    let status = new.status.as_ref();
    let path = Path::new("status").child("capacity");
    let capacity = status.and_then(|status| status.capacity.as_ref());
    for (name, quantity) in capacity.into_iter().flatten() {
        resources::quantity_value(name, quantity, &path.key(name), &mut errors);
    }
    errors
}
