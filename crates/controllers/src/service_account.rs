//! The service account controller: every namespace has the service account `default`.
//!
//! Upstream: pkg/controller/serviceaccount/serviceaccounts_controller.go

use api::Key;
use api::openapi::api::core::v1::{Namespace, ServiceAccount};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use api::status::Reason;

use crate::refusal::{is_namespace_terminating, is_not_found};
use crate::{Action, Change, Controller, Enqueue, Error, SyncContext, Watch};

const DEFAULT: &str = "default";

/// The service account controller.
#[derive(Clone, Debug, Default)]
pub struct ServiceAccountController;

impl Controller for ServiceAccountController {
    const NAME: &'static str = "service-account-controller";

    fn watches() -> &'static [Watch<Self>] {
        const { &[Watch::on::<Namespace>(on_namespace), Watch::on::<ServiceAccount>(on_service_account)] }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(namespace) = cx.informers.get::<Namespace>(key) else { return Ok(Action::Done) };
        let account = Key::new(&key.name, DEFAULT);
        if !is_active(namespace) || cx.informers.get::<ServiceAccount>(&account).is_some() {
            return Ok(Action::Done);
        }
        let metadata = ObjectMeta {
            name: Some(DEFAULT.to_string()),
            namespace: Some(key.name.to_string()),
            ..ObjectMeta::default()
        };
        let account = ServiceAccount { metadata, ..ServiceAccount::default() };
        match cx.create(&key.name, account) {
            Ok(_) => Ok(Action::Done),
            Err(status) if is_pointless(&status) => Ok(Action::Done),
            Err(status) => Err(status.into()),
        }
    }
}

/// Whether creating something in a namespace need not be tried again: it is there already, or
/// the namespace goes away.
pub(crate) fn is_pointless(status: &api::Status) -> bool {
    status.is(Reason::AlreadyExists) || is_namespace_terminating(status) || is_not_found(status)
}

/// Whether the namespace is not being deleted.
pub(crate) fn is_active(namespace: &Namespace) -> bool {
    let phase = namespace.status.as_ref().and_then(|status| status.phase.as_deref());
    namespace.metadata.deletion_timestamp.is_none() && phase != Some("Terminating")
}

fn on_namespace(_: &mut ServiceAccountController, change: &Change, enqueue: &mut Enqueue<'_>) {
    if change.new.is_some() {
        enqueue.add(change.key.clone());
    }
}

fn on_service_account(
    _: &mut ServiceAccountController,
    change: &Change,
    enqueue: &mut Enqueue<'_>,
) {
    if change.new.is_none() {
        enqueue.add(Key::cluster(&change.key.namespace));
    }
}

#[cfg(test)]
mod tests {
    use apiserver::DeleteOptions;

    use super::*;
    use crate::testing::World;

    /// Upstream: serviceaccounts_controller_test.go, TestServiceAccountCreation.
    #[test]
    fn every_active_namespace_has_its_default_account() {
        let mut world = World::new();
        world.create_namespace("fresh");
        world.run(20);
        for namespace in ["default", "fresh"] {
            let found = world.cluster.api::<ServiceAccount>(namespace).get(DEFAULT);
            assert!(found.is_ok(), "{namespace}");
        }
        let mut api = world.cluster.api::<ServiceAccount>("fresh");
        let first = api.get(DEFAULT).expect("found");
        api.delete(DEFAULT, DeleteOptions::default()).expect("deleted");
        world.run(20);
        let second = world.cluster.api::<ServiceAccount>("fresh").get(DEFAULT).expect("again");
        assert_ne!(first.metadata.uid, second.metadata.uid);
    }
}
