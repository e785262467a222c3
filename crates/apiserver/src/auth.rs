//! Who asks, and whether they may.

use std::sync::Arc;

use api::{Kind, Status};

use crate::{Request, Subresource};

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

/// One use of the API that an identity has made: the raw material of its role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usage {
    /// Who.
    pub user: Arc<str>,
    /// The verb in RBAC's words.
    pub verb: &'static str,
    /// `group/resource/subresource`, without the parts that are empty.
    pub resource: String,
}

impl Usage {
    /// What a request uses.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let kind = request.kind.get();
        let mut resource = kind.group_resource();
        if request.subresource != Subresource::None {
            resource.push('/');
            resource.push_str(request.subresource.word());
        }
        Usage { user: request.identity.user.clone(), verb: request.verb.word(), resource }
    }
}

/// Whether the identity may do what the request asks. Everything is allowed so far; the chain
/// runs through here, so that roles can decide it.
///
/// # Errors
/// A `Forbidden` status when the identity has no name, as an unauthenticated request would.
pub(crate) fn authorize(request: &Request, kind: &Kind) -> Result<(), Status> {
    if request.identity.user.is_empty() {
        return Err(Status::forbidden(kind, &request.name, "no user was authenticated"));
    }
    Ok(())
}
