//! Schedules of CronJobs: the standard five fields, descriptors such as `@daily`, and the
//! instants that they name in a time zone.
//!
//! Upstream: vendor/github.com/robfig/cron/v3/{parser,spec,constantdelay}.go

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;

mod parse;
#[cfg(test)]
mod tests;
mod zones;

pub use zones::time_zone;

/// How many years ahead a schedule is searched: one that names no day at all names no instant.
const MOST_YEARS: i16 = 5;

/// The values that a field allows, one bit each, and whether it was a star.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    bits: u64,
    is_star: bool,
}

impl Field {
    fn allows(self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|value| self.bits & (1 << value) != 0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum When {
    Fields {
        minute: Field,
        hour: Field,
        day: Field,
        month: Field,
        weekday: Field,
    },
    /// Every so many seconds.
    Every(i64),
}

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    when: When,
    /// The time zone that the text itself names.
    zone: Option<TimeZone>,
}

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// What is wrong with it, in upstream's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::schedule(text)
    }

    /// The first instant after `after` that the schedule names in that time zone, if there is one
    /// in the next years.
    #[must_use]
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let seconds = after.as_second() - i64::from(after.subsec_nanosecond() < 0);
        match &self.when {
            When::Every(interval) => Timestamp::from_second(seconds + interval).ok(),
            When::Fields { .. } => {
                let zone = self.zone.as_ref().unwrap_or(zone);
                self.search(Clock { zone, unix: seconds + 1 })
            }
        }
    }

    /// Goes from field to field, the largest first, and begins again whenever a larger one
    /// changed. Upstream: SpecSchedule.Next.
    fn search(&self, mut clock: Clock<'_>) -> Option<Timestamp> {
        let When::Fields { minute, hour, month, .. } = &self.when else { return None };
        let last_year = clock.now().year() + MOST_YEARS;
        // Whether the smaller fields have been set back already.
        let mut added = false;
        'wrap: loop {
            if clock.now().year() > last_year {
                return None;
            }
            while !month.allows(clock.now().month()) {
                let now = clock.now();
                if !added {
                    added = true;
                    clock.set(now.date().first_of_month().at(0, 0, 0, 0));
                }
                clock.set(next_month(clock.now()));
                if clock.now().month() == 1 {
                    continue 'wrap;
                }
            }
            while !self.allows_day(clock.now()) {
                if !added {
                    added = true;
                    clock.set(clock.now().date().at(0, 0, 0, 0));
                }
                clock.next_day();
                if clock.now().day() == 1 {
                    continue 'wrap;
                }
            }
            while !hour.allows(clock.now().hour()) {
                let now = clock.now();
                if !added {
                    added = true;
                    clock.set(now.date().at(now.hour(), 0, 0, 0));
                }
                clock.unix += 3600;
                if clock.now().hour() == 0 {
                    continue 'wrap;
                }
            }
            while !minute.allows(clock.now().minute()) {
                if !added {
                    added = true;
                    clock.unix -= clock.unix.rem_euclid(60);
                }
                clock.unix += 60;
                if clock.now().minute() == 0 {
                    continue 'wrap;
                }
            }
            // The second is always the first of its minute.
            if clock.now().second() == 0 {
                return Timestamp::from_second(clock.unix).ok();
            }
            added = true;
            clock.unix += 60 - i64::from(clock.now().second());
        }
    }

    /// Where both days are restricted, either of them is enough.
    fn allows_day(&self, now: DateTime) -> bool {
        let When::Fields { day, weekday, .. } = &self.when else { return false };
        let of_month = day.allows(now.day());
        let of_week = weekday.allows(now.weekday().to_sunday_zero_offset());
        if day.is_star || weekday.is_star { of_month && of_week } else { of_month || of_week }
    }
}

fn next_month(now: DateTime) -> DateTime {
    let date = now.date().last_of_month().tomorrow().unwrap_or(now.date());
    date.to_datetime(now.time())
}

/// An instant as a clock in a time zone shows it.
struct Clock<'z> {
    zone: &'z TimeZone,
    unix: i64,
}

impl Clock<'_> {
    fn offset(&self, unix: i64) -> i64 {
        let timestamp = Timestamp::from_second(unix).unwrap_or(Timestamp::MAX);
        i64::from(self.zone.to_offset(timestamp).seconds())
    }

    fn now(&self) -> DateTime {
        let timestamp = Timestamp::from_second(self.unix).unwrap_or(Timestamp::MAX);
        self.zone.to_datetime(timestamp)
    }

    /// Sets the clock to a time that it may show never or twice: the choice is Go's.
    /// Upstream: time.Date.
    fn set(&mut self, to: DateTime) {
        let local = TimeZone::UTC.to_timestamp(to).map_or(self.unix, Timestamp::as_second);
        let offset = self.offset(local);
        self.unix = match offset {
            0 => local,
            _ => local - self.offset(local - offset),
        };
    }

    /// The next midnight, which the clock may not show on the days when it is changed.
    fn next_day(&mut self) {
        let now = self.now();
        let tomorrow = now.date().tomorrow().unwrap_or(now.date());
        self.set(tomorrow.to_datetime(Time::constant(now.hour(), now.minute(), 0, 0)));
        let hour = i64::from(self.now().hour());
        self.unix += match hour {
            0 => 0,
            13.. => (24 - hour) * 3600,
            _ => -hour * 3600,
        };
    }
}
