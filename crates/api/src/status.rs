//! `metav1.Status` as an error: every refusal of the API server, with upstream's words.
//!
//! Upstream: staging/src/k8s.io/apimachinery/pkg/api/errors/errors.go

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    Status as MetaStatus, StatusCause, StatusDetails,
};

use crate::Kind;
use crate::field::ErrorList;

/// A failure as the API server reports it. Boxed, because results carry it everywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Status(Box<MetaStatus>);

/// Why a request failed, as `Status.reason` says it. Upstream: metav1.StatusReason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 409 on create.
    AlreadyExists,
    /// 409 on update.
    Conflict,
    /// 410: the watch's resource version is gone for good.
    Gone,
    /// 410: the resource version is too old.
    Expired,
    /// 422.
    Invalid,
    /// 400.
    BadRequest,
    /// 405.
    MethodNotAllowed,
    /// 413.
    RequestEntityTooLarge,
    /// 415.
    UnsupportedMediaType,
    /// 429.
    TooManyRequests,
    /// 500.
    InternalError,
    /// 503.
    ServiceUnavailable,
    /// 504.
    Timeout,
}

impl Reason {
    /// The reason's word and the HTTP status code that goes with it.
    #[must_use]
    pub fn parts(self) -> (&'static str, i32) {
        match self {
            Reason::Unauthorized => ("Unauthorized", 401),
            Reason::Forbidden => ("Forbidden", 403),
            Reason::NotFound => ("NotFound", 404),
            Reason::AlreadyExists => ("AlreadyExists", 409),
            Reason::Conflict => ("Conflict", 409),
            Reason::Gone => ("Gone", 410),
            Reason::Expired => ("Expired", 410),
            Reason::Invalid => ("Invalid", 422),
            Reason::BadRequest => ("BadRequest", 400),
            Reason::MethodNotAllowed => ("MethodNotAllowed", 405),
            Reason::RequestEntityTooLarge => ("RequestEntityTooLarge", 413),
            Reason::UnsupportedMediaType => ("UnsupportedMediaType", 415),
            Reason::TooManyRequests => ("TooManyRequests", 429),
            Reason::InternalError => ("InternalError", 500),
            Reason::ServiceUnavailable => ("ServiceUnavailable", 503),
            Reason::Timeout => ("Timeout", 504),
        }
    }
}

impl Status {
    fn new(reason: Reason, message: String, details: Option<StatusDetails>) -> Self {
        let (word, code) = reason.parts();
        Status(Box::new(MetaStatus {
            status: Some("Failure".to_string()),
            message: Some(message),
            reason: Some(word.to_string()),
            code: Some(code),
            details,
            ..MetaStatus::default()
        }))
    }

    fn about(reason: Reason, kind: &Kind, name: &str, message: String) -> Self {
        let details = StatusDetails {
            group: some_unless_empty(kind.group),
            kind: Some(kind.plural.to_string()),
            name: some_unless_empty(name),
            ..StatusDetails::default()
        };
        Status::new(reason, message, Some(details))
    }

