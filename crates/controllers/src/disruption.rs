//! The disruption controller: says of each PodDisruptionBudget how many of its pods may go.
//!
//! Upstream: pkg/controller/disruption/disruption.go

use std::collections::BTreeMap;

use api::labels::Selector;
use api::openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use api::openapi::api::core::v1::Pod;
use api::openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use api::openapi::apimachinery::pkg::apis::meta::v1::{
    ObjectMeta, OwnerReference, Time as MetaTime,
};
use api::openapi::apimachinery::pkg::util::intstr::IntOrString;
use api::{Key, Kind, Kinded};
use client::EventType;
use component_helpers::controller_ref::controller_of;
use component_helpers::disruption::{
    allowed_condition, set_condition, update_allowed_condition, wanted_condition,
};
use component_helpers::pod_status::is_pod_ready;
use component_helpers::rollout::{Round, scaled_value};
use sim::{Duration, SmallMap};

use crate::{Action, Change, Controller, Enqueue, Error, SharedInformers, SyncContext, Watch};

/// How long a pod that was evicted may take to be deleted. Upstream: DeletionTimeout.
const DELETION_TIMEOUT: Duration = Duration::from_secs(120);

/// The disruption controller.
#[derive(Clone, Debug, Default)]
pub struct DisruptionController;

impl Controller for DisruptionController {
    const NAME: &'static str = "disruption-controller";
    const EVENT_SOURCE: &'static str = "controllermanager";
    const TIMERS_ARE_IDLE: bool = true;

    fn watches() -> &'static [Watch<Self>] {
        const { &[Watch::on::<PodDisruptionBudget>(on_budget), Watch::on::<Pod>(on_pod)] }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(budget) = cx.informers.get::<PodDisruptionBudget>(key) else {
            return Ok(Action::Done);
        };
        match try_sync(cx, budget) {
            Ok(action) => Ok(action),
            Err(error) => {
                fail_safe(cx, budget, &error)?;
                Err(error)
            }
        }
    }
}

fn selector_of(budget: &PodDisruptionBudget) -> Option<Selector> {
    let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    Selector::from_label_selector(selector).ok()
}

/// Upstream: trySync.
fn try_sync(cx: &mut SyncContext<'_, '_>, budget: &PodDisruptionBudget) -> Result<Action, Error> {
    let namespace = budget.metadata.namespace.as_deref().unwrap_or_default();
    let informers = cx.informers;
    let selector = selector_of(budget);
    let is_selected =
        |pod: &&Pod| selector.as_ref().is_some_and(|selector| selector.matches_meta(&pod.metadata));
    let pods: Vec<&Pod> = informers.in_namespace::<Pod>(namespace).filter(is_selected).collect();
    if pods.is_empty() {
        cx.event(budget, EventType::Normal, "NoPods", "No matching pods found");
    }
    let expected = Expected::of(informers, budget, &pods).inspect_err(|error| {
        let message = format!("Failed to calculate the number of expected pods: {error}");
        cx.event(budget, EventType::Warning, "CalculateExpectedPodCountFailed", &message);
    })?;
    if expected.has_unmanaged {
        let shown = selector.as_ref().map(ToString::to_string).unwrap_or_default();
        let message = format!(
            "Pods selected by this PodDisruptionBudget (selector: {shown}) were found to be \
             unmanaged. As a result, the status of the PDB cannot be calculated correctly, which \
             may result in undefined behavior. To account for these pods please set \
             \".spec.minAvailable\" field of the PDB to an integer value."
        );
        cx.event(budget, EventType::Warning, "UnmanagedPods", &message);
    }
    let (disrupted, recheck) = disrupted_pods(cx, budget, &pods);
    let is_healthy = |pod: &&&Pod| {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        pod.metadata.deletion_timestamp.is_none()
            && !disrupted.contains_key(name)
            && is_pod_ready(pod)
    };
    let healthy = i32::try_from(pods.iter().filter(is_healthy).count()).unwrap_or(i32::MAX);
    report(cx, budget, healthy, &expected, disrupted)?;
    Ok(recheck.map_or(Action::Done, Action::RequeueAfter))
}

/// How many pods there should be, and how many of them have to stay.
#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    count: i32,
    desired_healthy: i32,
    /// Whether nobody made some of them.
    has_unmanaged: bool,
}

