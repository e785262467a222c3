//! Days of the calendar.

use crate::Error;

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
