//! Times in the formats of `strftime`, in English and for Greenwich.

use std::fmt::{Display, Formatter, Write};

use crate::{Error, Timestamp};

const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The instant in the format.
///
/// # Errors
/// The format has a letter that is not known.
pub fn format(format: &str, timestamp: Timestamp) -> Result<String, Error> {
    let mut out = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        match letters.next().ok_or(Error::Format)? {
            // `%.6f`: the point and so many digits of the second.
            '.' => {
                let digits = letters.next().and_then(|it| it.to_digit(10)).ok_or(Error::Format)?;
                if letters.next() != Some('f') || digits > 9 {
                    return Err(Error::Format);
                }
                let nanosecond = format!("{:09}", timestamp.parts().2);
                out.push('.');
                out.push_str(&nanosecond[..digits as usize]);
            }
            letter => one(&mut out, letter, timestamp)?,
        }
    }
    Ok(out)
}

/// What one letter stands for.
fn one(out: &mut String, letter: char, timestamp: Timestamp) -> Result<(), Error> {
    let (date, second, nanosecond) = timestamp.parts();
    let (minute, hour) = (second / 60 % 60, second / 3600);
    let hour_of_12 = (hour + 11) % 12 + 1;
    let weekday = date.weekday();
    let month = MONTHS[usize::try_from(date.month() - 1).unwrap_or_default()];
    let year = i64::from(date.year());
    let (value, width) = match letter {
        'Y' => (year, 4),
        'C' => (year.div_euclid(100), 2),
        'y' => (year.rem_euclid(100), 2),
        'm' => (date.month().into(), 2),
        'd' => (date.day().into(), 2),
        'j' => (date.day_of_year(), 3),
        'H' => (hour, 2),
        'I' => (hour_of_12, 2),
        'M' => (minute, 2),
        'S' => (second % 60, 2),
        's' => (timestamp.as_second(), 1),
        'N' => (nanosecond, 9),
        'u' => (if weekday == 0 { 7 } else { weekday as i64 }, 1),
        'w' => (weekday as i64, 1),
        _ => {
            return words(out, letter, timestamp, (weekday, month, hour, hour_of_12));
        }
    };
    let _ = write!(out, "{value:0width$}");
    Ok(())
}

fn words(
    out: &mut String,
    letter: char,
    timestamp: Timestamp,
    (weekday, month, hour, hour_of_12): (usize, &str, i64, i64),
) -> Result<(), Error> {
    let whole = match letter {
        'F' => "%Y-%m-%d",
        'T' => "%H:%M:%S",
        'R' => "%H:%M",
        'D' => "%m/%d/%y",
        'r' => "%I:%M:%S %p",
        'c' => "%a %b %e %H:%M:%S %Y",
        _ => "",
    };
    if !whole.is_empty() {
        out.push_str(&format(whole, timestamp)?);
        return Ok(());
    }
    let padded = match letter {
        'e' => timestamp.parts().0.day().into(),
        'k' => hour,
        'l' => hour_of_12,
        _ => -1,
    };
    if padded >= 0 {
        let _ = write!(out, "{padded:2}");
        return Ok(());
    }
    out.push_str(match letter {
        'a' => &DAYS[weekday][..3],
        'A' => DAYS[weekday],
        'b' | 'h' => &month[..3],
        'B' => month,
        'p' if hour < 12 => "AM",
        'p' => "PM",
        'P' if hour < 12 => "am",
        'P' => "pm",
        'Z' => "UTC",
        'z' => "+0000",
        'n' => "\n",
        't' => "\t",
        '%' => "%",
        _ => return Err(Error::Format),
    });
    Ok(())
}

/// An instant that prints in a format.
pub struct Formatted<'f> {
    pub(crate) format: &'f str,
    pub(crate) timestamp: Timestamp,
}

impl Display for Formatted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&format(self.format, self.timestamp).map_err(|_| std::fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_print_as_date_prints_them() {
        // Sunday.
        let evening = Timestamp::new(1_772_399_405, 12_345_678).unwrap();
        for (text, want) in [
            ("%Y-%m-%dT%H:%M:%SZ", "2026-03-01T21:10:05Z"),
            ("%Y-%m-%dT%H:%M:%S%.6fZ", "2026-03-01T21:10:05.012345Z"),
            ("%a %b %e %H:%M:%S UTC %Y", "Sun Mar  1 21:10:05 UTC 2026"),
            ("%d/%b/%Y:%H:%M:%S +0000", "01/Mar/2026:21:10:05 +0000"),
            ("%F %T|%R|%D|%r", "2026-03-01 21:10:05|21:10|03/01/26|09:10:05 PM"),
            ("%A %B %h %C %y", "Sunday March Mar 20 26"),
            ("%j %u %w %s %N", "060 7 0 1772399405 012345678"),
            ("%k|%l|%I|%p%P", "21| 9|09|PMpm"),
            ("%Z %z%n%t%%", "UTC +0000\n\t%"),
            ("%c", "Sun Mar  1 21:10:05 2026"),
        ] {
            assert_eq!(format(text, evening).as_deref(), Ok(want));
            assert_eq!(evening.strftime(text).to_string(), want);
        }
        for text in ["%", "%Q", "%.f", "%.6", "%.6x"] {
            assert_eq!(format(text, evening), Err(Error::Format), "{text}");
        }
        let midnight = Timestamp::UNIX_EPOCH;
        assert_eq!(format("%I %l %p", midnight).as_deref(), Ok("12 12 AM"));
    }
}
