//! Upstream: pkg/controller/job/job_controller_test.go

use std::sync::Arc;

use api::openapi::api::batch::v1::{Job, JobStatus};
use api::openapi::api::core::v1::Pod;
use apiserver::Propagation;
use component_helpers::pod_status::phase;
use serde_json::{Value, json};

use super::has_tracking_finalizer;
use crate::testing::World;

fn job(spec: Value) -> Job {
    let mut whole = json!({"template": {"spec": {"restartPolicy": "Never",
        "containers": [{"name": "main", "image": "busybox"}]}}});
    for (field, value) in spec.as_object().expect("fields") {
        whole[field] = value.clone();
    }
    serde_json::from_value(json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "work"}, "spec": whole}))
    .expect("a Job")
}

impl World {
    fn with_job(spec: Value) -> Self {
        let mut world = World::new();
        world.create(job(spec));
        world.run(100);
        world
    }

    fn job_status(&mut self) -> JobStatus {
        self.get::<Job>("work").status.clone().unwrap_or_default()
    }

    /// Pods that have neither ended nor been told to, by name.
    fn job_pods(&mut self) -> Vec<Arc<Pod>> {
        let mut pods = self.list::<Pod>();
        pods.retain(|pod| component_helpers::pod_status::is_pod_active(pod));
        pods
    }

    /// Ends the first running pod, as a kubelet does, and lets the controller see it.
    fn end_pod(&mut self, phase: &'static str, code: i32) {
        let pod = self.job_pods().remove(0);
        self.end(&pod, phase, code);
    }

