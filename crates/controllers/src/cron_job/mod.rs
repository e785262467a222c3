//! The CronJob controller: makes Jobs at the times of a schedule.
//!
//! Changes of CronJobs and Jobs come in as keys of CronJobs, and so do the times of the schedule;
//! Jobs and the CronJob's status go out.
//!
//! Upstream: pkg/controller/cronjob/cronjob_controllerv2.go

use std::sync::Arc;

use api::cron::{Schedule, time_zone};
use api::openapi::api::batch::v1::{CronJob, CronJobStatus, Job};
use api::openapi::api::core::v1::ObjectReference;
use api::openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time as MetaTime};
use api::status::Reason;
use api::{Key, Kinded};
use client::{EventType, object_reference};
use component_helpers::controller_ref::{controller_of, is_controlled_by, new_controller_ref};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sim::{Digest, Duration, SmallSet, Sort};

use crate::job::finished_condition;
use crate::refusal::{is_namespace_terminating, is_not_found};
use crate::{Action, Change, Controller, Enqueue, Error, SyncContext, Watch};

mod schedule;
#[cfg(test)]
mod tests;

use schedule::{next_delay, next_time};

/// Upstream: batch.CronJobScheduledTimestampAnnotation.
const SCHEDULED_TIMESTAMP: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// The CronJob controller.
#[derive(Clone, Debug, Default)]
pub struct CronJobController {
    /// CronJobs whose schedule was changed: they wait for the next of its times, and do not make
    /// up for what the new schedule would have asked for.
    rescheduled: SmallSet<Key>,
}

impl Controller for CronJobController {
    const NAME: &'static str = "cronjob-controller";
    const TIMERS_ARE_IDLE: bool = true;

    fn watches() -> &'static [Watch<Self>] {
        const { &[Watch::on::<CronJob>(on_cron_job), Watch::on::<Job>(on_job)] }
    }

    fn sync(&mut self, cx: &mut SyncContext<'_, '_>, key: &Key) -> Result<Action, Error> {
        let rescheduled = self.rescheduled.remove(key);
        let Some(cron_job) = cx.informers.get::<CronJob>(key) else { return Ok(Action::Done) };
        let now = cx.now_on_calendar();
        if rescheduled && let Some((schedule, zone)) = schedule_of(cron_job) {
            return Ok(Action::RequeueAfter(next_delay(cron_job, now, &schedule, &zone)));
        }
        let uid = cron_job.metadata.uid.as_deref().unwrap_or_default();
        let informers = cx.informers;
        let owned = informers.objects(Job::ID).owned_by(uid);
        let owned = owned.filter(|job| is_controlled_by(job.meta(), uid));
        let jobs: Vec<Arc<Job>> = owned.filter_map(api::Object::typed).collect();
        let mut sync = Sync { cron_job: cron_job.clone(), jobs, now };
        let outcome = sync.run(cx);
        sync.clean_up(cx);
        if sync.cron_job.status != cron_job.status {
            cx.update_status(sync.cron_job)?;
        }
        Ok(outcome?.map_or(Action::Done, Action::RequeueAfter))
    }

    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.rescheduled);
    }
}

/// The schedule and its time zone, when both can be read.
fn schedule_of(cron_job: &CronJob) -> Option<(Schedule, TimeZone)> {
    let zone = match cron_job.spec.time_zone.as_deref() {
        Some(name) => time_zone(name)?,
        None => TimeZone::UTC,
    };
    Some((Schedule::parse(&cron_job.spec.schedule).ok()?, zone))
}

fn name(meta: &ObjectMeta) -> &str {
    meta.name.as_deref().unwrap_or_default()
}

/// One sync of a CronJob.
struct Sync {
    /// The CronJob, with the status as it becomes.
    cron_job: CronJob,
    jobs: Vec<Arc<Job>>,
    now: Timestamp,
}

impl Sync {
    fn status(&mut self) -> &mut CronJobStatus {
        self.cron_job.status.get_or_insert_default()
    }

    fn active(&self) -> Vec<ObjectReference> {
        let status = self.cron_job.status.as_ref();
        status.and_then(|status| status.active.clone()).unwrap_or_default()
    }

    fn is_active(&self, uid: Option<&String>) -> bool {
        self.active().iter().any(|reference| reference.uid.as_ref() == uid)
    }

