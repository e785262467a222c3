//! The number of replicas as an object of its own: autoscaling/v1 Scale.
//!
//! Upstream: pkg/registry/apps/deployment/storage/storage.go, ScaleREST

use api::field::{Error, Path};
use api::labels::Selector;
use api::openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use api::openapi::api::autoscaling::v1::{Scale, ScaleSpec, ScaleStatus};
use api::openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use api::{Object, Status};

use super::{Operation, Target};
use crate::{Body, Patch, Verb};

impl Operation<'_> {
    pub(super) fn scale(
        &mut self,
        target: &Target,
        verb: Verb,
        body: Body,
    ) -> Result<Scale, Status> {
        let (stored, _) = self.stored(target)?;
        let current = scale_of(&stored).ok_or_else(Status::no_such_resource)?;
        let wanted = match (verb, body) {
            (Verb::Get, _) => return Ok(current),
            (Verb::Update, Body::Scale(scale)) => *scale,
            (Verb::Patch, Body::Patch(Patch::Document(patch))) => patch.scale(&current)?,
            _ => return Err(Status::bad_request("the body does not fit the request")),
        };
        self.set_scale(target, wanted)
    }

    fn set_scale(&mut self, target: &Target, scale: Scale) -> Result<Scale, Status> {
        let name = scale.metadata.name.as_deref().unwrap_or_default();
        if name != target.name {
            return Err(Status::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                target.name
            )));
        }
        let replicas = scale.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
        if replicas < 0 {
            let path = Path::new("spec").child("replicas");
            let error = Error::invalid(&path, replicas, "must be greater than or equal to 0");
            return Err(Status::invalid_as("autoscaling", "Scale", name, &vec![error]));
        }
        let ObjectMeta { uid, resource_version, .. } = scale.metadata;
        let changed = self.change(
            target,
            Box::new(move |current| {
                let mut object = current.clone();
                set_replicas(&mut object, replicas);
                let meta = object.meta_mut();
                meta.resource_version = resource_version;
                if uid.as_deref().is_some_and(|uid| !uid.is_empty()) {
                    meta.uid = uid;
                }
                Ok(object)
            }),
        )?;
        scale_of(&changed).ok_or_else(Status::no_such_resource)
    }
}

fn set_replicas(object: &mut Object, replicas: i32) {
    if object.get::<Deployment>().is_some() {
        if let Some(deployment) = object.get_mut::<Deployment>() {
            deployment.spec.replicas = Some(replicas);
        }
    } else if object.get::<StatefulSet>().is_some() {
        if let Some(stateful_set) = object.get_mut::<StatefulSet>() {
            stateful_set.spec.replicas = Some(replicas);
        }
    } else if let Some(replica_set) = object.get_mut::<ReplicaSet>() {
        replica_set.spec.replicas = Some(replicas);
    }
}

/// The Scale of an object whose kind has one.
fn scale_of(object: &Object) -> Option<Scale> {
    let (wanted, found, selector) = if let Some(deployment) = object.get::<Deployment>() {
        let spec = &deployment.spec;
        let found = deployment.status.as_ref().and_then(|status| status.replicas);
        (spec.replicas, found, &spec.selector)
    } else if let Some(stateful_set) = object.get::<StatefulSet>() {
        let spec = &stateful_set.spec;
        let found = stateful_set.status.as_ref().map(|status| status.replicas);
        (spec.replicas, found, &spec.selector)
    } else {
        let replica_set = object.get::<ReplicaSet>()?;
        let spec = &replica_set.spec;
        let found = replica_set.status.as_ref().map(|status| status.replicas);
        (spec.replicas, found, &spec.selector)
    };
    let meta = object.meta();
    Some(Scale {
        metadata: ObjectMeta {
            name: meta.name.clone(),
            namespace: meta.namespace.clone(),
            uid: meta.uid.clone(),
            resource_version: meta.resource_version.clone(),
            creation_timestamp: meta.creation_timestamp.clone(),
            ..ObjectMeta::default()
        },
        spec: Some(ScaleSpec { replicas: wanted }),
        status: Some(ScaleStatus {
            replicas: found.unwrap_or(0),
            selector: selector_text(selector),
        }),
    })
}

fn selector_text(selector: &LabelSelector) -> Option<String> {
    Selector::from_label_selector(Some(selector)).ok().map(|selector| selector.to_string())
}
