//! What a plugin says of a pod or a node.

use std::borrow::Cow;

/// The kind of a [`Status`]. Upstream: staging/src/k8s.io/kube-scheduler/framework/interface.go
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// All is well.
    Success,
    /// Something broke.
    Error,
    /// Not now; deleting other pods might help.
    Unschedulable,
    /// Not now, and deleting pods does not help.
    UnschedulableAndUnresolvable,
    /// The plugin has nothing to do in this cycle.
    Skip,
    /// Something outside must happen first.
    Pending,
}

/// What a plugin says, with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The kind.
    pub code: Code,
    /// Why, in words.
    pub reasons: Vec<Cow<'static, str>>,
    /// Which plugin said it; empty when none did.
    pub plugin: &'static str,
}

impl Status {
    /// All is well.
    pub const SUCCESS: Status = Status { code: Code::Success, reasons: Vec::new(), plugin: "" };

    /// The plugin has nothing to do in this cycle.
    pub const SKIP: Status = Status { code: Code::Skip, reasons: Vec::new(), plugin: "" };

    /// A status with one reason.
    pub fn new(code: Code, reason: impl Into<Cow<'static, str>>) -> Self {
        Status { code, reasons: vec![reason.into()], plugin: "" }
    }

    /// A rejection that deleting other pods might cure.
    pub fn unschedulable(reason: impl Into<Cow<'static, str>>) -> Self {
        Status::new(Code::Unschedulable, reason)
    }

    /// A rejection that deleting other pods does not cure.
    pub fn unresolvable(reason: impl Into<Cow<'static, str>>) -> Self {
        Status::new(Code::UnschedulableAndUnresolvable, reason)
    }

    /// The same, said by the plugin.
    #[must_use]
    pub fn with_plugin(mut self, plugin: &'static str) -> Self {
        self.plugin = plugin;
        self
    }

    /// Whether all is well.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code == Code::Success
    }

    /// Whether the plugin has nothing to do.
    #[must_use]
    pub fn is_skip(&self) -> bool {
        self.code == Code::Skip
    }

    /// Whether the pod or node was turned away.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        matches!(
            self.code,
            Code::Unschedulable | Code::UnschedulableAndUnresolvable | Code::Pending
        )
    }

    /// The reasons in one text.
    #[must_use]
    pub fn message(&self) -> String {
        self.reasons.join(", ")
    }
}