    fn forget(&mut self, uid: Option<&String>) {
        let status = self.status();
        status.active.iter_mut().for_each(|it| it.retain(|one| one.uid.as_ref() != uid));
        status.active.take_if(|active| active.is_empty());
    }

    /// Upstream: syncCronJob.
    fn run(&mut self, cx: &mut SyncContext<'_, '_>) -> Result<Option<Duration>, Error> {
        self.note_jobs(cx)?;
        self.note_missing(cx)?;
        let spec = &self.cron_job.spec;
        if self.cron_job.metadata.deletion_timestamp.is_some() {
            return Ok(None);
        }
        if let Some(zone) = spec.time_zone.as_deref().filter(|zone| time_zone(zone).is_none()) {
            let message = format!("invalid timeZone: {zone:?}: unknown time zone {zone}");
            cx.event(&self.cron_job, EventType::Warning, "UnknownTimeZone", &message);
            return Ok(None);
        }
        if spec.suspend == Some(true) {
            return Ok(None);
        }
        if spec.schedule.contains("TZ") {
            let message = format!(
                "CRON_TZ or TZ used in schedule {:?} is not officially supported, see \
                 https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more \
                 details",
                spec.schedule
            );
            cx.event(&self.cron_job, EventType::Warning, "UnsupportedSchedule", &message);
        }
        let schedule = match Schedule::parse(&spec.schedule) {
            Ok(schedule) => schedule,
            Err(error) => {
                let message = format!("unparseable schedule: {:?} : {error}", spec.schedule);
                cx.event(&self.cron_job, EventType::Warning, "UnparseableSchedule", &message);
                return Ok(None);
            }
        };
        let zone = spec.time_zone.as_deref().and_then(time_zone).unwrap_or(TimeZone::UTC);
        self.start_due(cx, &schedule, &zone)
    }

    /// Makes the Job whose time has come, unless something is in the way.
    fn start_due(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        schedule: &Schedule,
        zone: &TimeZone,
    ) -> Result<Option<Duration>, Error> {
        let due = match next_time(&self.cron_job, self.now, schedule, zone) {
            Ok(due) => due,
            Err(error) => {
                let message =
                    format!("invalid schedule: {} : {error}", self.cron_job.spec.schedule);
                cx.event(&self.cron_job, EventType::Warning, "InvalidSchedule", &message);
                return Ok(None);
            }
        };
        let later = |sync: &Sync| Ok(Some(next_delay(&sync.cron_job, sync.now, schedule, zone)));
        let Some((time, too_many)) = due else { return later(self) };
        if too_many {
            let message = "too many missed start times. Set or decrease \
                           .spec.startingDeadlineSeconds or check clock skew";
            cx.event(&self.cron_job, EventType::Warning, "TooManyMissedTimes", message);
        }
        let deadline = self.cron_job.spec.starting_deadline_seconds;
        let latest =
            deadline.and_then(|it| time.checked_add(jiff::SignedDuration::from_secs(it)).ok());
        if latest.is_some_and(|latest| latest < self.now) {
            let shown = time.strftime("%a, %d %b %Y %H:%M:%S +0000");
            let message = format!("Missed scheduled time to start a job: {shown}");
            cx.event(&self.cron_job, EventType::Warning, "MissSchedule", &message);
            return later(self);
        }
        let last = self.status().last_schedule_time.as_ref().map(|last| last.0);
        let job_name = job_name(&self.cron_job, time);
        let active = self.active();
        if last == Some(time) || active.iter().any(|it| it.name.as_ref() == Some(&job_name)) {
            return later(self);
        }
        match self.cron_job.spec.concurrency_policy.as_deref() {
            Some("Forbid") if !active.is_empty() => {
                let message = "Not starting job because prior execution is running and \
                               concurrency policy is Forbid";
                cx.event(&self.cron_job, EventType::Normal, "JobAlreadyActive", message);
                return later(self);
            }
            Some("Replace") => self.delete_active(cx)?,
            _ => {}
        }
        if !self.create(cx, job_name, time, zone)? {
            return Ok(None);
        }
        later(self)
    }

