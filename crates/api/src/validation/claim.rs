//! Templates of claims in pods: labels and annotations, access modes, size.

use k8s_openapi::api::core::v1::PersistentVolumeClaimTemplate;

use super::{dns_subdomain, list, meta, resources, supported};
use crate::field::{Error, ErrorList, Path};

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
    let spec_path = path.child("spec");
    let spec = &template.spec;
    let modes = list(&spec.access_modes);
    let modes_path = spec_path.child("accessModes");
    if modes.is_empty() {
        errors.push(Error::required(&modes_path, "at least 1 access mode is required"));
    }
    if let Some(selector) = &spec.selector {
        meta::label_selector(selector, &spec_path.child("selector"), errors);
    }
    let known = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
    for mode in modes {
        supported(mode, &known, &modes_path, errors);
    }
    let is_single = |mode: &String| mode == "ReadWriteOncePod";
    if modes.iter().any(is_single) && !modes.iter().all(is_single) {
        let message = "may not use ReadWriteOncePod with other access modes";
        errors.push(Error::forbidden(&modes_path, message));
    }
    let requests = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    let storage_path = spec_path.child("resources").key("storage");
    match requests.and_then(|requests| requests.get("storage")) {
        None => errors.push(Error::required(&storage_path, "")),
        Some(storage) => resources::positive(storage, &storage_path, errors),
    }
    if let Some(class) = spec.storage_class_name.as_ref().filter(|class| !class.is_empty()) {
        dns_subdomain(class, &spec_path.child("storageClassName"), errors);
    }
    if let Some(mode) = &spec.volume_mode {
        supported(mode, &["Block", "Filesystem"], &spec_path.child("volumeMode"), errors);
    }
}
