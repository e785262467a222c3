//! Reading schedules. Upstream: vendor/github.com/robfig/cron/v3/parser.go

use super::{Field, Schedule, When, time_zone};

/// The least and the largest value of a field, and names of values.
struct Bounds {
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

const MINUTE: Bounds = Bounds { min: 0, max: 59, names: &[] };
const HOUR: Bounds = Bounds { min: 0, max: 23, names: &[] };
const DAY: Bounds = Bounds { min: 1, max: 31, names: &[] };
const MONTH: Bounds = Bounds {
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAY: Bounds =
    Bounds { min: 0, max: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

/// Reads a schedule. Upstream: Parser.Parse.
pub(super) fn schedule(text: &str) -> Result<Schedule, String> {
    if text.is_empty() {
        return Err("empty spec string".to_string());
    }
    let (zone, text) = match text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ=")) {
        None => (None, text),
        Some(rest) => {
            let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let unknown = || format!("provided bad location {name}: unknown time zone {name}");
            (Some(time_zone(name).ok_or_else(unknown)?), rest.trim())
        }
    };
    let when = if text.starts_with('@') { descriptor(text)? } else { fields(text)? };
    Ok(Schedule { when, zone })
}

fn fields(text: &str) -> Result<When, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else {
        let found = fields.join(" ");
        return Err(format!("expected exactly 5 fields, found {}: [{found}]", fields.len()));
    };
    Ok(When::Fields {
        minute: field(minute, &MINUTE)?,
        hour: field(hour, &HOUR)?,
        day: field(day, &DAY)?,
        month: field(month, &MONTH)?,
        weekday: field(weekday, &WEEKDAY)?,
    })
}

/// Upstream: parseDescriptor.
fn descriptor(text: &str) -> Result<When, String> {
    let fields_of = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => {
            let Some(duration) = text.strip_prefix("@every ") else {
                return Err(format!("unrecognized descriptor: {text}"));
            };
            let seconds = seconds_of(duration)
                .map_err(|error| format!("failed to parse duration {text}: {error}"))?;
            return Ok(When::Every(seconds.max(1)));
        }
    };
    fields(fields_of)
}

/// The whole seconds of a duration as Go writes it: `1h30m`, `2.5s`.
/// Upstream: time.ParseDuration.
fn seconds_of(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", crate::field::go_quote(text));
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    let mut nanoseconds: i128 = 0;
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let end = rest.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        let end = tail.find(|it: char| it.is_ascii_digit() || it == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        rest = tail;
        let scale: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(invalid()),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = fraction.get(..fraction.len().min(9)).unwrap_or_default();
        let parse = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u32>().ok() };
        let (Some(whole), Some(part)) = (parse(whole), parse(digits)) else {
            return Err(invalid());
        };
        let divisor = 10_i128.pow(u32::try_from(digits.len()).unwrap_or(0));
        nanoseconds += i128::from(whole) * scale + i128::from(part) * scale / divisor;
    }
    Ok(i64::try_from(sign * nanoseconds / 1_000_000_000).unwrap_or(i64::MAX))
}

/// Upstream: getField.
fn field(text: &str, bounds: &Bounds) -> Result<Field, String> {
    let mut all = Field { bits: 0, is_star: false };
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let of_part = range(part, bounds)?;
        all.bits |= of_part.bits;
        all.is_star |= of_part.is_star;
    }
    Ok(all)
}

/// Upstream: getRange.
fn range(text: &str, bounds: &Bounds) -> Result<Field, String> {
    let range_and_step: Vec<&str> = text.split('/').collect();
    let low_and_high: Vec<&str> = range_and_step[0].split('-').collect();
    let mut is_star = matches!(low_and_high[0], "*" | "?");
    let (start, mut end) = match low_and_high[..] {
        _ if is_star => (bounds.min, bounds.max),
        [only] => {
            let value = number_or_name(only, bounds)?;
            (value, value)
        }
        [low, high] => (number_or_name(low, bounds)?, number_or_name(high, bounds)?),
        _ => return Err(format!("too many hyphens: {text}")),
    };
    let step = match range_and_step[..] {
        [_] => 1,
        [_, step] => {
            let step = number(step)?;
            // One value and a step go on to the end.
            if low_and_high.len() == 1 {
                end = bounds.max;
            }
            is_star &= step <= 1;
            step
        }
        _ => return Err(format!("too many slashes: {text}")),
    };
    let (min, max) = (bounds.min, bounds.max);
    if start < min {
        return Err(format!("beginning of range ({start}) below minimum ({min}): {text}"));
    }
    if end > max {
        return Err(format!("end of range ({end}) above maximum ({max}): {text}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    let Some(step) = usize::try_from(step).ok().filter(|step| *step > 0) else {
        return Err(format!("step of range should be a positive number: {text}"));
    };
    let bits = (start..=end).step_by(step).fold(0, |bits, value| bits | 1_u64 << value);
    Ok(Field { bits, is_star })
}

fn number_or_name(text: &str, bounds: &Bounds) -> Result<u32, String> {
    let lower = text.to_lowercase();
    match bounds.names.iter().zip(bounds.min..).find(|(name, _)| **name == lower) {
        Some((_, value)) => Ok(value),
        None => number(text),
    }
}

/// Upstream: mustParseInt.
fn number(text: &str) -> Result<u32, String> {
    match text.parse::<i64>() {
        Ok(number) => u32::try_from(number)
            .map_err(|_| format!("negative number ({number}) not allowed: {text}")),
        Err(_) => {
            let quoted = crate::field::go_quote(text);
            Err(format!(
                "failed to parse int from {text}: strconv.Atoi: parsing {quoted}: invalid syntax"
            ))
        }
    }
}
