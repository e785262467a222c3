//! No object is created in a namespace that does not exist or is being deleted, and the
//! namespaces that the cluster needs are not deleted.
//!
//! Upstream: staging/src/k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go

use api::openapi::api::core::v1::Namespace;
use api::{Key, KindId, Object, Status};

use super::{AdmissionPlugin, Attributes, View};
use crate::Verb;

const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

pub(super) struct NamespaceLifecycle;

impl AdmissionPlugin for NamespaceLifecycle {
    fn name(&self) -> &'static str {
        "NamespaceLifecycle"
    }

    fn admit(
        &self,
        request: &Attributes<'_>,
        _: &mut Object,
        view: &View<'_>,
    ) -> Result<(), Status> {
        if request.verb != Verb::Create || !request.kind.is_namespaced() {
            return Ok(());
        }
        let kind = KindId::NAMESPACE.get();
        let Some(object) = view.get(KindId::NAMESPACE, &Key::cluster(request.namespace)) else {
            return Err(Status::not_found(kind, request.namespace));
        };
        let terminating = object.get::<Namespace>().is_some_and(|namespace| {
            namespace.metadata.deletion_timestamp.is_some()
                || namespace.status.as_ref().and_then(|status| status.phase.as_deref())
                    == Some("Terminating")
        });
        if !terminating {
            return Ok(());
        }
        let words = format!(
            "unable to create new content in namespace {} because it is being terminated",
            request.namespace
        );
        Err(Status::forbidden(request.kind, request.name, &words))
    }

    fn validate(
        &self,
        request: &Attributes<'_>,
        _: Option<&Object>,
        _: &View<'_>,
    ) -> Result<(), Status> {
        let immortal = request.verb == Verb::Delete
            && request.kind.id == KindId::NAMESPACE
            && IMMORTAL.contains(&request.name);
        if !immortal {
            return Ok(());
        }
        Err(Status::forbidden(request.kind, request.name, "this namespace may not be deleted"))
    }
}
