//! Instants, and the time between two.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Error;
use crate::civil::Date;

const NANOS: i128 = 1_000_000_000;
const DAY: i64 = 86_400;

/// A length of time, which may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignedDuration(i128);

impl SignedDuration {
    /// So many seconds.
    #[must_use]
    pub fn from_secs(seconds: i64) -> Self {
        SignedDuration(i128::from(seconds) * NANOS)
    }

    /// Nanoseconds.
    #[must_use]
    pub fn as_nanos(self) -> i128 {
        self.0
    }

    /// Whole seconds; what is left over counts nothing.
    #[must_use]
    pub fn as_secs(self) -> i64 {
        i64::try_from(self.0 / NANOS).unwrap_or_default()
    }
}

/// An instant: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    second: i64,
    /// Of the sign of the second.
    nanosecond: i32,
}

impl Timestamp {
    /// The first.
    pub const MIN: Timestamp = Timestamp { second: -377_705_023_201, nanosecond: 0 };
    /// The last.
    pub const MAX: Timestamp = Timestamp { second: 253_402_207_200, nanosecond: 999_999_999 };
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Timestamp = Timestamp { second: 0, nanosecond: 0 };

    fn from_nanos(nanoseconds: i128) -> Result<Self, Error> {
        let second = i64::try_from(nanoseconds / NANOS).map_err(|_| Error::Range)?;
        let nanosecond = i32::try_from(nanoseconds % NANOS).map_err(|_| Error::Range)?;
        let timestamp = Timestamp { second, nanosecond };
        let exists = (Self::MIN..=Self::MAX).contains(&timestamp);
        if exists { Ok(timestamp) } else { Err(Error::Range) }
    }

    /// So many seconds and nanoseconds after 1970.
    ///
    /// # Errors
    /// It is beyond the first or the last instant.
    pub fn new(second: i64, nanosecond: i32) -> Result<Self, Error> {
        Self::from_nanos(i128::from(second) * NANOS + i128::from(nanosecond))
    }

    /// So many seconds after 1970.
    ///
    /// # Errors
    /// It is beyond the first or the last instant.
    pub fn from_second(second: i64) -> Result<Self, Error> {
        Self::new(second, 0)
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub fn as_nanosecond(self) -> i128 {
        i128::from(self.second) * NANOS + i128::from(self.nanosecond)
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub fn as_second(self) -> i64 {
        self.second
    }

    /// Whole milliseconds since 1970.
    #[must_use]
    pub fn as_millisecond(self) -> i64 {
        self.second * 1_000 + i64::from(self.nanosecond / 1_000_000)
    }

    /// Whole microseconds since 1970.
    #[must_use]
    pub fn as_microsecond(self) -> i64 {
        self.second * 1_000_000 + i64::from(self.nanosecond / 1_000)
    }

    /// The time from another instant to this one.
    #[must_use]
    pub fn duration_since(self, other: Timestamp) -> SignedDuration {
        SignedDuration(self.as_nanosecond() - other.as_nanosecond())
    }

    /// The instant that is so much later.
    ///
    /// # Errors
    /// There is none.
    pub fn checked_add(self, duration: SignedDuration) -> Result<Self, Error> {
        Self::from_nanos(self.as_nanosecond() + duration.0)
    }

    /// The instant that is so much earlier.
    ///
    /// # Errors
    /// There is none.
    pub fn checked_sub(self, duration: SignedDuration) -> Result<Self, Error> {
        Self::from_nanos(self.as_nanosecond() - duration.0)
    }

    /// The instant that is so much later, or the last or the first.
    ///
    /// # Errors
    /// Never; the other crate's interface has one.
    pub fn saturating_add(self, duration: SignedDuration) -> Result<Self, Error> {
        let limit = if duration.0 < 0 { Self::MIN } else { Self::MAX };
        Ok(self.checked_add(duration).unwrap_or(limit))
    }

    /// The instant that is so much earlier, or the first or the last.
    ///
    /// # Errors
    /// Never; the other crate's interface has one.
    pub fn saturating_sub(self, duration: SignedDuration) -> Result<Self, Error> {
        self.saturating_add(SignedDuration(-duration.0))
    }

    /// The instant in a format of `strftime`. What is wrong with the format is told when it is
    /// printed.
    #[must_use]
    pub fn strftime(self, format: &str) -> crate::fmt::strtime::Formatted<'_> {
        crate::fmt::strtime::Formatted { format, timestamp: self }
    }

    /// What is below the second.
    #[must_use]
    pub fn subsec_nanosecond(self) -> i32 {
        self.nanosecond
    }

    /// The second that it is in, counted from 1970.
    pub(crate) fn whole_second(self) -> i64 {
        self.second - i64::from(self.nanosecond < 0)
    }

    /// The day, the second of the day and the nanosecond of the second.
    pub(crate) fn parts(self) -> (Date, i64, i64) {
        let second = self.whole_second();
        let nanosecond = i64::from(self.nanosecond).rem_euclid(1_000_000_000);
        let date = Date::from_days_since_epoch(second.div_euclid(DAY));
        (date, second.rem_euclid(DAY), nanosecond)
    }
}

impl std::ops::Sub for Timestamp {
    type Output = SignedDuration;

