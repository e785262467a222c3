//! Which refusals say that nothing more can be done.

use api::Status;
use api::status::Reason;

/// Whether the object is not there.
pub(crate) fn is_not_found(status: &Status) -> bool {
    status.is(Reason::NotFound)
}

/// Whether the namespace is being deleted, so that nothing can be made in it any longer.
/// Upstream: core/v1 NamespaceTerminatingCause.
pub(crate) fn is_namespace_terminating(status: &Status) -> bool {
    let details = status.as_meta().details.as_ref();
    let causes = details.and_then(|details| details.causes.as_ref());
    causes
        .into_iter()
        .flatten()
        .any(|cause| cause.reason.as_deref() == Some("NamespaceTerminating"))
}
