//! What a plain scalar means: text, number, boolean or null, by the rules of YAML 1.1 that
//! kubectl reads manifests with. `yes` is a boolean, `0644` is octal, `1_000` is a number.
//!
//! Upstream: sigs.k8s.io/yaml, goyaml.v2/resolve.go

use serde_json::{Number, Value};

/// The meaning of a plain scalar that has no tag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    /// Kept as text, but not a text that may be written plain.
    Timestamp,
    String,
}

impl Scalar {
    /// The name of the scalar's tag, as error messages say it.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Scalar::Null => "null",
            Scalar::Bool(_) => "bool",
            Scalar::Integer(_) | Scalar::Unsigned(_) => "int",
            Scalar::Float(_) => "float",
            Scalar::Timestamp => "timestamp",
            Scalar::String => "str",
        }
    }

    /// The scalar as JSON; `None` for numbers that JSON has no words for.
    pub(super) fn to_value(self, text: &str) -> Option<Value> {
        Some(match self {
            Scalar::Null => Value::Null,
            Scalar::Bool(truth) => truth.into(),
            Scalar::Integer(number) => number.into(),
            Scalar::Unsigned(number) => number.into(),
            Scalar::Float(number) => float_value(number)?,
            Scalar::Timestamp | Scalar::String => text.into(),
        })
    }
}

/// A float as JSON: Go prints one without fraction as a whole number.
fn float_value(number: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number == number.trunc() && number.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        return Some((number as i64).into());
    }
    Number::from_f64(number).map(Value::Number)
}

/// Reads a plain scalar.
pub(super) fn resolve(text: &str) -> Scalar {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => match text.as_bytes()[0] {
            b'.' => finite(text).map_or(Scalar::String, Scalar::Float),
            b'+' | b'-' | b'0'..=b'9' => resolve_number(text),
            _ => Scalar::String,
        },
    }
}

fn resolve_number(text: &str) -> Scalar {
    if is_timestamp(text) {
        return Scalar::Timestamp;
    }
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.as_bytes().first() {
        Some(b'-') => (true, &plain[1..]),
        Some(b'+') => (false, &plain[1..]),
        _ => (false, plain.as_str()),
    };
    if let Some(magnitude) = magnitude(digits) {
        let integer = i128::from(magnitude) * if negative { -1 } else { 1 };
        if let Ok(integer) = i64::try_from(integer) {
            return Scalar::Integer(integer);
        }
        if !negative && !plain.starts_with('+') {
            return Scalar::Unsigned(magnitude);
        }
    }
    if is_float(digits) {
        return finite(&plain).map_or(Scalar::String, Scalar::Float);
    }
    Scalar::String
}

/// A whole number without sign, in the notation that its prefix names.
fn magnitude(digits: &str) -> Option<u64> {
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    // The standard library would take a sign here.
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_plain { u64::from_str_radix(digits, radix).ok() } else { None }
}

/// Whether a number without sign looks like `1.5e3`, `.5` or `5.`.
fn is_float(digits: &str) -> bool {
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let good_mantissa =
        all_digits(whole) && all_digits(fraction) && (!whole.is_empty() || !fraction.is_empty());
    let good_exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    good_mantissa && good_exponent
}

fn finite(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Whether a plain scalar is one of the timestamps that YAML 1.1 knows.
fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    let year_digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if year_digits != 4 || bytes.get(4) != Some(&b'-') {
        return false;
    }
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = parts.next().and_then(|part| part.parse::<i16>().ok());
    let (month, day) = (parts.next().and_then(short), parts.next().and_then(short));
    let (Some(year), Some(month), Some(day), None) = (year, month, day, parts.next()) else {
        return false;
    };
    if jiff::civil::Date::new(year, month, day).is_err() {
        return false;
    }
    match time {
        None => true,
        Some(time) if bytes.contains(&b' ') => is_time_of_day(time),
        Some(time) => is_time_with_zone(time),
    }
}

/// A number of one or two digits.
fn short(text: &str) -> Option<i8> {
    let good = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| text.parse().ok()).flatten()
}

fn is_time_with_zone(time: &str) -> bool {
    if let Some(time) = time.strip_suffix('Z') {
        return is_time_of_day(time);
    }
    let Some(sign) = time.rfind(['+', '-']) else {
        return false;
    };
    let zone = time[sign + 1..].split_once(':');
    let good = |text: &str, bound: i8| {
        text.len() == 2 && short(text).is_some_and(|number| number <= bound)
    };
    zone.is_some_and(|(hours, minutes)| good(hours, 24) && good(minutes, 60))
        && is_time_of_day(&time[..sign])
}