    fn sub(self, other: Timestamp) -> SignedDuration {
        self.duration_since(other)
    }
}

impl Display for Timestamp {
    /// In RFC 3339, with as many digits of the second as it needs.
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let (date, second, nanosecond) = self.parts();
        match date.year() {
            year @ 0.. => write!(f, "{year:04}")?,
            year => write!(f, "-{:06}", year.unsigned_abs())?,
        }
        let (minute, hour) = (second / 60 % 60, second / 3600);
        write!(f, "-{:02}-{:02}T{hour:02}:{minute:02}", date.month(), date.day())?;
        write!(f, ":{:02}", second % 60)?;
        if nanosecond > 0 {
            write!(f, ".{}", format!("{nanosecond:09}").trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

/// A number of two digits at the beginning of a text.
fn two(text: &mut &str) -> Option<i64> {
    let (digits, rest) = text.split_at_checked(2)?;
    *text = rest;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn skip(text: &mut &str, what: char) -> Option<()> {
    *text = text.strip_prefix(what)?;
    Some(())
}

/// How far a place's clock is ahead, in seconds. Upstream: time.Parse, stdISO8601ColonTZ.
fn offset(text: &str) -> Option<i64> {
    let (sign, mut text) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => (1, rest),
        (_, Some(rest)) => (-1, rest),
        _ => return (text == "Z").then_some(0),
    };
    let hours = two(&mut text)?;
    skip(&mut text, ':')?;
    let minutes = two(&mut text)?;
    (text.is_empty() && hours <= 24 && minutes <= 60).then_some(sign * (hours * 60 + minutes) * 60)
}

/// Reads RFC 3339 as Go does. Upstream: time.Parse with the layout time.RFC3339.
fn parse(mut text: &str) -> Option<Timestamp> {
    let year = two(&mut text)? * 100 + two(&mut text)?;
    skip(&mut text, '-')?;
    let month = two(&mut text)?;
    skip(&mut text, '-')?;
    let day = two(&mut text)?;
    skip(&mut text, 'T')?;
    let hour = match text.as_bytes() {
        [digit @ b'0'..=b'9', b':', ..] => {
            text = &text[1..];
            i64::from(digit - b'0')
        }
        _ => two(&mut text)?,
    };
    skip(&mut text, ':')?;
    let minute = two(&mut text)?;
    skip(&mut text, ':')?;
    let second = two(&mut text)?;
    let mut nanosecond = 0;
    if let Some(rest) = text.strip_prefix(['.', ',']) {
        let end = rest.find(|it: char| !it.is_ascii_digit()).filter(|end| *end > 0)?;
        let digits = rest[..end].bytes().chain(std::iter::repeat(b'0')).take(9);
        nanosecond = digits.fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'));
        text = &rest[end..];
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (month, day) = (month.try_into().ok()?, day.try_into().ok()?);
    let date = Date::new(year.try_into().ok()?, month, day).ok()?;
    let second = date.days_since_epoch() * DAY + hour * 3600 + minute * 60 + second;
    Timestamp::new(second - offset(text)?, nanosecond).ok()
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or(Error::Text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Timestamp;

            fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time in RFC 3339")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_go_reads_them() {
        for (text, want) in [
            ("1970-01-01T00:00:00Z", Some((0, 0))),
            ("2026-01-01T00:00:00Z", Some((1_767_225_600, 0))),
            ("2026-01-01T00:00:00.5Z", Some((1_767_225_600, 500_000_000))),
            ("2026-01-01T00:00:00,000001Z", Some((1_767_225_600, 1_000))),
            ("2026-01-01T00:00:00.1234567891Z", Some((1_767_225_600, 123_456_789))),
            ("2026-01-01T02:00:00+02:00", Some((1_767_225_600, 0))),
            ("2025-12-31T18:30:00-05:30", Some((1_767_225_600, 0))),
            ("2026-01-01T0:00:00Z", Some((1_767_225_600, 0))),
            ("1969-12-31T23:59:59.25Z", Some((0, -750_000_000))),
            ("2024-02-29T23:59:59Z", Some((1_709_251_199, 0))),
            ("0000-01-01T00:00:00Z", Some((-62_167_219_200, 0))),
            ("9999-12-31T23:59:59Z", None),
            ("2023-02-29T00:00:00Z", None),
            ("2026-01-01T24:00:00Z", None),
            ("2026-01-01T00:60:00Z", None),
            ("2026-01-01T00:00:60Z", None),
            ("2026-01-01T00:00:00", None),
            ("2026-01-01t00:00:00Z", None),
            ("2026-01-01T00:00:00z", None),
            ("2026-01-01 00:00:00Z", None),
            ("2026-01-01T00:00:00.Z", None),
            ("2026-01-01T00:00:00+0200", None),
            ("2026-1-01T00:00:00Z", None),
            ("+026-01-01T00:00:00Z", None),
            ("2026-01-01", None),
            ("now", None),
            ("20ä6-01-01T00:00:00Z", None),
            ("", None),
        ] {
            let found = text.parse::<Timestamp>().ok();
            let want = want.map(|(second, nanos)| Timestamp::new(second, nanos).unwrap());
            assert_eq!(found, want, "{text}");
        }
    }

    #[test]
    fn instants_print_and_read_back() {
        for (second, nanosecond, want) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (1_767_225_661, 0, "2026-01-01T00:01:01Z"),
            (1_767_225_661, 250_000_000, "2026-01-01T00:01:01.25Z"),
            (1_767_225_661, 1, "2026-01-01T00:01:01.000000001Z"),
            (0, -1, "1969-12-31T23:59:59.999999999Z"),
            (-1, -500_000_000, "1969-12-31T23:59:58.5Z"),
        ] {
            let timestamp = Timestamp::new(second, nanosecond).unwrap();
            assert_eq!(timestamp.to_string(), want);
            assert_eq!(want.parse(), Ok(timestamp));
        }
        assert_eq!(Timestamp::MIN.to_string(), "-009999-01-02T01:59:59Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T22:00:00.999999999Z");
    }

    #[test]
    fn sums_stay_within_the_calendar() {
        let (second, most) = (SignedDuration::from_secs(1), SignedDuration::from_secs(i64::MAX));
        let epoch = Timestamp::UNIX_EPOCH;
        assert_eq!(epoch.checked_add(second), Timestamp::from_second(1));
        assert_eq!(epoch.checked_sub(second), Timestamp::from_second(-1));
        assert_eq!(Timestamp::MAX.checked_add(second), Err(Error::Range));
        assert_eq!(epoch.saturating_add(most), Ok(Timestamp::MAX));
        assert_eq!(epoch.saturating_sub(most), Ok(Timestamp::MIN));
        let later = Timestamp::new(3, 700_000_000).unwrap();
        assert_eq!((later - epoch).as_secs(), 3);
        assert_eq!(epoch.duration_since(later).as_secs(), -3);
        assert_eq!((later.as_second(), later.as_millisecond()), (3, 3_700));
        assert_eq!((later.as_microsecond(), later.as_nanosecond()), (3_700_000, 3_700_000_000));
    }
}
