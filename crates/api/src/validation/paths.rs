//! Paths in volumes: relative, and without steps upwards.

use crate::field::{Error, ErrorList, Path};

/// Upstream: validatePathNoBacksteps.
pub(super) fn no_backsteps(target: &str, path: &Path, errors: &mut ErrorList) {
    if has_backsteps(target) {
        errors.push(Error::invalid(path, target, "must not contain '..'"));
    }
}

pub(super) fn has_backsteps(target: &str) -> bool {
    target.split('/').any(|part| part == "..")
}

/// Upstream: validateLocalDescendingPath.
pub(super) fn local_descending(target: &str, path: &Path, errors: &mut ErrorList) {
    if target.starts_with('/') {
        errors.push(Error::invalid(path, target, "must be a relative path"));
    }
    no_backsteps(target, path, errors);
}

/// Upstream: ValidateLocalNonReservedPath.
pub(super) fn local_non_reserved(target: &str, path: &Path, errors: &mut ErrorList) {
    local_descending(target, path, errors);
    // Such a step upwards is reported already.
    if target.starts_with("..") && !target.starts_with("../") {
        errors.push(Error::invalid(path, target, "must not start with '..'"));
    }
}

/// A file's mode. Upstream: fileModeErrorMsg.
pub(super) fn file_mode(mode: Option<i32>, path: &Path, errors: &mut ErrorList) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        let message = "must be a number between 0 and 0777 (octal), both inclusive";
        errors.push(Error::invalid(path, mode, message));
    }
}