fn is_time_of_day(time: &str) -> bool {
    let (time, fraction) = match time.split_once('.') {
        Some((time, fraction)) => (time, Some(fraction)),
        None => (time, None),
    };
    let good_fraction = fraction.is_none_or(|fraction| {
        !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit())
    });
    let bounds = [24, 60, 60];
    let parts: Vec<Option<i8>> = time.split(':').map(short).collect();
    good_fraction
        && parts.len() == bounds.len()
        && parts.iter().zip(bounds).all(|(part, bound)| part.is_some_and(|part| part < bound))
}

/// Whether a text would be read as something else if it were written plain: a number, a
/// boolean, a date, or what YAML 1.1 calls a base 60 float.
pub(super) fn is_ambiguous(text: &str) -> bool {
    resolve(text) != Scalar::String || is_base_60_float(text)
}

/// `12:30:45`, which some readers take for a number in base 60.
fn is_base_60_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let good_head = parts.next().is_some_and(|head| {
        head.starts_with(|character: char| character.is_ascii_digit())
            && head.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
    });
    let rest: Vec<&str> = parts.collect();
    let Some((last, middle)) = rest.split_last() else {
        return false;
    };
    let good_part = |part: &str| short(part).is_some_and(|number| number < 60);
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    good_head
        && middle.iter().all(|part| good_part(part))
        && good_part(last)
        && fraction.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    //! Ported from goyaml.v2/decode_test.go and encode_test.go.
    use super::*;

    #[test]
    fn plain_scalars_mean_what_yaml_1_1_says() {
        for (text, want) in [
            ("true", Scalar::Bool(true)),
            ("y", Scalar::Bool(true)),
            ("off", Scalar::Bool(false)),
            ("NO", Scalar::Bool(false)),
            ("oN", Scalar::String),
            ("~", Scalar::Null),
            ("", Scalar::Null),
            ("10", Scalar::Integer(10)),
            ("0b10", Scalar::Integer(2)),
            ("-0b101010", Scalar::Integer(-42)),
            ("0xA", Scalar::Integer(10)),
            ("0644", Scalar::Integer(420)),
            ("0o14", Scalar::Integer(12)),
            ("+685_230", Scalar::Integer(685_230)),
            ("02472256", Scalar::Integer(685_230)),
            ("0x_0A_74_AE", Scalar::Integer(685_230)),
            ("0b1010_0111_0100_1010_1110", Scalar::Integer(685_230)),
            ("9223372036854775807", Scalar::Integer(i64::MAX)),
            ("-9223372036854775808", Scalar::Integer(i64::MIN)),
            ("18446744073709551615", Scalar::Unsigned(u64::MAX)),
            ("4294967296", Scalar::Integer(4_294_967_296)),
            ("0.1", Scalar::Float(0.1)),
            (".1", Scalar::Float(0.1)),
            (".5", Scalar::Float(0.5)),
            ("-.1", Scalar::Float(-0.1)),
            ("-0.1", Scalar::Float(-0.1)),
            ("6.8523e+5", Scalar::Float(685_230.0)),
            ("685.230_15e+03", Scalar::Float(685_230.15)),
            ("685_230.15", Scalar::Float(685_230.15)),
            ("09", Scalar::Float(9.0)),
            ("-.inf", Scalar::Float(f64::NEG_INFINITY)),
            ("190:20:30.15", Scalar::String),
            ("1.2.3", Scalar::String),
            ("100m", Scalar::String),
            ("1e", Scalar::String),
            ("0x", Scalar::String),
            ("0b1e3", Scalar::String),
            ("--1", Scalar::String),
            ("2015-01-01", Scalar::Timestamp),
            ("2015-1-1", Scalar::Timestamp),
            ("2015-02-24T18:19:39.12Z", Scalar::Timestamp),
            ("2015-2-3T3:4:5Z", Scalar::Timestamp),
            ("2015-02-24t18:19:39+03:00", Scalar::Timestamp),
            ("2015-02-24 18:19:39", Scalar::Timestamp),
            ("2015-02-30", Scalar::String),
            ("2015-13-01", Scalar::String),
            ("2015-01", Scalar::String),
        ] {
            assert_eq!(resolve(text), want, "{text}");
        }
        assert!(matches!(resolve(".NaN"), Scalar::Float(number) if number.is_nan()));
    }

    #[test]
    fn base_60_floats_are_not_written_plain() {
        for text in ["1:1", "-1:20", "190:20:30.15", "10:09", "2:2.5_"] {
            assert!(is_ambiguous(text), "{text}");
        }
        for text in ["a:1", "1:60", "1:100", ":1", "1:", "1.20"] {
            assert!(!is_base_60_float(text), "{text}");
        }
    }
}
