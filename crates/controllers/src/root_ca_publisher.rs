//! Publishes the cluster's root certificate in every namespace, for pods to mount.
//!
//! Upstream: pkg/controller/certificates/rootcacertpublisher/publisher.go

use std::collections::BTreeMap;

use api::Key;
use api::openapi::api::core::v1::{ConfigMap, Namespace};
use api::openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::service_account::{is_active, is_pointless};
use crate::{Action, Change, Controller, Enqueue, Error, SyncContext, Watch};

const NAME: &str = "kube-root-ca.crt";
const DESCRIPTION_ANNOTATION: &str = "kubernetes.io/description";
const DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver \
                           when using internal endpoints such as the internal service IP or \
                           kubernetes.default.svc. No other usage is guaranteed across \
                           distributions of Kubernetes clusters.";
/// Nothing in the cluster speaks TLS, so that there is no key behind this.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n\
                           c2ltdWxhdGVkIGNsdXN0ZXI6IG5vIFRMUw==\n\
                           -----END CERTIFICATE-----\n";

/// The publisher of the root certificate.
#[derive(Clone, Debug, Default)]
pub struct RootCaPublisher;

impl Controller for RootCaPublisher {
    const NAME: &'static str = "root-ca-cert-publisher";

    fn watches() -> &'static [Watch<Self>] {
        const { &[Watch::on::<Namespace>(on_namespace), Watch::on::<ConfigMap>(on_config_map)] }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(namespace) = cx.informers.get::<Namespace>(key) else { return Ok(Action::Done) };
        if !is_active(namespace) {
            return Ok(Action::Done);
        }
        let data = BTreeMap::from([("ca.crt".to_string(), CERTIFICATE.to_string())]);
        let Some(found) = cx.informers.get::<ConfigMap>(&Key::new(&key.name, NAME)) else {
            return publish(cx, key, data);
        };
        let annotations = found.metadata.annotations.as_ref();
        let described = annotations
            .and_then(|annotations| annotations.get(DESCRIPTION_ANNOTATION))
            .is_some_and(|description| description == DESCRIPTION);
        if described && found.data.as_ref() == Some(&data) {
            return Ok(Action::Done);
        }
        let mut changed = found.clone();
        changed.data = Some(data);
        let annotations = changed.metadata.annotations.get_or_insert_default();
        annotations.insert(DESCRIPTION_ANNOTATION.to_string(), DESCRIPTION.to_string());
        cx.update(changed)?;
        Ok(Action::Done)
    }
}

fn publish(
    cx: &mut SyncContext<'_, '_>,
    key: &Key,
    data: BTreeMap<String, String>,
) -> Result<Action, Error> {
    let annotations =
        BTreeMap::from([(DESCRIPTION_ANNOTATION.to_string(), DESCRIPTION.to_string())]);
    let metadata = ObjectMeta {
        name: Some(NAME.to_string()),
        namespace: Some(key.name.to_string()),
        annotations: Some(annotations),
        ..ObjectMeta::default()
    };
    let config_map = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
    match cx.create(&key.name, config_map) {
        Ok(_) => Ok(Action::Done),
        Err(status) if is_pointless(&status) => Ok(Action::Done),
        Err(status) => Err(status.into()),
    }
}

fn on_namespace(_: &mut RootCaPublisher, change: &Change, enqueue: &mut Enqueue<'_>) {
    if change.new.is_some() {
        enqueue.add(change.key.clone());
    }
}

fn on_config_map(_: &mut RootCaPublisher, change: &Change, enqueue: &mut Enqueue<'_>) {
    // Its own creation is nothing new.
    if &*change.key.name == NAME && change.old.is_some() {
        enqueue.add(Key::cluster(&change.key.namespace));
    }
}

#[cfg(test)]
mod tests {
    use apiserver::DeleteOptions;

    use super::*;
    use crate::testing::{NAMESPACE, World};

    /// Upstream: publisher_test.go, TestConfigMapCreation and TestConfigMapUpdateNoHotLoop.
    #[test]
    fn the_certificate_is_put_back_when_it_is_changed_or_deleted() {
        let mut world = World::new();
        world.run(20);
        let published = world.get::<ConfigMap>(NAME).data.clone();
        assert!(published.as_ref().is_some_and(|data| data.contains_key("ca.crt")));
        world.change::<ConfigMap>(NAME, |config_map| config_map.data = None);
        world.run(20);
        assert_eq!(world.get::<ConfigMap>(NAME).data, published);
        let mut api = world.cluster.api::<ConfigMap>(NAMESPACE);
        api.delete(NAME, DeleteOptions::default()).expect("deleted");
        world.run(20);
        assert_eq!(world.get::<ConfigMap>(NAME).data, published);
        let revision = world.cluster.server.revision();
        world.run_seconds(1);
        assert_eq!(world.cluster.server.revision(), revision);
    }
}
