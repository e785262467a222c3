//! Time zones by the rule of POSIX: an offset from Greenwich, and another for a part of the year.

use crate::civil::{Date, DateTime};
use crate::{Error, Timestamp};

const DAY: i64 = 86_400;

/// How far a zone's clocks are ahead of Greenwich's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset(i32);

impl Offset {
    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> i32 {
        self.0
    }
}

/// When clocks are changed: on a day of a week of a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    month: i8,
    /// Counted from 1; the fifth is the last.
    week: i64,
    weekday: i64,
    /// Seconds after that day's midnight.
    second: i64,
}

impl Change {
    /// When clocks are changed in a year, as they show it before.
    fn of_year(self, year: i16) -> i64 {
        let Ok(first) = Date::new(year, self.month, 1) else { return 0 };
        let last = first.last_of_month().days_since_epoch();
        let first = first.days_since_epoch();
        let begin = first + (self.weekday - (first + 4)).rem_euclid(7);
        let day = begin + (self.week - 1) * 7;
        (if day > last { day - 7 } else { day }) * DAY + self.second
    }
}

/// A time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeZone {
    offset: i32,
    /// The offset in summer, when that begins, and when it ends.
    summer: Option<(i32, Change, Change)>,
}

impl TimeZone {
    /// Greenwich's.
    pub const UTC: TimeZone = TimeZone { offset: 0, summer: None };

    /// The zone with a rule such as `EST5EDT,M3.2.0,M11.1.0`.
    ///
    /// # Errors
    /// It is no such rule.
    pub fn posix(rule: &str) -> Result<Self, Error> {
        parse(rule).ok_or(Error::Format)
    }

    /// How far the zone's clocks are ahead at an instant.
    #[must_use]
    pub fn to_offset(&self, at: Timestamp) -> Offset {
        let Some((summer, begin, end)) = self.summer else { return Offset(self.offset) };
        let second = at.whole_second();
        let days = (second + i64::from(self.offset)).div_euclid(DAY);
        let year = Date::from_days_since_epoch(days).year();
        let begin = begin.of_year(year) - i64::from(self.offset);
        let end = end.of_year(year) - i64::from(summer);
        let is_summer = match begin < end {
            true => (begin..end).contains(&second),
            false => !(end..begin).contains(&second),
        };
        Offset(if is_summer { summer } else { self.offset })
    }

    /// What the zone's clocks show at an instant.
    #[must_use]
    pub fn to_datetime(&self, at: Timestamp) -> DateTime {
        let second = at.whole_second() + i64::from(self.to_offset(at).0);
        DateTime::from_seconds(second)
    }
}

/// The name of a zone: letters, or anything in angle brackets.
fn skip_name(text: &mut &str) -> Option<()> {
    let end = match text.strip_prefix('<') {
        Some(rest) => rest.find('>')? + 2,
        None => text.find(|it: char| !it.is_ascii_alphabetic()).unwrap_or(text.len()),
    };
    *text = &text[end..];
    (end > 0).then_some(())
}

fn number(text: &mut &str) -> Option<i64> {
    let end = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    digits.parse().ok().filter(|number| *number <= 366)
}

/// Hours, minutes and seconds, as seconds.
fn time(text: &mut &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    *text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut seconds = number(text)? * 3600;
    for unit in [60, 1] {
        if let Some(rest) = text.strip_prefix(':') {
            *text = rest;
            seconds += number(text)? * unit;
        }
    }
    Some(sign * seconds)
}

fn change(text: &mut &str) -> Option<Change> {
    *text = text.strip_prefix(",M")?;
    let month = number(text)?;
    *text = text.strip_prefix('.')?;
    let week = number(text)?;
    *text = text.strip_prefix('.')?;
    let weekday = number(text)?;
    let second = match text.strip_prefix('/') {
        Some(rest) => {
            *text = rest;
            time(text)?
        }
        None => 2 * 3600,
    };
    let exists = (1..=12).contains(&month) && (1..=5).contains(&week) && weekday <= 6;
    exists.then_some(Change { month: month.try_into().ok()?, week, weekday, second })
}

fn parse(mut text: &str) -> Option<TimeZone> {
    let text = &mut text;
    skip_name(text)?;
    // POSIX counts what clocks are behind.
    let offset = -time(text)?;
    let mut zone = TimeZone { offset: offset.try_into().ok()?, summer: None };
    if text.is_empty() {
        return Some(zone);
    }
    skip_name(text)?;
    let summer = if text.starts_with(',') { offset + 3600 } else { -time(text)? };
    zone.summer = Some((summer.try_into().ok()?, change(text)?, change(text)?));
    text.is_empty().then_some(zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_changed_when_the_rule_says() {
        for (rule, instant, want) in [
            ("UTC0", "2026-07-01T12:00:00Z", "2026-07-01T12:00:00"),
            ("<+0545>-5:45", "2026-07-01T12:00:00Z", "2026-07-01T17:45:00"),
            ("EST5EDT,M3.2.0,M11.1.0", "2026-03-08T06:59:59Z", "2026-03-08T01:59:59"),
            ("EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00:00Z", "2026-03-08T03:00:00"),
            ("EST5EDT,M3.2.0,M11.1.0", "2026-11-01T05:59:59Z", "2026-11-01T01:59:59"),
            ("EST5EDT,M3.2.0,M11.1.0", "2026-11-01T06:00:00Z", "2026-11-01T01:00:00"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00"),
            // In the south, summer goes over the end of the year.
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00Z", "2026-01-01T11:00:00"),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-07-01T00:00:00Z", "2026-07-01T10:00:00"),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2025-12-31T13:30:00Z", "2026-01-01T00:30:00"),
            // What is called summer is Ireland's winter.
            ("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00"),
            ("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00Z", "2026-07-01T01:00:00"),
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", "2026-03-28T22:59:59"),
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", "2026-03-29T00:00:00"),
            ("IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-27T00:00:00Z", "2026-03-27T03:00:00"),
        ] {
            let zone = TimeZone::posix(rule).unwrap();
            let shown = zone.to_datetime(instant.parse().unwrap());
            assert_eq!(shown.to_string(), want, "{rule} at {instant}");
        }
        for rule in ["", "EST", "5", "EST5EDT", "EST5EDT,J1,J2", "EST5EDT,M3.2.0,M11.1.0x", "<E5"] {
            assert_eq!(TimeZone::posix(rule), Err(Error::Format), "{rule}");
        }
    }
}