    /// What became of the Jobs: which are over, and when one last succeeded.
    fn note_jobs(&mut self, cx: &mut SyncContext<'_, '_>) -> Result<(), Error> {
        for job in self.jobs.clone() {
            let uid = job.metadata.uid.as_ref();
            let finished = finished_condition(&job);
            match (self.is_active(uid), finished) {
                (false, None) => {
                    let key = Key::of(&self.cron_job.metadata);
                    let fresh = cx.get_live::<CronJob>(&key)?;
                    let active = fresh.status.as_ref().and_then(|status| status.active.as_ref());
                    if active.is_some_and(|it| it.iter().any(|one| one.uid.as_ref() == uid)) {
                        self.cron_job = (*fresh).clone();
                        continue;
                    }
                    let message = format!(
                        "Saw a job that the controller did not create or forgot: {}",
                        name(&job.metadata)
                    );
                    cx.event(&self.cron_job, EventType::Warning, "UnexpectedJob", &message);
                }
                (true, Some(condition)) => {
                    self.forget(uid);
                    let message = format!(
                        "Saw completed job: {}, condition: {}",
                        name(&job.metadata),
                        condition.type_
                    );
                    cx.event(&self.cron_job, EventType::Normal, "SawCompletedJob", &message);
                }
                (false, Some(condition)) if condition.type_ == "Complete" => {
                    let completed = job.status.as_ref().and_then(|it| it.completion_time.clone());
                    let last = &mut self.status().last_successful_time;
                    let is_later = |one: &Option<MetaTime>, other: &Option<MetaTime>| {
                        one.as_ref().map(|it| it.0) > other.as_ref().map(|it| it.0)
                    };
                    if is_later(&completed, last) {
                        *last = completed;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Forgets the Jobs that are not there any more.
    fn note_missing(&mut self, cx: &mut SyncContext<'_, '_>) -> Result<(), Error> {
        for reference in self.active() {
            let uid = reference.uid.as_ref();
            if self.jobs.iter().any(|job| job.metadata.uid.as_ref() == uid) {
                continue;
            }
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            let job = part(&reference.name);
            match cx.get_live::<Job>(&Key::new(&part(&reference.namespace), &job)) {
                Err(status) if is_not_found(&status) => {
                    let message = format!("Active job went missing: {job}");
                    cx.event(&self.cron_job, EventType::Normal, "MissingJob", &message);
                    self.forget(uid);
                }
                found => drop(found?),
            }
        }
        Ok(())
    }

    fn delete_active(&mut self, cx: &mut SyncContext<'_, '_>) -> Result<(), Error> {
        for reference in self.active() {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            let key = Key::new(&part(&reference.namespace), &part(&reference.name));
            let job = match cx.get_live::<Job>(&key) {
                Ok(job) => job,
                Err(status) => {
                    let message = format!("Get job: {status}");
                    cx.event(&self.cron_job, EventType::Warning, "FailedGet", &message);
                    return Err(status.into());
                }
            };
            if !self.delete(cx, &job) {
                return Err(Error::Other(format!("could not replace job {key}")));
            }
        }
        Ok(())
    }

    /// Upstream: deleteJob.
    fn delete(&mut self, cx: &mut SyncContext<'_, '_>, job: &Job) -> bool {
        let options = apiserver::DeleteOptions {
            propagation: Some(apiserver::Propagation::Background),
            ..apiserver::DeleteOptions::default()
        };
        if let Err(status) = cx.delete::<Job>(&Key::of(&job.metadata), options) {
            let message = format!("Deleted job: {status}");
            cx.event(&self.cron_job, EventType::Warning, "FailedDelete", &message);
            return false;
        }
        self.forget(job.metadata.uid.as_ref());
        let message = format!("Deleted job {}", name(&job.metadata));
        cx.event(&self.cron_job, EventType::Normal, "SuccessfulDelete", &message);
        true
    }

    /// Makes the Job of that time. Whether the status counts it now.
    fn create(
        &mut self,
        cx: &mut SyncContext<'_, '_>,
        job_name: String,
        time: Timestamp,
        zone: &TimeZone,
    ) -> Result<bool, Error> {
        let job = job_of(&self.cron_job, job_name, time, zone);
        let key = Key::of(&job.metadata);
        let created = match cx.create(&key.namespace, job) {
            Ok(created) => {
                let message = format!("Created job {}", key.name);
                cx.event(&self.cron_job, EventType::Normal, "SuccessfulCreate", &message);
                created
            }
            Err(status) if is_namespace_terminating(&status) => return Ok(false),
            // It was made before, and only the status does not know of it.
            Err(status) if status.is(Reason::AlreadyExists) => {
                let existing = cx.get_live::<Job>(&key)?;
                let uid = self.cron_job.metadata.uid.as_deref().unwrap_or_default();
                let is_ours = is_controlled_by(&existing.metadata, uid);
                if !is_ours || self.is_active(existing.metadata.uid.as_ref()) {
                    return Ok(false);
                }
                existing
            }
            Err(status) => {
                let message = format!("Error creating job: {status}");
                cx.event(&self.cron_job, EventType::Warning, "FailedCreate", &message);
                return Err(status.into());
            }
        };
        let status = self.status();
        status.active.get_or_insert_default().push(object_reference::<Job>(&created));
        status.last_schedule_time = Some(MetaTime(time));
        Ok(true)
    }

    /// Deletes the oldest Jobs that are over, as far as there are too many.
    /// Upstream: cleanupFinishedJobs.
    fn clean_up(&mut self, cx: &mut SyncContext<'_, '_>) {
        let spec = &self.cron_job.spec;
        let limits = [
            ("Complete", spec.successful_jobs_history_limit),
            ("Failed", spec.failed_jobs_history_limit),
        ];
        for (condition, limit) in limits {
            let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else { continue };
            let is_meant = |job: &&Arc<Job>| {
                finished_condition(job).is_some_and(|finished| finished.type_ == condition)
            };
            let mut jobs: Vec<Arc<Job>> = self.jobs.iter().filter(is_meant).cloned().collect();
            jobs.order_by_key(|job| {
                let started = job.status.as_ref().and_then(|it| it.start_time.as_ref());
                (started.map(|time| time.0), job.metadata.name.clone())
            });
            let surplus = jobs.len().saturating_sub(limit);
            for job in jobs.iter().take(surplus) {
                self.delete(cx, job);
            }
        }
    }
}

/// The name of the Job of a time: the same whoever makes it, and however often.
fn job_name(cron_job: &CronJob, time: Timestamp) -> String {
    format!("{}-{}", name(&cron_job.metadata), time.as_second() / 60)
}

/// Upstream: getJobFromTemplate2.
fn job_of(cron_job: &CronJob, job_name: String, time: Timestamp, zone: &TimeZone) -> Job {
    let template = &cron_job.spec.job_template;
    let meta = template.metadata.clone().unwrap_or_default();
    let mut annotations = meta.annotations.unwrap_or_default();
    let (shown, offset) = (zone.to_datetime(time), zone.to_offset(time).seconds());
    let shown = match offset {
        0 => format!("{shown}Z"),
        _ => {
            let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs() / 60);
            format!("{shown}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
    };
    annotations.insert(SCHEDULED_TIMESTAMP.to_string(), shown);
    Job {
        metadata: ObjectMeta {
            name: Some(job_name),
            namespace: cron_job.metadata.namespace.clone(),
            labels: meta.labels,
            annotations: Some(annotations),
            owner_references: Some(vec![new_controller_ref(cron_job)]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// Upstream: updateCronJob.
fn on_cron_job(controller: &mut CronJobController, change: &Change, enqueue: &mut Enqueue<'_>) {
    let (old, new) = (change.old::<CronJob>(), change.new::<CronJob>());
    let when =
        |cron_job: &CronJob| (cron_job.spec.schedule.clone(), cron_job.spec.time_zone.clone());
    if old.zip(new).is_some_and(|(old, new)| when(old) != when(new)) {
        controller.rescheduled.insert(change.key.clone());
    }
    enqueue.add(change.key.clone());
}

fn on_job(_: &mut CronJobController, change: &Change, enqueue: &mut Enqueue<'_>) {
    for object in [&change.old, &change.new].into_iter().flatten() {
        let owner = controller_of(object.meta());
        if let Some(owner) = owner.filter(|owner| owner.kind == CronJob::ID.get().kind) {
            enqueue.add(Key::new(object.namespace(), &owner.name));
        }
    }
}
