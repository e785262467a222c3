//! Who asks, and whether they may.

use std::sync::Arc;

use api::Status;

/// An authenticated user. Upstream: staging/src/k8s.io/apiserver/pkg/authentication/user
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// `system:kube-scheduler`, `system:node:node-1` …
    pub user: Arc<str>,
    /// `system:nodes`, `system:authenticated` …
    pub groups: Arc<[Arc<str>]>,
}

impl Identity {
    /// A user with the groups named and `system:authenticated`.
    #[must_use]
    pub fn new(user: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().copied().chain(["system:authenticated"]);
        Identity { user: user.into(), groups: groups.map(Arc::from).collect() }
    }

    /// A service account.
    #[must_use]
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Identity::new(
            &format!("system:serviceaccount:{namespace}:{name}"),
            &["system:serviceaccounts", &format!("system:serviceaccounts:{namespace}")],
        )
    }

    /// The kubelet of a node.
    #[must_use]
    pub fn node(name: &str) -> Self {
        Identity::new(&format!("system:node:{name}"), &["system:nodes"])
    }

    /// The person at the page or the command line, who may do everything.
    #[must_use]
    pub fn administrator() -> Self {
        Identity::new("kubernetes-admin", &["system:masters"])
    }
}

/// Whether the identity may do what it asks. Everything is allowed so far; the chain runs through
/// here, so that roles can decide it.
///
/// # Errors
/// `Unauthorized` when the identity has no name, as an unauthenticated request has none.
pub(crate) fn authorize(identity: &Identity) -> Result<(), Status> {
    if identity.user.is_empty() {
        return Err(Status::unauthorized());
    }
    Ok(())
}
