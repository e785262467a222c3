//! Which time of a schedule is due, and how long it is until the next.
//!
//! Upstream: pkg/controller/cronjob/utils.go

use api::cron::Schedule;
use api::openapi::api::batch::v1::CronJob;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sim::Duration;

/// How much later than at its time a CronJob is looked at. Upstream: nextScheduleDelta.
const DELTA: Duration = Duration::from_millis(100);
/// More missed times than that are worth a warning.
const MANY_MISSED: i64 = 100;

/// What lies behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missed {
    /// Since when times count.
    pub(super) earliest: Timestamp,
    /// The last time that has passed.
    pub(super) most_recent: Option<Timestamp>,
    /// How many have passed, roughly.
    pub(super) count: i64,
}

/// Upstream: mostRecentScheduleTime.
pub(super) fn missed(
    cron_job: &CronJob,
    now: Timestamp,
    schedule: &Schedule,
    zone: &TimeZone,
    with_deadline: bool,
) -> Result<Missed, String> {
    let created = cron_job.metadata.creation_timestamp.as_ref();
    let last = cron_job.status.as_ref().and_then(|status| status.last_schedule_time.as_ref());
    let mut earliest = last.or(created).map_or(now, |time| time.0);
    if let Some(seconds) = cron_job.spec.starting_deadline_seconds.filter(|_| with_deadline) {
        let deadline = now.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(now);
        earliest = earliest.max(deadline);
    }
    let none = Missed { earliest, most_recent: None, count: 0 };
    let impossible = || "time difference between two schedules is less than 1 second".to_string();
    let first = schedule.next(earliest, zone).ok_or_else(impossible)?;
    let second = schedule.next(first, zone).ok_or_else(impossible)?;
    if now < first {
        return Ok(none);
    }
    if now < second {
        return Ok(Missed { most_recent: Some(first), ..none });
    }
    let interval = second.as_second() - first.as_second();
    if interval < 1 {
        return Err(impossible());
    }
    let count = (now.as_second() - first.as_second()) / interval + 1;
    // From one interval before the last time that a regular schedule would have.
    let start = first.as_second() + (count - 2) * interval;
    let mut time = Timestamp::from_second(start).ok().and_then(|it| schedule.next(it, zone));
    let mut most_recent = None;
    while let Some(passed) = time.filter(|time| *time <= now) {
        most_recent = Some(passed);
        time = schedule.next(passed, zone);
    }
    Ok(Missed { earliest, most_recent, count })
}

/// The time that is due, if there is one, and whether too many were missed.
/// Upstream: nextScheduleTime.
pub(super) fn next_time(
    cron_job: &CronJob,
    now: Timestamp,
    schedule: &Schedule,
    zone: &TimeZone,
) -> Result<Option<(Timestamp, bool)>, String> {
    let missed = missed(cron_job, now, schedule, zone, true)?;
    let due = missed.most_recent.filter(|time| *time <= now);
    Ok(due.map(|time| (time, missed.count > MANY_MISSED)))
}

/// How long it is until the next time. Upstream: nextScheduleTimeDuration.
pub(super) fn next_delay(
    cron_job: &CronJob,
    now: Timestamp,
    schedule: &Schedule,
    zone: &TimeZone,
) -> Duration {
    let from = match missed(cron_job, now, schedule, zone, false) {
        Ok(Missed { most_recent: Some(time), .. }) => time,
        Ok(Missed { earliest, count: 0, .. }) => earliest,
        _ => now,
    };
    let next = schedule.next(from, zone).unwrap_or(Timestamp::MAX);
    let left = next.duration_since(now);
    let nanoseconds = u64::try_from(left.as_nanos().max(0)).unwrap_or(u64::MAX / 2);
    Duration::from_nanos(nanoseconds.min(u64::MAX / 2)) + DELTA
}
