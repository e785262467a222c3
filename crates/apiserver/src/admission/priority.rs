//! A pod's priority is that of its class.
//!
//! Upstream: plugin/pkg/admission/priority/admission.go

use api::openapi::api::core::v1::Pod;
use api::openapi::api::scheduling::v1::PriorityClass;
use api::priority::{PREEMPT_LOWER_PRIORITY, is_system_class};
use api::{Key, KindId, Object, Status};

use super::{AdmissionPlugin, Attributes, View};
use crate::Verb;

/// The priority of a pod without a class where no class is the default.
const DEFAULT_PRIORITY: i32 = 0;

pub(super) struct Priority;

/// What a class gives a pod.
struct Given {
    class: String,
    priority: i32,
    policy: Option<String>,
}

impl From<&PriorityClass> for Given {
    fn from(class: &PriorityClass) -> Self {
        Given {
            class: class.metadata.name.clone().unwrap_or_default(),
            priority: class.value.unwrap_or_default(),
            policy: class.preemption_policy.clone(),
        }
    }
}

impl AdmissionPlugin for Priority {
    fn name(&self) -> &'static str {
        "Priority"
    }

    fn admit(
        &self,
        request: &Attributes<'_>,
        object: Option<&mut Object>,
        view: &mut View<'_>,
    ) -> Result<(), Status> {
        let Some(object) = object else { return Ok(()) };
        if !request.concerns(KindId::POD) {
            return Ok(());
        }
        match (request.verb, request.old) {
            (Verb::Create, _) => admit_pod(request, object, view),
            (_, Some(old)) => {
                keep_priority(object, old);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn validate(
        &self,
        request: &Attributes<'_>,
        object: Option<&Object>,
        view: &View<'_>,
    ) -> Result<(), Status> {
        if !request.concerns(KindId::PRIORITY_CLASS) {
            return Ok(());
        }
        // Upstream: pkg/registry/scheduling/priorityclass/storage/storage.go, Delete
        if request.verb == Verb::Delete && is_system_class(request.name) {
            let words = "this is a system priority class and cannot be deleted";
            return Err(request.forbidden(object, words));
        }
        let class = object.and_then(Object::get::<PriorityClass>);
        if class.is_none_or(|class| class.global_default != Some(true)) {
            return Ok(());
        }
        let name = object.map(Object::name).unwrap_or_default();
        match default_class(view).filter(|default| default.class != name) {
            None => Ok(()),
            Some(Given { class, .. }) => {
                let words = format!(
                    "PriorityClass {class} is already marked as default. Only one default can \
                     exist"
                );
                Err(request.forbidden(object, &words))
            }
        }
    }
}

/// The class that pods without one have: of several, that of the lowest value.
fn default_class(view: &View<'_>) -> Option<Given> {
    let classes = view.list(KindId::PRIORITY_CLASS);
    let typed = classes.iter().filter_map(Object::get::<PriorityClass>);
    let defaults = typed.filter(|class| class.global_default == Some(true));
    defaults.min_by_key(|class| class.value).map(Given::from)
}

fn admit_pod(request: &Attributes<'_>, object: &mut Object, view: &View<'_>) -> Result<(), Status> {
    let Some(spec) = object.get::<Pod>().and_then(|pod| pod.spec.as_ref()) else {
        return Ok(());
    };
    let class = spec.priority_class_name.as_deref().unwrap_or_default();
    let given = if class.is_empty() {
        default_class(view).unwrap_or_else(|| Given {
            class: String::new(),
            priority: DEFAULT_PRIORITY,
            policy: Some(PREEMPT_LOWER_PRIORITY.to_string()),
        })
    } else {
        let found = view.get(KindId::PRIORITY_CLASS, &Key::cluster(class));
        let Some(found) = found.as_ref().and_then(Object::get::<PriorityClass>) else {
            let words = format!("no PriorityClass with name {class} was found");
            return Err(request.forbidden(Some(object), &words));
        };
        Given::from(found)
    };
    let Given { class, priority, policy } = given;
    if let Some(own) = spec.priority.filter(|own| *own != priority) {
        let words = format!(
            "the integer value of priority ({own}) must not be provided in pod spec; priority \
             admission controller computed {priority} from the given PriorityClass name"
        );
        return Err(request.forbidden(Some(object), &words));
    }
    if let (Some(own), Some(policy)) = (&spec.preemption_policy, &policy)
        && own != policy
    {
        let words = format!(
            "the string value of PreemptionPolicy ({own}) must not be provided in pod spec; \
             priority admission controller computed {policy} from the given PriorityClass name"
        );
        return Err(request.forbidden(Some(object), &words));
    }
    if let Some(pod) = object.get_mut::<Pod>() {
        let spec = pod.spec.get_or_insert_default();
        spec.priority_class_name = Some(class).filter(|class| !class.is_empty());
        spec.priority = Some(priority);
        spec.preemption_policy = policy.or(spec.preemption_policy.take());
    }
    Ok(())
}

/// Clients that know nothing of priorities leave them out.
fn keep_priority(object: &mut Object, old: &Object) {
    let spec = |object: &Object| object.get::<Pod>().and_then(|pod| pod.spec.clone());
    let (Some(new), Some(old)) = (object.get::<Pod>().and_then(|pod| pod.spec.as_ref()), spec(old))
    else {
        return;
    };
    let lost_priority = new.priority.is_none() && old.priority.is_some();
    let lost_policy = new.preemption_policy.is_none() && old.preemption_policy.is_some();
    if !lost_priority && !lost_policy {
        return;
    }
    if let Some(new) = object.get_mut::<Pod>().and_then(|pod| pod.spec.as_mut()) {
        new.priority = new.priority.or(old.priority);
        new.preemption_policy = new.preemption_policy.take().or(old.preemption_policy);
    }
}
