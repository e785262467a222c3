//! Virtual time: nanoseconds since the cluster was created.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};

use crate::{Digest, Digestible};

/// An instant of virtual time, in nanoseconds since the cluster was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// A span of virtual time, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

impl Time {
    /// The instant at which the cluster was created.
    pub const ZERO: Time = Time(0);
    /// The last representable instant: 'never'.
    pub const MAX: Time = Time(u64::MAX);

    /// The instant `nanoseconds` after the cluster was created.
    #[must_use]
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Time(nanoseconds)
    }

    /// Nanoseconds since the cluster was created.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the cluster was created.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The span from `earlier` to this instant, or zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Time) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);

    /// A span of nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Duration(nanoseconds)
    }

    /// A span of microseconds.
    #[must_use]
    pub const fn from_micros(microseconds: u64) -> Self {
        Duration(microseconds.saturating_mul(1_000))
    }

    /// A span of milliseconds.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Self {
        Duration(milliseconds.saturating_mul(1_000_000))
    }

    /// A span of seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Duration(seconds.saturating_mul(1_000_000_000))
    }

    /// A span of seconds given as the API gives them; a negative number is no time.
    #[must_use]
    pub fn from_api_seconds(seconds: i64) -> Self {
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    /// Nanoseconds of the span.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds of the span.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole seconds of the span.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// The span less `other`, or zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Duration) -> Duration {
        Duration(self.0.saturating_sub(other.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Time> for Time {
    type Output = Duration;
    fn sub(self, earlier: Time) -> Duration {
        self.since(earlier)
    }
}

impl Add for Duration {
    type Output = Duration;
    fn add(self, other: Duration) -> Duration {
        Duration(self.0.saturating_add(other.0))
    }
}

impl Mul<u64> for Duration {
    type Output = Duration;
    fn mul(self, factor: u64) -> Duration {
        Duration(self.0.saturating_mul(factor))
    }
}

impl fmt::Display for Duration {
    /// Prints as Go's `time.Duration` does: `1h2m3.5s`, `250ms`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 1_000_000_000 {
            let (unit, name) = match self.0 {
                0..1_000 => (1, "ns"),
                1_000..1_000_000 => (1_000, "µs"),
                _ => (1_000_000, "ms"),
            };
            return write!(f, "{}{name}", decimal(self.0, unit));
        }
        let seconds = self.0 / 1_000_000_000;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write!(f, "{}s", decimal(self.0 % 60_000_000_000, 1_000_000_000))
    }
}

/// `value / unit` in decimal, without trailing zeros.
fn decimal(value: u64, unit: u64) -> String {
    let (whole, fraction) = (value / unit, value % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    format!("{whole}.{}", format!("{fraction:0width$}").trim_end_matches('0'))
}

impl Digestible for Time {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.0);
    }
}

impl Digestible for Duration {
    fn digest(&self, digest: &mut Digest) {
        digest.u64(self.0);
    }
}

/// Turns virtual time into calendar time: the cluster's epoch plus the virtual instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    epoch_seconds: i64,
}

impl Clock {
    /// A clock whose virtual instant zero is `epoch_seconds` after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn new(epoch_seconds: i64) -> Self {
        Clock { epoch_seconds }
    }

    /// Seconds from 1970 to the virtual instant zero.
    #[must_use]
    pub const fn epoch_seconds(self) -> i64 {
        self.epoch_seconds
    }

    /// Calendar time with whole seconds, as `metav1.Time` holds it.
    #[must_use]
    pub fn timestamp(self, time: Time) -> jiff::Timestamp {
        let seconds = i64::try_from(time.0 / 1_000_000_000).unwrap_or(i64::MAX);
        jiff::Timestamp::from_second(self.epoch_seconds.saturating_add(seconds))
            .unwrap_or(jiff::Timestamp::MAX)
    }

    /// Calendar time with microseconds, as `metav1.MicroTime` holds it.
    #[must_use]
    pub fn micro_timestamp(self, time: Time) -> jiff::Timestamp {
        let seconds = i64::try_from(time.0 / 1_000_000_000).unwrap_or(i64::MAX);
        let nanoseconds = i32::try_from(time.0 % 1_000_000_000 / 1_000 * 1_000).unwrap_or(0);
        jiff::Timestamp::new(self.epoch_seconds.saturating_add(seconds), nanoseconds)
            .unwrap_or(jiff::Timestamp::MAX)
    }

    /// The virtual instant of a calendar time; what lies before the epoch is instant zero.
    #[must_use]
    pub fn time(self, timestamp: jiff::Timestamp) -> Time {
        let nanoseconds =
            timestamp.as_nanosecond() - i128::from(self.epoch_seconds) * 1_000_000_000;
        Time(u64::try_from(nanoseconds.max(0)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_go_prints_them() {
        for (nanoseconds, want) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (10_000_000_000, "10s"),
            (300_000_000_000, "5m0s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
        ] {
            assert_eq!(Duration::from_nanos(nanoseconds).to_string(), want);
        }
    }

    #[test]
    fn calendar_time_and_virtual_time_convert_both_ways() {
        let clock = Clock::new(1_767_225_600);
        let time = Time::ZERO + Duration::from_millis(61_250);
        assert_eq!(clock.timestamp(time).to_string(), "2026-01-01T00:01:01Z");
        assert_eq!(clock.time(clock.micro_timestamp(time)), time);
    }
}
