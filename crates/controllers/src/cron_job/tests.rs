//! Upstream: pkg/controller/cronjob/cronjob_controllerv2_test.go and utils_test.go

use api::cron::Schedule;
use api::openapi::api::batch::v1::{CronJob, CronJobStatus, Job};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sim::Duration;

use super::schedule::{missed, next_delay, next_time};
use crate::testing::World;

fn cron_job(spec: Value) -> CronJob {
    let mut whole = json!({"schedule": "*/5 * * * *", "jobTemplate": {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"template": {"spec": {"restartPolicy": "Never",
            "containers": [{"name": "main", "image": "busybox"}]}}}}});
    for (field, value) in spec.as_object().expect("fields") {
        whole[field] = value.clone();
    }
    serde_json::from_value(json!({"apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "report"}, "spec": whole}))
    .expect("a CronJob")
}

impl World {
    /// Jobs by name, with the condition that ended them.
    fn jobs(&mut self) -> Vec<String> {
        let jobs = self.list::<Job>();
        jobs.iter().map(|job| job.metadata.name.clone().unwrap_or_default()).collect()
    }

    fn cron_status(&mut self) -> CronJobStatus {
        self.get::<CronJob>("report").status.clone().unwrap_or_default()
    }

    fn finish_job(&mut self, name: &str, succeeds: bool) {
        let now = serde_json::to_value(self.cluster.context(0).timestamp()).expect("JSON");
        let patched = self.cluster.api::<Job>("default").patch_status(name, move |job| {
            let [first, last] = if succeeds {
                ["SuccessCriteriaMet", "Complete"]
            } else {
                ["FailureTarget", "Failed"]
            };
            let mut status = serde_json::to_value(&job.status).expect("JSON");
            let condition = |type_: &str| json!({"type": type_, "status": "True"});
            status["conditions"] = json!([condition(first), condition(last)]);
            if succeeds {
                status["completionTime"] = now;
            }
            for gone in ["active", "ready", "terminating"] {
                status.as_object_mut().expect("fields").remove(gone);
            }
            job.status = serde_json::from_value(status).expect("a status");
        });
        patched.expect("patched");
        self.run(300);
    }

    fn skip_minutes(&mut self, minutes: u64) {
        self.skip_seconds(60 * minutes);
    }
}

/// Upstream: TestControllerV2SyncCronJob, a Job at each of its times.
#[test]
fn jobs_are_made_at_their_times() {
    let mut world = World::new();
    world.create(cron_job(json!({"timeZone": "Asia/Shanghai"})));
    world.skip_minutes(4);
    assert_eq!(world.jobs(), [""; 0]);
    world.skip_minutes(2);
    let jobs = world.jobs();
    // 2026-01-01T00:05:00Z, in minutes.
    assert_eq!(jobs, ["report-29453765"]);
    let job = world.get::<Job>(&jobs[0]);
    let annotations = job.metadata.annotations.clone().unwrap_or_default();
    assert_eq!(
        annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"],
        "2026-01-01T08:05:00+08:00"
    );
    assert_eq!(job.metadata.labels.clone().unwrap_or_default()["a"], "b");
    let status = world.cron_status();
    assert_eq!(status.active.clone().unwrap_or_default()[0].name.as_ref(), Some(&jobs[0]));
    let last = status.last_schedule_time.map(|time| time.0.to_string());
    assert_eq!(last.as_deref(), Some("2026-01-01T00:05:00Z"));
    assert_eq!(world.messages("SuccessfulCreate")[0], format!("Created job {}", jobs[0]));
    world.finish_job(&jobs[0], true);
    let status = world.cron_status();
    assert_eq!(status.active, None);
    assert!(status.last_successful_time.is_some());
    let want = format!("Saw completed job: {}, condition: Complete", jobs[0]);
    assert_eq!(world.messages("SawCompletedJob"), [want]);
    world.skip_minutes(5);
    assert_eq!(world.jobs().len(), 2);
}

/// Upstream: TestControllerV2SyncCronJob, prev ran but done, still active, and so on.
#[test]
fn concurrency_policies() {
    for (policy, count, active) in [("Allow", 2, 2), ("Forbid", 1, 1), ("Replace", 1, 1)] {
        let mut world = World::new();
        world.create(cron_job(json!({"concurrencyPolicy": policy})));
        world.skip_minutes(6);
        let first = world.jobs();
        world.skip_minutes(5);
        let jobs = world.jobs();
        assert_eq!(jobs.len(), count, "{policy}");
        assert_eq!(world.cron_status().active.map(|it| it.len()), Some(active), "{policy}");
        assert_eq!(jobs.contains(&first[0]), policy != "Replace", "{policy}");
        let said = world.messages("JobAlreadyActive").len();
        assert_eq!(said > 0, policy == "Forbid", "{policy}");
    }
}

/// Upstream: TestControllerV2CleanupFinishedJobs.
#[test]
fn histories_are_limited() {
    let mut world = World::new();
    let limits = json!({"schedule": "* * * * *", "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 0});
    world.create(cron_job(limits));
    let mut names = Vec::new();
    for round in 0..3 {
        world.skip_seconds(61);
        let newest = world.jobs().pop().expect("a job");
        world.finish_job(&newest, round != 1);
        names.push(newest);
    }
    world.run_seconds(3);
    assert_eq!(world.jobs(), [names[2].clone()]);
    assert_eq!(world.messages("SuccessfulDelete").len(), 2);
}

/// Upstream: suspended, and a schedule that is changed.
#[test]
fn suspended_and_changed_schedules() {
    let mut world = World::new();
    world.create(cron_job(json!({"suspend": true, "schedule": "0 0 1 1 *"})));
    world.skip_minutes(7);
    assert_eq!(world.jobs(), [""; 0]);
    world.change::<CronJob>("report", |cron_job| {
        cron_job.spec.suspend = Some(false);
        cron_job.spec.schedule = "*/5 * * * *".to_string();
    });
    // What the new schedule would have asked for is not made up for.
    world.run(300);
    assert_eq!(world.jobs(), [""; 0]);
    world.skip_minutes(4);
    assert_eq!(world.jobs(), ["report-29453770"]);
    // A Job that somebody deletes is forgotten.
    world.delete::<Job>("report-29453770", Some(apiserver::Propagation::Background));
    world.run_seconds(3);
    assert_eq!(world.messages("MissingJob"), ["Active job went missing: report-29453770"]);
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// Upstream: utils_test.go, TestNextScheduleTime and TestNextScheduleTimeDuration.
#[test]
fn what_is_due_and_what_comes_next() {
    let utc = TimeZone::UTC;
    for (name, last, deadline, now, want, wanted_delay, many) in [
        ("before", None, None, "10:30", None, 30, false),
        ("due", None, None, "11:00", Some("11:00"), 60, false),
        ("late", None, None, "11:20", Some("11:00"), 40, false),
        ("done", Some("11:00"), None, "11:20", None, 40, false),
        ("missed", Some("11:00"), None, "14:10", Some("14:00"), 50, false),
        ("past its deadline", None, Some(600), "11:20", None, 40, false),
        ("within its deadline", None, Some(3600), "11:20", Some("11:00"), 40, false),
    ] {
        let time = |text: &str| at(&format!("2016-05-19T{text}:00Z"));
        let mut cron_job = cron_job(json!({"startingDeadlineSeconds": deadline}));
        let meta = |text: &str| serde_json::from_value(json!(time(text).to_string())).expect("one");
        cron_job.metadata.creation_timestamp = Some(meta("10:10"));
        cron_job.status.get_or_insert_default().last_schedule_time = last.map(meta);
        let schedule = Schedule::parse("0 * * * *").expect("a schedule");
        let due = next_time(&cron_job, time(now), &schedule, &utc);
        assert_eq!(due, Ok(want.map(|want| (time(want), many))), "{name}");
        let delay = next_delay(&cron_job, time(now), &schedule, &utc);
        let wanted = Duration::from_secs(60 * wanted_delay) + Duration::from_millis(100);
        assert_eq!(delay, wanted, "{name}");
    }
    let never = Schedule::parse("59 23 31 2 *").expect("a schedule");
    let error = missed(&cron_job(json!({})), at("2016-05-19T00:00:00Z"), &never, &utc, true);
    assert_eq!(
        error,
        Err("time difference between two schedules is less than 1 second".to_string())
    );
    let mut old = cron_job(json!({}));
    let created = json!("2016-01-01T00:00:00Z");
    old.metadata.creation_timestamp = serde_json::from_value(created).expect("a time");
    let minutes = Schedule::parse("* * * * *").expect("a schedule");
    let now = at("2016-05-19T00:00:30Z");
    assert_eq!(next_time(&old, now, &minutes, &utc), Ok(Some((at("2016-05-19T00:00:00Z"), true))));
}
