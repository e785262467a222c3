//! The namespace controller: empties a namespace that is being deleted, and lets it go when it
//! is empty.
//!
//! Namespaces come in; deletions of everything in them, their conditions and their finalization
//! go out. Upstream: pkg/controller/namespace

use api::openapi::api::core::v1::{Namespace, NamespaceCondition, Pod};
use api::{Key, Kind, KindId, Kinded, Object};
use apiserver::Subresource;
use component_helpers::pod_status::is_pod_terminal;
use sim::{Duration, SmallMap, Sort};

use crate::refusal::is_not_found;
use crate::{Action, Change, Controller, Enqueue, Error, SyncContext, Watch};

/// How long it waits before it begins, so that what was being created is there to be seen.
const DELETION_GRACE_PERIOD: Duration = Duration::from_secs(5);
/// The finalizer that this controller takes away.
const FINALIZER: &str = "kubernetes";
/// How long finalizers are assumed to take.
const FINALIZER_ESTIMATE_SECONDS: i64 = 15;

/// The namespace controller.
#[derive(Clone, Debug, Default)]
pub struct NamespaceController;

impl Controller for NamespaceController {
    const NAME: &'static str = "namespace-controller";

    fn watches() -> &'static [Watch<Self>] {
        const { &[Watch::on::<Namespace>(on_namespace)] }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let namespace = match cx.get_live::<Namespace>(key) {
            Ok(namespace) => namespace,
            Err(status) if is_not_found(&status) => return Ok(Action::Done),
            Err(status) => return Err(status.into()),
        };
        if namespace.metadata.deletion_timestamp.is_none() || is_finalized(&namespace) {
            return Ok(Action::Done);
        }
        let remaining = delete_all_content(cx, &namespace);
        let namespace = report(cx, &namespace, &remaining)?;
        if let Some(error) = remaining.errors.into_iter().next() {
            return Err(error);
        }
        if remaining.estimate_seconds > 0 {
            let seconds = remaining.estimate_seconds / 2 + 1;
            return Ok(Action::RequeueAfter(Duration::from_api_seconds(seconds)));
        }
        finalize(cx, namespace)
    }
}

fn on_namespace(_: &mut NamespaceController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let deleting = |namespace: &Namespace| namespace.metadata.deletion_timestamp.is_some();
    if change.new::<Namespace>().is_some_and(deleting) {
        enqueue.add_after(change.key.clone(), DELETION_GRACE_PERIOD);
    }
}

fn is_finalized(namespace: &Namespace) -> bool {
    let finalizers = namespace.spec.as_ref().and_then(|spec| spec.finalizers.as_ref());
    finalizers.is_none_or(Vec::is_empty)
}

/// What is left in a namespace after everything in it was deleted.
#[derive(Debug, Default)]
struct Remaining {
    /// How long it may take to go.
    estimate_seconds: i64,
    /// How many objects there are, by `resource.group`.
    by_resource: SmallMap<String, usize>,
    /// How many objects each finalizer holds.
    by_finalizer: SmallMap<String, usize>,
    /// What could not be deleted.
    errors: Vec<Error>,
}

/// Deletes everything in the namespace: pods first, and the rest when no pod is left, so that
/// no pod loses what protects it while it ends.
/// Upstream: namespaced_resources_deleter.go, deleteAllContent.
fn delete_all_content(cx: &mut SyncContext<'_, '_>, namespace: &Namespace) -> Remaining {
    let mut remaining = Remaining::default();
    delete_content(cx, namespace, Pod::ID, &mut remaining);
    if !remaining.by_resource.is_empty() {
        return remaining;
    }
    for kind in Kind::all().filter(|kind| kind.is_namespaced() && kind.id != Pod::ID) {
        delete_content(cx, namespace, kind.id, &mut remaining);
    }
    remaining
}

fn delete_content(
    cx: &mut SyncContext<'_, '_>,
    namespace: &Namespace,
    kind: KindId,
    remaining: &mut Remaining,
) {
    let name = namespace.metadata.name.as_deref().unwrap_or_default();
    let outcome = cx
        .list_live(kind, name)
        .and_then(|listed| {
            let estimate = estimate_seconds(cx, namespace, &listed);
            if !listed.is_empty() {
                cx.delete_collection(kind, name)?;
            }
            Ok(estimate)
        })
        .and_then(|estimate| Ok((estimate, cx.list_live(kind, name)?)));
    match outcome {
        Ok((_, left)) if left.is_empty() => {}
        Ok((estimate, left)) => count(kind.get(), name, estimate, &left, remaining),
        Err(status) => remaining.errors.push(status.into()),
    }
}

