//! Days of the calendar.

use std::fmt::{Display, Formatter};

use crate::{Error, Timestamp};

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: i16,
    month: i8,
    day: i8,
}

/// Days from 0000-03-01 to 1970-01-01.
const TO_EPOCH: i64 = 719_468;
/// Days of 400 years.
const ERA: i64 = 146_097;

impl Date {
    /// The day of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn new(year: i16, month: i8, day: i8) -> Result<Self, Error> {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        let exists = (-9999..=9999).contains(&year) && (1..=days).contains(&day);
        if exists { Ok(Date { year, month, day }) } else { Err(Error::Range) }
    }

    /// The year.
    #[must_use]
    pub fn year(self) -> i16 {
        self.year
    }

    /// The month, from 1.
    #[must_use]
    pub fn month(self) -> i8 {
        self.month
    }

    /// The day of the month, from 1.
    #[must_use]
    pub fn day(self) -> i8 {
        self.day
    }

    /// The first day of its month.
    #[must_use]
    pub fn first_of_month(self) -> Date {
        Date { day: 1, ..self }
    }

    /// The last day of its month.
    #[must_use]
    pub fn last_of_month(self) -> Date {
        let days = [31, 30, 29].map(|day| Date::new(self.year, self.month, day));
        days.into_iter().find_map(Result::ok).unwrap_or(Date { day: 28, ..self })
    }

    /// The day after.
    ///
    /// # Errors
    /// It is the last.
    pub fn tomorrow(self) -> Result<Date, Error> {
        let last = Date { year: 9999, month: 12, day: 31 };
        if self < last {
            Ok(Date::from_days_since_epoch(self.days_since_epoch() + 1))
        } else {
            Err(Error::Range)
        }
    }

    /// A time of that day.
    #[must_use]
    pub fn to_datetime(self, time: Time) -> DateTime {
        DateTime { date: self, time }
    }

    /// A time of that day.
    #[must_use]
    pub fn at(self, hour: i8, minute: i8, second: i8, _nanosecond: i32) -> DateTime {
        self.to_datetime(Time { hour, minute, second })
    }

    /// Days since 1970-01-01. Years begin in March here, so that the leap day is their last.
    pub(crate) fn days_since_epoch(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - TO_EPOCH
    }

    /// The day that is so many days after 1970-01-01, which must be within the calendar.
    pub(crate) fn from_days_since_epoch(days: i64) -> Self {
        let days = days + TO_EPOCH;
        let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let part = (5 * of_year + 2) / 153;
        let (month, day) = ((part + 2) % 12 + 1, of_year - (153 * part + 2) / 5 + 1);
        let year = era * 400 + year + i64::from(month <= 2);
        Date {
            year: i16::try_from(year).unwrap_or_default(),
            month: i8::try_from(month).unwrap_or_default(),
            day: i8::try_from(day).unwrap_or_default(),
        }
    }

    /// The day of the year, from 1.
    pub(crate) fn day_of_year(self) -> i64 {
        let first = Date { month: 1, day: 1, ..self };
        self.days_since_epoch() - first.days_since_epoch() + 1
    }

    /// The day of the week, from Sunday as 0.
    pub(crate) fn weekday(self) -> usize {
        usize::try_from((self.days_since_epoch() + 4).rem_euclid(7)).unwrap_or_default()
    }
}

/// A time of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    hour: i8,
    minute: i8,
    second: i8,
}

impl Time {
    /// So many hours, minutes and seconds after midnight.
    #[must_use]
    pub const fn constant(hour: i8, minute: i8, second: i8, _nanosecond: i32) -> Self {
        Time { hour, minute, second }
    }
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weekday(i8);

impl Weekday {
    /// Its number, from Sunday as 0.
    #[must_use]
    pub fn to_sunday_zero_offset(self) -> i8 {
        self.0
    }
}

/// What a clock with a calendar shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime {
    date: Date,
    time: Time,
}

impl DateTime {
    /// What Greenwich's clock shows so many seconds after 1970.
    pub(crate) fn from_seconds(seconds: i64) -> Self {
        let date = Date::from_days_since_epoch(seconds.div_euclid(86_400));
        let second = seconds.rem_euclid(86_400);
        let part = |part: i64| i8::try_from(part).unwrap_or_default();
        date.at(part(second / 3600), part(second / 60 % 60), part(second % 60), 0)
    }