impl Expected {
    /// Upstream: getExpectedPodCount.
    fn of(
        informers: &SharedInformers,
        budget: &PodDisruptionBudget,
        pods: &[&Pod],
    ) -> Result<Self, Error> {
        let Some(spec) = &budget.spec else { return Ok(Expected::default()) };
        let scaled = |value: &IntOrString, count: i32| {
            let invalid = || Error::Other("invalid value for IntOrString".to_string());
            scaled_value(value, count, Round::Up).ok_or_else(invalid)
        };
        match (&spec.max_unavailable, &spec.min_available) {
            (Some(unavailable), _) => {
                let (count, has_unmanaged) = expected_scale(informers, pods)?;
                let desired_healthy = (count - scaled(unavailable, count)?).max(0);
                Ok(Expected { count, desired_healthy, has_unmanaged })
            }
            (None, Some(IntOrString::Int(available))) => {
                let count = i32::try_from(pods.len()).unwrap_or(i32::MAX);
                Ok(Expected { count, desired_healthy: *available, has_unmanaged: false })
            }
            (None, Some(available)) => {
                let (count, has_unmanaged) = expected_scale(informers, pods)?;
                let desired_healthy = scaled(available, count)?;
                Ok(Expected { count, desired_healthy, has_unmanaged })
            }
            (None, None) => Ok(Expected::default()),
        }
    }
}

/// How many pods the owners of these want together. Upstream: getExpectedScale.
fn expected_scale(informers: &SharedInformers, pods: &[&Pod]) -> Result<(i32, bool), Error> {
    let mut scales: SmallMap<String, i32> = SmallMap::new();
    let mut has_unmanaged = false;
    for pod in pods {
        let Some(owner) = controller_of(&pod.metadata) else {
            has_unmanaged = true;
            continue;
        };
        if scales.contains_key(&owner.uid) {
            continue;
        }
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let Some((uid, scale)) = scale_of(informers, namespace, owner)? else {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            return Err(Error::Other(format!("found no controllers for pod {name:?}")));
        };
        scales.insert(uid, scale);
    }
    Ok((scales.values().sum(), has_unmanaged))
}

/// Who decides how many pods there are, and how many. Upstream: the finders.
fn scale_of(
    informers: &SharedInformers,
    namespace: &str,
    owner: &OwnerReference,
) -> Result<Option<(String, i32)>, Error> {
    fn known<'a, T: Kinded>(
        informers: &'a SharedInformers,
        namespace: &str,
        owner: &OwnerReference,
    ) -> Option<&'a T> {
        let is_kind =
            owner.kind == T::ID.get().kind && owner.api_version == T::ID.get().api_version;
        let found = informers.get::<T>(&Key::new(namespace, &owner.name)).filter(|_| is_kind)?;
        (found.metadata().uid.as_deref() == Some(owner.uid.as_str())).then_some(found)
    }
    let uid = |meta: &ObjectMeta| meta.uid.clone().unwrap_or_default();
    if let Some(replica_set) = known::<ReplicaSet>(informers, namespace, owner) {
        let above = controller_of(&replica_set.metadata);
        let deployment = above.and_then(|above| known::<Deployment>(informers, namespace, above));
        return Ok(Some(match deployment {
            Some(deployment) => (uid(&deployment.metadata), deployment.spec.replicas.unwrap_or(1)),
            None => (uid(&replica_set.metadata), replica_set.spec.replicas.unwrap_or(1)),
        }));
    }
    if let Some(set) = known::<StatefulSet>(informers, namespace, owner) {
        return Ok(Some((uid(&set.metadata), set.spec.replicas.unwrap_or(1))));
    }
    match Kind::named(&owner.api_version, &owner.kind) {
        Some(kind) if !kind.subresources.contains(&"scale") => {
            let resource = kind.group_resource();
            Err(Error::Other(format!("{resource} does not implement the scale subresource")))
        }
        _ => Ok(None),
    }
}

