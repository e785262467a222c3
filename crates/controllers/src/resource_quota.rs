//! The ResourceQuota controller: counts what is used, which admission only adds to.
//!
//! Upstream: pkg/controller/resourcequota/resource_quota_controller.go

use api::openapi::api::core::v1::{Event, Pod, ResourceQuota, ResourceQuotaStatus};
use api::quantity::Quantity;
use api::{Key, Kind, Kinded, Object};
use component_helpers::quota::{self, Usage};
use sim::Duration;

use crate::{Action, Change, Controller, Enqueue, Error, SyncContext, Watch};

/// How often a quota is counted anew whatever happens. Upstream: ResourceQuotaSyncPeriod.
const RESYNC_PERIOD: Duration = Duration::from_secs(300);

/// The ResourceQuota controller.
#[derive(Clone, Debug, Default)]
pub struct ResourceQuotaController;

impl Controller for ResourceQuotaController {
    const NAME: &'static str = "resourcequota-controller";
    const TIMERS_ARE_IDLE: bool = true;

    fn watches() -> &'static [Watch<Self>] {
        const { &[Watch::on::<ResourceQuota>(on_quota), Watch::on_everything(on_change)] }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(found) = cx.informers.get::<ResourceQuota>(key) else { return Ok(Action::Done) };
        let spec = found.spec.as_ref();
        let hard = spec.and_then(|spec| spec.hard.clone()).unwrap_or_default();
        let status =
            ResourceQuotaStatus { used: Some(quota::write(&used(cx, found))), hard: Some(hard) };
        let same = found.status.as_ref().is_some_and(|before| {
            let read = |status: &ResourceQuotaStatus| {
                (quota::read(status.hard.as_ref()), quota::read(status.used.as_ref()))
            };
            before.used.is_some() && before.hard.is_some() && read(before) == read(&status)
        });
        if !same {
            let mut updated = found.clone();
            updated.status = Some(status);
            cx.update_status(updated)?;
        }
        Ok(Action::RequeueAfter(RESYNC_PERIOD))
    }
}

/// What the objects of the namespace use of what the quota limits.
/// Upstream: CalculateUsage.
fn used(cx: &SyncContext<'_, '_>, found: &ResourceQuota) -> Usage {
    let namespace = found.metadata.namespace.as_deref().unwrap_or_default();
    let hard = quota::read(found.spec.as_ref().and_then(|spec| spec.hard.as_ref()));
    let now = cx.now_on_calendar();
    let mut used: Usage = hard.keys().map(|name| (name.clone(), Quantity::default())).collect();
    for kind in Kind::all().filter(|kind| kind.is_namespaced() && kind.id != Event::ID) {
        let limited: Vec<&String> =
            hard.keys().filter(|name| quota::counts_for(kind, name)).collect();
        if limited.is_empty() {
            continue;
        }
        let objects = cx.informers.objects(kind.id).in_namespace(namespace);
        for object in objects.filter(|object| quota::matches_scopes(found, object)) {
            let mut usage = quota::usage(object, now);
            usage.retain(|name, _| limited.contains(&name));
            quota::add(&mut used, &usage);
        }
    }
    used
}

fn on_quota(_: &mut ResourceQuotaController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let (old, new) = (change.old::<ResourceQuota>(), change.new::<ResourceQuota>());
    let hard = |quota: &ResourceQuota| quota.spec.as_ref().and_then(|spec| spec.hard.clone());
    if old.zip(new).is_none_or(|(old, new)| hard(old) != hard(new)) {
        enqueue.add(change.key.clone());
    }
}

/// What is gone, or does not count any more, is to be given back.
/// Upstream: pkg/controller/resourcequota/resource_quota_monitor.go and replenishment.
fn on_change(_: &mut ResourceQuotaController, change: &Change, enqueue: &mut Enqueue<'_>) {
    if change.key.namespace.is_empty() || change.kind == Event::ID {
        return;
    }
    let Some(old) = &change.old else { return };
    let is_freed = match &change.new {
        None => true,
        Some(new) => uses_less(old, new),
    };
    if !is_freed {
        return;
    }
    let kind = change.kind.get();
    let quotas = enqueue.informers.in_namespace::<ResourceQuota>(&change.key.namespace);
    let limits = |quota: &&ResourceQuota| {
        let hard = quota.spec.as_ref().and_then(|spec| spec.hard.as_ref());
        hard.is_some_and(|hard| hard.keys().any(|name| quota::counts_for(kind, name)))
    };
    let keys: Vec<Key> = quotas.filter(limits).map(|quota| Key::of(&quota.metadata)).collect();
    keys.into_iter().for_each(|key| enqueue.add(key));
}

/// Whether a change of an object may have given something back.
fn uses_less(old: &Object, new: &Object) -> bool {
    use component_helpers::pod_status::is_pod_terminal;
    match (old.get::<Pod>(), new.get::<Pod>()) {
        (Some(old), Some(new)) => !is_pod_terminal(old) && is_pod_terminal(new),
        _ => {
            let of_service = |object: &Object| {
                let service = object.get::<api::openapi::api::core::v1::Service>()?;
                service.spec.as_ref().map(|spec| (spec.type_.clone(), spec.ports.clone()))
            };
            let of_claim = |object: &Object| {
                let claim = object.get::<api::openapi::api::core::v1::PersistentVolumeClaim>()?;
                claim.spec.as_ref().and_then(|spec| spec.resources.clone())
            };
            of_service(old) != of_service(new) || of_claim(old) != of_claim(new)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{World, replica_set};

    fn quota_of(hard: Value) -> ResourceQuota {
        serde_json::from_value(json!({"apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": {"name": "quota"}, "spec": {"hard": hard}}))
        .expect("a quota")
    }

    impl World {
        fn quota_status(&mut self) -> Value {
            serde_json::to_value(&self.get::<ResourceQuota>("quota").status).expect("JSON")
        }
    }

    /// Upstream: resource_quota_controller_test.go, TestSyncResourceQuota.
    #[test]
    fn usage_follows_what_there_is() {
        let mut world = World::new();
        world.create(quota_of(json!({"pods": "3", "count/replicasets.apps": "5", "secrets": "9"})));
        world.run(50);
        let want = json!({"hard": {"pods": "3", "count/replicasets.apps": "5", "secrets": "9"},
            "used": {"pods": "0", "count/replicasets.apps": "0", "secrets": "0"}});
        assert_eq!(world.quota_status(), want);
        world.create(replica_set("web", 2));
        world.settle();
        assert_eq!(world.quota_status()["used"]["pods"], "2");
        assert_eq!(world.quota_status()["used"]["count/replicasets.apps"], "1");
        // Beyond the quota nothing is made, and the controller says so.
        world.create(replica_set("more", 2));
        world.run(300);
        assert_eq!(world.list::<Pod>().len(), 3);
        let said = world.messages("FailedCreate");
        assert!(
            said[0].ends_with(
                "exceeded quota: quota, requested: pods=1, used: pods=3, limited: pods=3"
            ),
            "{said:?}"
        );
        // What has ended counts no more.
        let name = world.list::<Pod>()[0].metadata.name.clone().expect("named");
        world.set_pod(&name, "Succeeded", false);
        world.run_seconds(2);
        assert_eq!(world.quota_status()["used"]["pods"], "3");
        world.delete::<api::openapi::api::apps::v1::ReplicaSet>("web", None);
        world.run_seconds(2);
        world.finish_pods();
        world.run_seconds(2);
        assert_eq!(world.quota_status()["used"]["pods"], "2");
    }
}