fn count(kind: &Kind, name: &str, estimate: i64, left: &[Object], remaining: &mut Remaining) {
    let resource = format!("{}.{}", kind.plural, kind.group);
    remaining.by_resource.insert(resource, left.len());
    let finalizers = left.iter().flat_map(|object| object.meta().finalizers.iter().flatten());
    let mut held = false;
    for finalizer in finalizers {
        *remaining.by_finalizer.entry(finalizer.clone()).or_default() += 1;
        held = true;
    }
    let estimate = match estimate {
        0 if held => FINALIZER_ESTIMATE_SECONDS,
        0 => {
            let resource = format!("{}, Resource={}", kind.api_version, kind.plural);
            remaining.errors.push(Error::Other(format!(
                "unexpected items still remain in namespace: {name} for gvr: {resource}"
            )));
            0
        }
        estimate => estimate,
    };
    remaining.estimate_seconds = remaining.estimate_seconds.max(estimate);
}

/// How long the pods' grace may hold them; nothing for other kinds.
fn estimate_seconds(cx: &SyncContext<'_, '_>, namespace: &Namespace, listed: &[Object]) -> i64 {
    let pods = listed.iter().filter_map(Object::get::<Pod>).filter(|pod| !is_pod_terminal(pod));
    let grace =
        |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
    let estimate = pods.filter_map(grace).max().unwrap_or(0);
    let deleted = namespace.metadata.deletion_timestamp.as_ref();
    let elapsed = deleted.map_or(Duration::ZERO, |deleted| cx.since(deleted.0));
    // When the grace is over, they should have gone.
    if elapsed >= Duration::from_api_seconds(estimate) { 0 } else { estimate }
}

/// Writes the conditions that say how far the deletion has come.
/// Upstream: status_condition_utils.go.
fn report(
    cx: &mut SyncContext<'_, '_>,
    namespace: &Namespace,
    remaining: &Remaining,
) -> Result<Namespace, Error> {
    let mut changed = namespace.clone();
    let status = changed.status.get_or_insert_default();
    status.phase = Some("Terminating".to_string());
    let conditions = status.conditions.get_or_insert_default();
    for wanted in wanted_conditions(remaining) {
        let mut condition =
            NamespaceCondition { last_transition_time: Some(cx.timestamp()), ..wanted };
        match conditions.iter_mut().find(|old| old.type_ == condition.type_) {
            None => conditions.push(condition),
            Some(old) => {
                if old.status == condition.status {
                    condition.last_transition_time.clone_from(&old.last_transition_time);
                }
                *old = condition;
            }
        }
    }
    if changed == *namespace {
        return Ok(changed);
    }
    Ok((*cx.update_status(changed)?).clone())
}

fn wanted_conditions(remaining: &Remaining) -> [NamespaceCondition; 5] {
    let condition = |condition_type: &str, trouble: Option<(&str, String)>, fine: (&str, &str)| {
        let status = if trouble.is_some() { "True" } else { "False" };
        let (reason, message) = trouble.unwrap_or((fine.0, fine.1.to_string()));
        NamespaceCondition {
            type_: condition_type.to_string(),
            status: status.to_string(),
            reason: Some(reason.to_string()),
            message: Some(message),
            last_transition_time: None,
        }
    };
    let joined = |counts: &SmallMap<String, usize>, preposition: &str| {
        let parts: Vec<String> = counts
            .iter()
            .map(|(name, count)| format!("{name} {preposition} {count} resource instances"))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    };
    let mut errors: Vec<String> = remaining.errors.iter().map(Error::to_string).collect();
    errors.order();
    let failure = (!errors.is_empty()).then(|| {
        let count = errors.len();
        let joined = errors.join(", ");
        let message = format!("Failed to delete all resource types, {count} remaining: {joined}");
        ("ContentDeletionFailed", message)
    });
    let content = joined(&remaining.by_resource, "has")
        .map(|parts| ("SomeResourcesRemain", format!("Some resources are remaining: {parts}")));
    let finalizers = joined(&remaining.by_finalizer, "in").map(|parts| {
        (
            "SomeFinalizersRemain",
            format!("Some content in the namespace has finalizers remaining: {parts}"),
        )
    });
    let removed = ("ContentRemoved", "All content successfully removed");
    [
        condition(
            "NamespaceDeletionDiscoveryFailure",
            None,
            ("ResourcesDiscovered", "All resources successfully discovered"),
        ),
        condition(
            "NamespaceDeletionGroupVersionParsingFailure",
            None,
            ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ),
        condition(
            "NamespaceDeletionContentFailure",
            failure,
            ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
        ),
        condition("NamespaceContentRemaining", content, removed),
        condition("NamespaceFinalizersRemaining", finalizers, removed),
    ]
}

fn finalize(cx: &mut SyncContext<'_, '_>, mut namespace: Namespace) -> Result<Action, Error> {
    let spec = namespace.spec.get_or_insert_default();
    spec.finalizers.get_or_insert_default().retain(|finalizer| finalizer != FINALIZER);
    match cx.update_subresource(Subresource::Finalize, namespace) {
        Err(status) if !is_not_found(&status) => Err(status.into()),
        _ => Ok(Action::Done),
    }
}

#[cfg(test)]
#[path = "namespace_tests.rs"]
mod tests;
