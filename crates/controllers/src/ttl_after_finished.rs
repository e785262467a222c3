//! The controller that deletes Jobs some time after they are over.
//!
//! Upstream: pkg/controller/ttlafterfinished/ttlafterfinished_controller.go

use api::Key;
use api::openapi::api::batch::v1::Job;
use apiserver::{DeleteOptions, Propagation};
use jiff::{SignedDuration, Timestamp};
use sim::Duration;

use crate::job::finished_condition;
use crate::refusal::is_not_found;
use crate::{Action, Change, Controller, Enqueue, Error, SyncContext, Watch};

/// Deletes Jobs when their time has come.
#[derive(Clone, Debug, Default)]
pub struct TtlAfterFinishedController;

impl Controller for TtlAfterFinishedController {
    const NAME: &'static str = "ttl-after-finished-controller";
    const TIMERS_ARE_IDLE: bool = true;

    fn watches() -> &'static [Watch<Self>] {
        const { &[Watch::on::<Job>(on_job)] }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let Some(job) = cx.informers.get::<Job>(key) else { return Ok(Action::Done) };
        if let Some(left) = time_left(cx, job)? {
            return Ok(left);
        }
        // The cache may be behind: the time may have been changed.
        let fresh = match cx.get_live::<Job>(key) {
            Err(status) if is_not_found(&status) => return Ok(Action::Done),
            fresh => fresh?,
        };
        if let Some(left) = time_left(cx, &fresh)? {
            return Ok(left);
        }
        let options = DeleteOptions {
            propagation: Some(Propagation::Foreground),
            uid: fresh.metadata.uid.clone(),
            ..DeleteOptions::default()
        };
        cx.delete::<Job>(key, options)?;
        Ok(Action::Done)
    }
}

/// When the Job is to be deleted, if it ever is. Upstream: getFinishAndExpireTime.
fn expiry(job: &Job) -> Result<Option<Timestamp>, Error> {
    let seconds = job.spec.as_ref().and_then(|spec| spec.ttl_seconds_after_finished);
    let (Some(seconds), Some(finished)) = (seconds, finished_condition(job)) else {
        return Ok(None);
    };
    let Some(time) = &finished.last_transition_time else {
        let key = Key::of(&job.metadata);
        let words = format!("unable to find the time when the Job {key} finished");
        return Err(Error::Other(words));
    };
    let later = time.0.checked_add(SignedDuration::from_secs(i64::from(seconds)));
    Ok(Some(later.unwrap_or(Timestamp::MAX)))
}

/// What to do about a Job whose time has not come; `None` when it has.
fn time_left(cx: &SyncContext<'_, '_>, job: &Job) -> Result<Option<Action>, Error> {
    if job.metadata.deletion_timestamp.is_some() {
        return Ok(Some(Action::Done));
    }
    let Some(expiry) = expiry(job)? else { return Ok(Some(Action::Done)) };
    let left = cx.until(expiry);
    Ok((left > Duration::ZERO).then_some(Action::RequeueAfter(left)))
}

fn on_job(_: &mut TtlAfterFinishedController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let job = change.new::<Job>();
    if job.is_some_and(|job| expiry(job).is_ok_and(|expiry| expiry.is_some())) {
        enqueue.add(change.key.clone());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::World;

    /// Upstream: ttlafterfinished_controller_test.go, TestTimeLeft.
    #[test]
    fn jobs_go_when_their_time_has_come() {
        let mut world = World::new();
        let job = |name: &str, seconds: i64| -> Job {
            serde_json::from_value(json!({"apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": name},
                "spec": {"ttlSecondsAfterFinished": seconds, "suspend": true,
                    "template": {"spec": {"restartPolicy": "Never",
                        "containers": [{"name": "main", "image": "busybox"}]}}}}))
            .expect("a Job")
        };
        world.create(job("soon", 5));
        world.create(job("late", 60));
        world.create(job("runs", 0));
        world.run(100);
        let now = serde_json::to_value(world.cluster.context(0).timestamp()).expect("JSON");
        for name in ["soon", "late"] {
            let now = now.clone();
            let patched = world.cluster.api::<Job>("default").patch_status(name, move |job| {
                let condition = |type_: &str| {
                    json!({"type": type_, "status": "True", "lastTransitionTime": now})
                };
                let status = json!({"startTime": now,
                    "conditions": [condition("FailureTarget"), condition("Failed")]});
                job.status = serde_json::from_value(status).expect("a status");
            });
            patched.expect("patched");
        }
        world.skip_seconds(4);
        assert!(world.exists::<Job>("soon"));
        world.skip_seconds(3);
        world.run(300);
        assert!(!world.exists::<Job>("soon"));
        assert!(world.exists::<Job>("late") && world.exists::<Job>("runs"));
    }
}