    fn end(&mut self, pod: &Pod, phase: &'static str, code: i32) {
        let name = pod.metadata.name.clone().expect("named");
        let now = serde_json::to_value(self.cluster.context(0).timestamp()).expect("JSON");
        let patched = self.cluster.api::<Pod>("default").patch_status(&name, move |pod| {
            let status = json!({"phase": phase, "containerStatuses": [{
                "name": "main", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": code, "finishedAt": now}}}]});
            pod.status = serde_json::from_value(status).expect("a status");
        });
        patched.expect("patched");
        self.run(1300);
    }

    fn conditions(&mut self) -> Vec<String> {
        let conditions = self.job_status().conditions.unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let words = conditions.iter().map(|it| {
            let holds = if it.status == "True" { "" } else { "no " };
            format!("{holds}{} {}", it.type_, text(&it.reason))
        });
        words.collect()
    }

    fn index(pod: &Pod) -> String {
        let annotations = pod.metadata.annotations.clone().unwrap_or_default();
        annotations["batch.kubernetes.io/job-completion-index"].clone()
    }

    fn indexes(&mut self) -> Vec<String> {
        let mut indexes: Vec<String> =
            self.job_pods().iter().map(|pod| World::index(pod)).collect();
        indexes.sort();
        indexes
    }
}

/// Upstream: TestControllerSyncJob, a Job that completes.
#[test]
fn a_job_completes_when_enough_pods_succeeded() {
    let mut world = World::with_job(json!({"completions": 3, "parallelism": 2}));
    let pods = world.job_pods();
    assert_eq!(pods.len(), 2);
    assert!(pods.iter().all(|pod| has_tracking_finalizer(pod)));
    assert!(pods[0].metadata.name.as_deref().is_some_and(|name| name.starts_with("work-")));
    let status = world.job_status();
    assert_eq!((status.active, status.ready, status.terminating), (Some(2), Some(0), Some(0)));
    assert!(status.start_time.is_some());
    world.end_pod("Succeeded", 0);
    let status = world.job_status();
    assert_eq!((status.active, status.succeeded), (Some(2), Some(1)));
    assert!(world.list::<Pod>().iter().any(|pod| !has_tracking_finalizer(pod)));
    world.end_pod("Succeeded", 0);
    assert_eq!(world.job_status().active, Some(1));
    world.end_pod("Succeeded", 0);
    let status = world.job_status();
    assert_eq!((status.active, status.succeeded, status.failed), (None, Some(3), None));
    assert_eq!(status.uncounted_terminated_pods, Some(Default::default()));
    assert!(status.completion_time.is_some());
    let want = ["SuccessCriteriaMet CompletionsReached", "Complete CompletionsReached"];
    assert_eq!(world.conditions(), want);
    assert_eq!(world.messages("Completed"), ["Job completed"]);
    assert_eq!(world.messages("SuccessfulCreate").len(), 3);
    assert!(world.list::<Pod>().iter().all(|pod| !has_tracking_finalizer(pod)));
}

/// Upstream: TestJobBackoffReset and TestJobBackoff.
#[test]
fn failed_pods_are_replaced_later_and_later_until_the_limit() {
    let mut world = World::with_job(json!({"backoffLimit": 2}));
    world.end_pod("Failed", 1);
    assert_eq!((world.job_status().failed, world.job_pods().len()), (Some(1), 0));
    world.skip_seconds(7);
    assert_eq!(world.job_pods().len(), 0);
    world.skip_seconds(3);
    assert_eq!(world.job_pods().len(), 1);
    world.end_pod("Failed", 1);
    world.skip_seconds(16);
    assert_eq!(world.job_pods().len(), 0);
    world.skip_seconds(4);
    assert_eq!(world.job_pods().len(), 1);
    world.end_pod("Failed", 1);
    let want = ["FailureTarget BackoffLimitExceeded", "Failed BackoffLimitExceeded"];
    assert_eq!(world.conditions(), want);
    assert_eq!(world.job_status().failed, Some(3));
    assert_eq!(
        world.messages("BackoffLimitExceeded"),
        ["Job has reached the specified backoff limit"]
    );
}

/// Upstream: TestSyncJobPastDeadline.
#[test]
fn a_job_that_takes_too_long_fails_once_its_pods_are_gone() {
    let mut world = World::with_job(json!({"activeDeadlineSeconds": 10, "parallelism": 2}));
    for pod in world.job_pods() {
        let binding = apiserver::Binding { node: "node-1".into(), uid: String::new() };
        let name = pod.metadata.name.clone().expect("named");
        world.cluster.api::<Pod>("default").bind(&name, binding).expect("bound");
    }
    world.skip_seconds(12);
    assert_eq!(world.job_pods().len(), 0);
    assert_eq!(world.job_status().terminating, Some(2));
    assert_eq!(world.conditions(), ["FailureTarget DeadlineExceeded"]);
    world.finish_pods();
    world.run(1300);
    let want = ["FailureTarget DeadlineExceeded", "Failed DeadlineExceeded"];
    assert_eq!(world.conditions(), want);
    let status = world.job_status();
    assert_eq!((status.active, status.failed, status.terminating), (None, Some(2), Some(0)));
    assert_eq!(
        world.messages("DeadlineExceeded"),
        ["Job was active longer than specified deadline"]
    );
}

/// Upstream: TestControllerSyncJob, suspending and resuming.
#[test]
fn a_suspended_job_has_no_pods() {
    let mut world = World::with_job(json!({"suspend": true}));
    assert_eq!((world.job_pods().len(), world.job_status().start_time), (0, None));
    assert_eq!(world.conditions(), ["Suspended JobSuspended"]);
    let suspend = |world: &mut World, suspend: bool| {
        world.change::<Job>("work", move |job| {
            job.spec.get_or_insert_default().suspend = Some(suspend);
        });
        world.run(1300);
    };
    suspend(&mut world, false);
    assert_eq!(world.job_pods().len(), 1);
    assert_eq!(world.conditions(), ["no Suspended JobResumed"]);
    suspend(&mut world, true);
    assert_eq!((world.job_pods().len(), world.job_status().failed), (0, None));
    assert_eq!(world.messages("Suspended"), ["Job suspended"]);
    assert_eq!(world.messages("Resumed"), ["Job resumed"]);
}

/// Upstream: TestSyncJobWithJobSuccessPolicy and the indexed cases of TestControllerSyncJob.
#[test]
fn indexed_jobs_have_one_success_for_each_index() {
    let spec = json!({"completionMode": "Indexed", "completions": 4, "parallelism": 2});
    let mut world = World::with_job(spec);
    assert_eq!(world.indexes(), ["0", "1"]);
    let pod = world.job_pods().remove(0);
    let spec = serde_json::to_value(&pod.spec).expect("JSON");
    assert_eq!(spec["hostname"], format!("work-{}", World::index(&pod)));
    assert_eq!(
        spec["containers"][0]["env"][0]["valueFrom"]["fieldRef"]["fieldPath"],
        "metadata.labels['batch.kubernetes.io/job-completion-index']"
    );
    let second = world.job_pods().into_iter().find(|pod| World::index(pod) == "1").expect("one");
    world.end(&second, "Succeeded", 0);
    assert_eq!(world.indexes(), ["0", "2"]);
    assert_eq!(world.job_status().completed_indexes.as_deref(), Some("1"));
    for _ in 0..3 {
        world.end_pod("Succeeded", 0);
    }
    let status = world.job_status();
    assert_eq!(status.completed_indexes.as_deref(), Some("0-3"));
    assert_eq!(status.succeeded, Some(4));
    assert_eq!(world.conditions().last().expect("one"), "Complete CompletionsReached");
}

/// Upstream: TestSyncJobWithJobBackoffLimitPerIndex.
#[test]
fn every_index_has_a_limit_of_its_own() {
    let spec = json!({"completionMode": "Indexed", "completions": 2, "parallelism": 2,
        "backoffLimitPerIndex": 1});
    let mut world = World::with_job(spec);
    let first = world.job_pods().into_iter().find(|pod| World::index(pod) == "0").expect("one");
    world.end(&first, "Failed", 1);
    assert_eq!(world.indexes(), ["1"]);
    world.end_pod("Succeeded", 0);
    world.skip_seconds(12);
    assert_eq!(world.indexes(), ["0"]);
    world.end_pod("Failed", 1);
    let status = world.job_status();
    assert_eq!(status.failed_indexes.as_deref(), Some("0"));
    assert_eq!(status.completed_indexes.as_deref(), Some("1"));
    assert_eq!(world.conditions(), ["FailureTarget FailedIndexes", "Failed FailedIndexes"]);
    assert_eq!(status.failed, Some(2));
}

/// Upstream: TestSyncJobWithJobPodFailurePolicy.
#[test]
fn a_policy_fails_the_job_or_forgives_the_pod() {
    let rules = json!([
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
        {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [5]}},
    ]);
    let spec = json!({"backoffLimit": 0, "podFailurePolicy": {"rules": rules}});
    let mut world = World::with_job(spec);
    world.end_pod("Failed", 5);
    assert_eq!((world.job_status().failed, world.conditions().len()), (None, 0));
    world.skip_seconds(12);
    assert_eq!(world.job_pods().len(), 1);
    world.end_pod("Failed", 42);
    assert_eq!(world.conditions(), ["FailureTarget PodFailurePolicy", "Failed PodFailurePolicy"]);
    let messages = world.messages("PodFailurePolicy");
    assert!(messages[0].ends_with("failed with exit code 42 matching FailJob rule at index 0"));
}

/// Upstream: TestSyncJobWithJobSuccessPolicy.
#[test]
fn a_success_policy_ends_the_job_early() {
    let spec = json!({"completionMode": "Indexed", "completions": 3, "parallelism": 3,
        "successPolicy": {"rules": [{"succeededIndexes": "1"}]}});
    let mut world = World::with_job(spec);
    let leader = world.job_pods().into_iter().find(|pod| World::index(pod) == "1").expect("one");
    world.end(&leader, "Succeeded", 0);
    world.run(1300);
    assert_eq!(world.job_pods().len(), 0);
    assert_eq!(world.conditions(), ["SuccessCriteriaMet SuccessPolicy", "Complete SuccessPolicy"]);
    let status = world.job_status();
    assert_eq!((status.succeeded, status.failed), (Some(1), None));
}

/// Upstream: TestSyncOrphanPod and TestFinalizerCleanup.
#[test]
fn pods_of_a_job_that_is_gone_are_let_go() {
    let mut world = World::with_job(json!({"parallelism": 2, "completions": 2}));
    world.delete::<Job>("work", Some(Propagation::Background));
    world.run_seconds(3);
    assert_eq!(world.list::<Pod>().len(), 0);
    // Those that stay are held no longer.
    world.create(job(json!({})));
    world.run(100);
    world.delete::<Job>("work", None);
    world.run_seconds(3);
    let left = world.list::<Pod>();
    assert_eq!(left.len(), 1);
    assert!(!has_tracking_finalizer(&left[0]) && left[0].metadata.owner_references.is_none());
    assert_eq!(phase(&left[0]), "Pending");
}

/// Upstream: TestSyncJobWhenManagedBy.
#[test]
fn a_job_that_another_manages_is_left_alone() {
    let mut world = World::with_job(json!({"managedBy": "example.com/other"}));
    world.run_seconds(2);
    assert_eq!((world.list::<Pod>().len(), world.job_status()), (0, JobStatus::default()));
}

/// Upstream: TestControllerSyncJob, scaling down.
#[test]
fn fewer_pods_run_when_the_job_is_made_narrower() {
    let mut world = World::with_job(json!({"completions": 5, "parallelism": 3}));
    assert_eq!(world.job_pods().len(), 3);
    world.change::<Job>("work", |job| {
        job.spec.get_or_insert_default().parallelism = Some(1);
    });
    world.run(1300);
    assert_eq!((world.job_pods().len(), world.job_status().active), (1, Some(1)));
    assert_eq!(world.job_status().failed, None);
}