    /// The object does not exist.
    #[must_use]
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {name:?} not found", kind.group_resource());
        Status::about(Reason::NotFound, kind, name, message)
    }

    /// An object of that name exists.
    #[must_use]
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", kind.group_resource());
        Status::about(Reason::AlreadyExists, kind, name, message)
    }

    /// The write was based on something that has changed since.
    #[must_use]
    pub fn conflict(kind: &Kind, name: &str, error: &str) -> Self {
        let resource = kind.group_resource();
        let message = format!("Operation cannot be fulfilled on {resource} {name:?}: {error}");
        Status::about(Reason::Conflict, kind, name, message)
    }

    /// The write carries a resource version that is not the object's.
    #[must_use]
    pub fn modified(kind: &Kind, name: &str) -> Self {
        // Upstream: staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go
        let error = "the object has been modified; please apply your changes to the latest \
                     version and try again";
        Status::conflict(kind, name, error)
    }

    /// The requester may not do that, or admission refused it.
    #[must_use]
    pub fn forbidden(kind: &Kind, name: &str, error: &str) -> Self {
        let resource = kind.group_resource();
        let message = if name.is_empty() {
            format!("{resource} is forbidden: {error}")
        } else {
            format!("{resource} {name:?} is forbidden: {error}")
        };
        Status::about(Reason::Forbidden, kind, name, message)
    }

    /// Validation found errors.
    #[must_use]
    pub fn invalid(kind: &Kind, name: &str, errors: &ErrorList) -> Self {
        Status::invalid_as(kind.group, kind.kind, name, errors)
    }

    /// Validation found errors in an object of a kind that the table need not know: a Scale.
    #[must_use]
    pub fn invalid_as(group: &str, kind: &str, name: &str, errors: &ErrorList) -> Self {
        let causes = errors
            .iter()
            .map(|error| StatusCause {
                reason: Some(error.error_type.reason().to_string()),
                message: Some(error.error_body()),
                field: Some(error.field.clone()),
            })
            .collect();
        let details = StatusDetails {
            group: some_unless_empty(group),
            kind: Some(kind.to_string()),
            name: some_unless_empty(name),
            causes: Some(causes),
            ..StatusDetails::default()
        };
        let group_kind =
            if group.is_empty() { kind.to_string() } else { format!("{kind}.{group}") };
        let message = if errors.is_empty() {
            format!("{group_kind} {name:?} is invalid")
        } else {
            format!("{group_kind} {name:?} is invalid: {}", aggregate(errors))
        };
        Status::new(Reason::Invalid, message, Some(details))
    }

    /// A precondition on the object did not hold. Upstream names the kind here, not the resource:
    /// staging/src/k8s.io/apiserver/pkg/registry/rest/delete.go, BeforeDelete.
    #[must_use]
    pub fn precondition_failed(kind: &Kind, name: &str, error: &str) -> Self {
        Status::conflict_on(kind, &kind.group_kind(), name, error)
    }

    /// The write conflicts with what is stored, on what the message calls `resource`:
    /// `pods/binding`.
    #[must_use]
    pub fn conflict_on(kind: &Kind, resource: &str, name: &str, error: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {resource} {name:?}: {error}");
        Status::about(Reason::Conflict, kind, name, message)
    }

    /// There is no such resource or subresource.
    #[must_use]
    pub fn no_such_resource() -> Self {
        let message = "the server could not find the requested resource".to_string();
        Status::new(Reason::NotFound, message, None)
    }

    /// Every name that was generated was taken.
    #[must_use]
    pub fn generate_name_conflict(kind: &Kind, name: &str) -> Self {
        let mut status = Status::already_exists(kind, name);
        let message = status.message();
        status.0.message = Some(format!(
            "{message}, the server was not able to generate a unique name for the object"
        ));
        status
    }

    /// The request is well formed and cannot be followed.
    /// Upstream: NewGenericServerResponse of 422.
    #[must_use]
    pub fn unprocessable(cause: &str) -> Self {
        let words = "the server rejected our request due to an error in our request";
        Status::new(Reason::Invalid, words.to_string(), None).with_cause(
            "UnexpectedServerResponse",
            cause,
            "",
        )
    }

    /// The request has to wait. Upstream: NewTooManyRequests.
    #[must_use]
    pub fn too_many_requests(message: &str) -> Self {
        let details = Some(StatusDetails::default());
        Status::new(Reason::TooManyRequests, message.to_string(), details)
    }

    /// Nobody was authenticated.
    #[must_use]
    pub fn unauthorized() -> Self {
        Status::new(Reason::Unauthorized, "Unauthorized".to_string(), None)
    }

    /// A failure that has no reason of its own: 500, with the error's words alone.
    #[must_use]
    pub fn unknown(error: &str) -> Self {
        let mut status = Status::new(Reason::InternalError, error.to_string(), None);
        status.0.reason = None;
        status
    }

    /// The same failure with something said before it.
    #[must_use]
    pub fn prefixed(mut self, prefix: &str) -> Self {
        self.0.message = Some(format!("{prefix}{}", self.message()));
        self
    }

    /// The same failure with one more cause.
    #[must_use]
    pub fn with_cause(mut self, reason: &str, message: &str, field: &str) -> Self {
        let cause = StatusCause {
            reason: Some(reason.to_string()),
            message: Some(message.to_string()),
            field: some_unless_empty(field),
        };
        let details = self.0.details.get_or_insert_default();
        details.causes.get_or_insert_default().push(cause);
        self
    }

    /// The same failure with a token that a list can go on with.
    #[must_use]
    pub fn with_continue(mut self, token: String) -> Self {
        self.0.metadata.continue_ = Some(token);
        self
    }

    /// The request makes no sense.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Status::new(Reason::BadRequest, message.into(), None)
    }

    /// The kind does not support the verb.
    #[must_use]
    pub fn method_not_supported(kind: &Kind, action: &str) -> Self {
        let resource = kind.group_resource();
        let message = format!("{action} is not supported on resources of kind {resource:?}");
        let mut status = Status::about(Reason::MethodNotAllowed, kind, "", message);
        status.0.details = status.0.details.map(|details| StatusDetails { name: None, ..details });
        status
    }

    /// The resource version asked for is compacted away.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Self {
        Status::new(Reason::Expired, message.into(), None)
    }

    /// The request is larger than the server takes.
    #[must_use]
    pub fn too_large(message: &str) -> Self {
        let message = format!("Request entity too large: {message}");
        Status::new(Reason::RequestEntityTooLarge, message, None)
    }

    /// The server cannot answer now.
    #[must_use]
    pub fn service_unavailable(message: impl Into<String>) -> Self {
        Status::new(Reason::ServiceUnavailable, message.into(), None)
    }

    /// The server failed.
    #[must_use]
    pub fn internal(error: &str) -> Self {
        let details = StatusDetails {
            causes: Some(vec![StatusCause {
                message: Some(error.to_string()),
                ..StatusCause::default()
            }]),
            ..StatusDetails::default()
        };
        let message = format!("Internal error occurred: {error}");
        Status::new(Reason::InternalError, message, Some(details))
    }

    /// The failure in words.
    #[must_use]
    pub fn message(&self) -> &str {
        self.0.message.as_deref().unwrap_or_default()
    }

    /// The failure's reason in one word: `NotFound`.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.0.reason.as_deref().unwrap_or_default()
    }

    /// The HTTP status code.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.0.code.unwrap_or(500)
    }

    /// Whether the failure has that reason.
    #[must_use]
    pub fn is(&self, reason: Reason) -> bool {
        self.reason() == reason.parts().0
    }

    /// The whole `metav1.Status`.
    #[must_use]
    pub fn as_meta(&self) -> &MetaStatus {
        &self.0
    }
}

fn some_unless_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}

/// Joins messages as upstream's aggregate does: one stands alone, several in brackets, and a
/// message that stood before is left out.
fn aggregate(errors: &ErrorList) -> String {
    let mut messages: Vec<String> = Vec::new();
    for error in errors {
        let message = error.to_string();
        if !messages.contains(&message) {
            messages.push(message);
        }
    }
    if messages.len() == 1 { messages.remove(0) } else { format!("[{}]", messages.join(", ")) }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Status {}