/// The pods that were evicted and are there still, and when to look at them again.
/// Upstream: buildDisruptedPodMap.
fn disrupted_pods(
    cx: &mut SyncContext<'_, '_>,
    budget: &PodDisruptionBudget,
    pods: &[&Pod],
) -> (BTreeMap<String, MetaTime>, Option<Duration>) {
    let status = budget.status.as_ref();
    let known = status.and_then(|status| status.disrupted_pods.as_ref());
    let mut disrupted = BTreeMap::new();
    let mut recheck: Option<Duration> = None;
    for pod in pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let Some(since) = known.and_then(|known| known.get(name)) else { continue };
        let left = DELETION_TIMEOUT.saturating_sub(cx.since(since.0));
        if left == Duration::ZERO {
            let key = Key::of(&budget.metadata);
            let message = format!("Pod was expected by PDB {key} to be deleted but it wasn't");
            cx.event(*pod, EventType::Warning, "NotDeleted", &message);
        } else {
            recheck = Some(recheck.map_or(left, |recheck| recheck.min(left)));
            disrupted.insert(name.to_string(), since.clone());
        }
    }
    (disrupted, recheck)
}

/// Upstream: updatePdbStatus.
fn report(
    cx: &mut SyncContext<'_, '_>,
    budget: &PodDisruptionBudget,
    healthy: i32,
    expected: &Expected,
    disrupted: BTreeMap<String, MetaTime>,
) -> Result<(), Error> {
    let spare = healthy - expected.desired_healthy;
    let allowed = if expected.count <= 0 { 0 } else { spare.max(0) };
    let before = budget.status.clone().unwrap_or_default();
    let status = PodDisruptionBudgetStatus {
        current_healthy: Some(healthy),
        desired_healthy: Some(expected.desired_healthy),
        expected_pods: Some(expected.count),
        disruptions_allowed: Some(allowed),
        disrupted_pods: Some(disrupted).filter(|pods| !pods.is_empty()),
        observed_generation: budget.metadata.generation,
        conditions: before.conditions.clone(),
    };
    let condition = allowed_condition(&status);
    let is_said = condition.is_some_and(|condition| {
        (condition.status.as_str(), condition.reason.as_str()) == wanted_condition(allowed)
            && condition.observed_generation == status.observed_generation
    });
    if is_said && status == before {
        return Ok(());
    }
    let mut updated = budget.clone();
    updated.status = Some(status);
    update_allowed_condition(&mut updated, &cx.timestamp());
    cx.update_status(updated)?;
    Ok(())
}

/// Allows nothing while nothing is known. Upstream: failSafe.
fn fail_safe(
    cx: &mut SyncContext<'_, '_>,
    budget: &PodDisruptionBudget,
    error: &Error,
) -> Result<(), Error> {
    let mut updated = budget.clone();
    updated.status.get_or_insert_default().disruptions_allowed = Some(0);
    set_condition(&mut updated, ("False", "SyncFailed", &error.to_string()), &cx.timestamp());
    if updated != *budget {
        cx.update_status(updated)?;
    }
    Ok(())
}

fn on_budget(_: &mut DisruptionController, change: &Change, enqueue: &mut Enqueue<'_>) {
    enqueue.add(change.key.clone());
}