    /// The instant when Greenwich's clock shows it.
    ///
    /// # Errors
    /// It is beyond the first or the last.
    pub fn to_timestamp(self) -> Result<Timestamp, Error> {
        let Time { hour, minute, second } = self.time;
        let second = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        Timestamp::from_second(self.date.days_since_epoch() * 86_400 + second)
    }

    /// The day.
    #[must_use]
    pub fn date(self) -> Date {
        self.date
    }

    /// The time of the day.
    #[must_use]
    pub fn time(self) -> Time {
        self.time
    }

    /// The year.
    #[must_use]
    pub fn year(self) -> i16 {
        self.date.year
    }

    /// The month, from 1.
    #[must_use]
    pub fn month(self) -> i8 {
        self.date.month
    }

    /// The day of the month, from 1.
    #[must_use]
    pub fn day(self) -> i8 {
        self.date.day
    }

    /// The day of the week.
    #[must_use]
    pub fn weekday(self) -> Weekday {
        Weekday(i8::try_from(self.date.weekday()).unwrap_or_default())
    }

    /// The hour.
    #[must_use]
    pub fn hour(self) -> i8 {
        self.time.hour
    }

    /// The minute of the hour.
    #[must_use]
    pub fn minute(self) -> i8 {
        self.time.minute
    }

    /// The second of the minute.
    #[must_use]
    pub fn second(self) -> i8 {
        self.time.second
    }
}

impl Display for DateTime {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let (Date { year, month, day }, Time { hour, minute, second }) = (self.date, self.time);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (year, month, day, exists) in [
            (2024, 2, 29, true),
            (2023, 2, 29, false),
            (1900, 2, 29, false),
            (2000, 2, 29, true),
            (2026, 4, 31, false),
            (2026, 13, 1, false),
            (2026, 0, 1, false),
            (2026, 1, 0, false),
            (-9999, 1, 1, true),
            (10_000, 1, 1, false),
        ] {
            assert_eq!(Date::new(year, month, day).is_ok(), exists, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut date = Date::new(-401, 1, 1).unwrap();
        let first = date.days_since_epoch();
        for days in first.. {
            assert_eq!(date.days_since_epoch(), days);
            assert_eq!(Date::from_days_since_epoch(days), date);
            let (year, month, day) = (date.year, date.month, date.day);
            let next = Date::new(year, month, day + 1);
            let next = next.or_else(|_| Date::new(year, month + 1, 1));
            date = next.or_else(|_| Date::new(year + 1, 1, 1)).unwrap();
            if date.year == 500 {
                break;
            }
        }
        for date in [Date::new(-9999, 1, 1).unwrap(), Date::new(9999, 12, 31).unwrap()] {
            assert_eq!(Date::from_days_since_epoch(date.days_since_epoch()), date);
        }
    }

    #[test]
    fn months_have_ends_and_days_have_times() {
        for ((year, month, day), last, tomorrow) in [
            ((2024, 2, 29), "2024-02-29T21:05:09", "2024-03-01T21:05:09"),
            ((2023, 2, 27), "2023-02-28T21:05:09", "2023-02-28T21:05:09"),
            ((2026, 12, 31), "2026-12-31T21:05:09", "2027-01-01T21:05:09"),
            ((2026, 4, 1), "2026-04-30T21:05:09", "2026-04-02T21:05:09"),
        ] {
            let (date, time) = (Date::new(year, month, day).unwrap(), Time::constant(21, 5, 9, 0));
            assert_eq!(date.last_of_month().to_datetime(time).to_string(), last);
            assert_eq!(date.tomorrow().unwrap().to_datetime(time).to_string(), tomorrow);
            assert_eq!(date.first_of_month().day(), 1);
            let shown = date.to_datetime(time);
            let seconds = shown.to_timestamp().unwrap().as_second();
            assert_eq!(DateTime::from_seconds(seconds), shown);
        }
        assert!(Date::new(9999, 12, 31).unwrap().tomorrow().is_err());
    }

    #[test]
    fn weeks_and_years_are_counted() {
        for ((year, month, day), epoch, of_year, weekday) in [
            ((1970, 1, 1), 0, 1, 4),
            ((1969, 12, 31), -1, 365, 3),
            ((2024, 12, 31), 20_088, 366, 2),
            ((2026, 3, 1), 20_513, 60, 0),
        ] {
            let date = Date::new(year, month, day).unwrap();
            assert_eq!(date.days_since_epoch(), epoch);
            assert_eq!((date.day_of_year(), date.weekday()), (of_year, weekday), "{date:?}");
        }
    }
}
