//! Nothing is created in a namespace that does not exist or is being deleted, and the namespaces
//! that the cluster needs are not deleted.
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
        object: Option<&mut Object>,
        view: &mut View<'_>,
    ) -> Result<(), Status> {
        let is_immortal = request.verb == Verb::Delete
            && request.kind.id == KindId::NAMESPACE
            && IMMORTAL.contains(&request.name);
        if is_immortal {
            let words = "this namespace may not be deleted";
            return Err(Status::forbidden(request.kind, request.name, words));
        }
        if request.verb == Verb::Delete || !request.kind.is_namespaced() {
            return Ok(());
        }
        let kind = KindId::NAMESPACE.get();
        let Some(stored) = view.get(KindId::NAMESPACE, &Key::cluster(request.namespace)) else {
            return Err(Status::not_found(kind, request.namespace));
        };
        if request.verb != Verb::Create || !is_terminating(&stored) {
            return Ok(());
        }
        let namespace = request.namespace;
        let words = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let cause = format!("namespace {namespace} is being terminated");
        Err(request.forbidden(object.as_deref(), &words).with_cause(
            "NamespaceTerminating",
            &cause,
            "metadata.namespace",
        ))
    }
}

fn is_terminating(namespace: &Object) -> bool {
    let status = namespace.get::<Namespace>().and_then(|namespace| namespace.status.as_ref());
    status.and_then(|status| status.phase.as_deref()) == Some("Terminating")
}