fn on_pod(_: &mut DisruptionController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let (old, new) = (change.old::<Pod>(), change.new::<Pod>());
    let budgets = enqueue.informers.in_namespace::<PodDisruptionBudget>(&change.key.namespace);
    let is_concerned = |budget: &&PodDisruptionBudget| {
        let selector = selector_of(budget);
        let pods = [old, new].into_iter().flatten();
        selector.is_some_and(|it| pods.into_iter().any(|pod| it.matches_meta(&pod.metadata)))
    };
    let keys: Vec<Key> =
        budgets.filter(is_concerned).map(|budget| Key::of(&budget.metadata)).collect();
    keys.into_iter().for_each(|key| enqueue.add(key));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{World, deployment, meta, pod};
    use api::openapi::api::core::v1::ConfigMap;
    use component_helpers::controller_ref::new_controller_ref;

    fn budget(spec: Value) -> PodDisruptionBudget {
        let mut spec = spec;
        spec["selector"] = json!({"matchLabels": {"app": "web"}});
        serde_json::from_value(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": "budget"}, "spec": spec}))
        .expect("a budget")
    }

    impl World {
        /// currentHealthy, desiredHealthy, expectedPods, disruptionsAllowed.
        fn budget_counts(&mut self) -> [i32; 4] {
            let status = self.get::<PodDisruptionBudget>("budget").status.clone();
            let status = status.unwrap_or_default();
            let count = |count: Option<i32>| count.unwrap_or(-1);
            [
                count(status.current_healthy),
                count(status.desired_healthy),
                count(status.expected_pods),
                count(status.disruptions_allowed),
            ]
        }

        fn condition(&mut self) -> (String, String) {
            let status = self.get::<PodDisruptionBudget>("budget").status.clone();
            let status = status.unwrap_or_default();
            let condition = allowed_condition(&status).expect("a condition");
            (condition.status.clone(), condition.reason.clone())
        }
    }

    /// Upstream: disruption_test.go, TestNoSelector, TestUnavailable, TestReplicaSet and
    /// TestMultipleControllers.
    #[test]
    fn budgets_follow_their_pods() {
        for (spec, want) in [
            (json!({"minAvailable": 2}), [3, 2, 3, 1]),
            (json!({"minAvailable": "50%"}), [3, 2, 3, 1]),
            (json!({"minAvailable": 4}), [3, 4, 3, 0]),
            (json!({"maxUnavailable": "34%"}), [3, 1, 3, 2]),
            (json!({"maxUnavailable": 1}), [3, 2, 3, 1]),
        ] {
            let mut world = World::new();
            world.create(budget(spec.clone()));
            world.run(50);
            assert_eq!(world.budget_counts()[3], 0);
            world.create(deployment("web", 3, "1", "0"));
            world.settle();
            assert_eq!(world.budget_counts(), want, "{spec}");
            let holds = if want[3] > 0 { "True" } else { "False" };
            assert_eq!(world.condition().0, holds);
        }
    }

    /// Upstream: TestUnmanagedPods and the failing finders.
    #[test]
    fn pods_that_nobody_counts() {
        let mut world = World::new();
        world.create(budget(json!({"maxUnavailable": 1})));
        world.create(pod("alone", &[("app", "web")]));
        world.settle();
        assert_eq!(world.budget_counts(), [1, 0, 0, 0]);
        assert_eq!(world.messages("UnmanagedPods").len(), 1);
        let mut owned = pod("agent", &[("app", "web")]);
        let owner =
            world.create(ConfigMap { metadata: meta("owner", &[]), ..ConfigMap::default() });
        owned.metadata.owner_references = Some(vec![new_controller_ref(&*owner)]);
        world.create(owned);
        world.run(30);
        assert_eq!(world.condition(), ("False".to_string(), "SyncFailed".to_string()));
        let said = world.messages("CalculateExpectedPodCountFailed");
        assert!(said[0].ends_with("configmaps does not implement the scale subresource"));
    }

    /// Upstream: eviction_test.go and TestUpdateDisruptedPods.
    #[test]
    fn evictions_use_up_the_budget() {
        let mut world = World::new();
        world.create(budget(json!({"minAvailable": 2})));
        world.create(deployment("web", 3, "1", "0"));
        world.settle();
        let names: Vec<String> =
            world.list::<Pod>().iter().filter_map(|pod| pod.metadata.name.clone()).collect();
        for name in &names {
            let binding = apiserver::Binding { node: "node-1".into(), uid: String::new() };
            world.cluster.api::<Pod>("default").bind(name, binding).expect("bound");
        }
        let evict = |world: &mut World, name: &str| {
            let options = apiserver::DeleteOptions::default();
            world.cluster.api::<Pod>("default").evict(name, options)
        };
        assert_eq!(evict(&mut world, &names[0]), Ok(()));
        let refused = evict(&mut world, &names[1]).expect_err("refused");
        assert_eq!(refused.code(), 429);
        let words = "Cannot evict pod as it would violate the pod's disruption budget.";
        assert_eq!(refused.message(), words);
        let causes = refused.as_meta().details.clone().and_then(|it| it.causes).expect("one");
        assert_eq!(
            causes[0].message.as_deref(),
            Some("The disruption budget budget needs 2 healthy pods and has 3 currently")
        );
        let gone = world.get::<Pod>(&names[0]);
        assert!(gone.metadata.deletion_timestamp.is_some());
        let conditions = gone.status.clone().and_then(|it| it.conditions).unwrap_or_default();
        let target = conditions.iter().find(|it| it.type_ == "DisruptionTarget").expect("one");
        assert_eq!(target.reason.as_deref(), Some("EvictionByEvictionAPI"));
        world.run(100);
        // The one on its way out and its successor both count as pods.
        assert_eq!(world.budget_counts(), [2, 2, 4, 0]);
        world.settle();
        assert_eq!(world.budget_counts(), [3, 2, 3, 1]);
        assert_eq!(evict(&mut world, &names[1]), Ok(()));
    }
}
