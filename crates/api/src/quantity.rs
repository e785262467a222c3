//! Quantities of resources: `100m`, `1Gi`, `2e3`. A text comes in; an exact number with the
//! format it was written in goes out, and its canonical text again.
//!
//! Upstream: staging/src/k8s.io/apimachinery/pkg/api/resource

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as QuantityText;
use thiserror::Error;

const NANOS_PER_UNIT: i128 = 1_000_000_000;
const NANOS_PER_MILLI: i128 = 1_000_000;

/// An exact amount, counted in billionths: the finest that upstream keeps. Amounts beyond
/// ±1.7e29 are capped there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount {
    nanos: i128,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount { nanos: 0 };

    /// An amount of whole units.
    #[must_use]
    pub const fn units(units: i64) -> Self {
        Amount { nanos: units as i128 * NANOS_PER_UNIT }
    }

    /// An amount of thousandths.
    #[must_use]
    pub const fn millis(millis: i64) -> Self {
        Amount { nanos: millis as i128 * NANOS_PER_MILLI }
    }

    /// An amount of billionths.
    #[must_use]
    pub const fn nanos(nanos: i128) -> Self {
        Amount { nanos }
    }

    /// The amount that an API object's quantity says. A text that is no quantity counts as
    /// nothing: decoding and validation have refused it before.
    #[must_use]
    pub fn of(text: &QuantityText) -> Self {
        Quantity::parse(&text.0).map(|quantity| quantity.amount).unwrap_or_default()
    }

    /// Billionths.
    #[must_use]
    pub fn as_nanos(self) -> i128 {
        self.nanos
    }

    /// Whole units, rounded away from zero.
    #[must_use]
    pub fn value(self) -> i64 {
        saturate(divide_away_from_zero(self.nanos, NANOS_PER_UNIT))
    }

    /// Thousandths, rounded away from zero.
    #[must_use]
    pub fn milli_value(self) -> i64 {
        saturate(divide_away_from_zero(self.nanos, NANOS_PER_MILLI))
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Whether it is a whole number of units.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.nanos % NANOS_PER_UNIT == 0
    }

    /// The amount rounded away from zero to whole thousandths.
    #[must_use]
    pub fn round_up_to_milli(self) -> Self {
        let millis = divide_away_from_zero(self.nanos, NANOS_PER_MILLI);
        Amount { nanos: millis.saturating_mul(NANOS_PER_MILLI) }
    }

    /// The amount `factor` times.
    #[must_use]
    pub fn times(self, factor: i64) -> Self {
        Amount { nanos: self.nanos.saturating_mul(i128::from(factor)) }
    }
}

impl Add for Amount {
    type Output = Amount;

    fn add(self, other: Amount) -> Amount {
        Amount { nanos: self.nanos.saturating_add(other.nanos) }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        *self = *self + other;
    }
}

impl Sub for Amount {
    type Output = Amount;

    fn sub(self, other: Amount) -> Amount {
        Amount { nanos: self.nanos.saturating_sub(other.nanos) }
    }
}

impl SubAssign for Amount {
    fn sub_assign(&mut self, other: Amount) {
        *self = *self - other;
    }
}

impl Neg for Amount {
    type Output = Amount;

    fn neg(self) -> Amount {
        Amount { nanos: self.nanos.saturating_neg() }
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount::ZERO, Add::add)
    }
}

/// Divides by a positive number; what is left over rounds away from zero.
fn divide_away_from_zero(number: i128, divisor: i128) -> i128 {
    let quotient = number / divisor;
    if number % divisor == 0 { quotient } else { quotient + number.signum() }
}

fn saturate(number: i128) -> i64 {
    let bounded = number.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    i64::try_from(bounded).unwrap_or_default()
}

/// How a quantity is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `12e6`.
    DecimalExponent,
    /// `12Mi`.
    BinarySi,
    /// `12M`.
    #[default]
    DecimalSi,
}

/// Why a text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// The text has the wrong form.
    #[error(
        "quantities must match the regular expression \
         '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Format,
    /// The number is none.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// The suffix is none of those known.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// An amount together with the way it is written.
#[derive(Clone, Debug, Default)]
pub struct Quantity {
    amount: Amount,
    format: Format,
    /// The text it was read from, where upstream keeps it because it takes it for canonical.
    text: Option<Box<str>>,
}

impl Quantity {
    /// A quantity of that amount.
    #[must_use]
    pub fn new(amount: Amount, format: Format) -> Self {
        Quantity { amount, format, text: None }
    }

    /// Reads a quantity. Upstream: ParseQuantity.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.is_empty() {
            return Err(ParseError::Format);
        }
        let parts = Parts::split(text)?;
        let (base, exponent, format) = interpret_suffix(parts.suffix)?;
        let magnitude = parts.magnitude(base, exponent);
        let mut quantity = Quantity::new(Amount { nanos: magnitude }, format);
        if format == Format::BinarySi {
            let most = Amount::units(i64::MAX);
            quantity.amount = quantity.amount.min(most);
            let fraction = Amount::ZERO < quantity.amount && quantity.amount < Amount::units(1);
            if fraction {
                quantity.format = Format::DecimalSi;
            }
        }
        if parts.negative {
            quantity.amount = -quantity.amount;
        }
        if parts.is_kept(exponent, format) {
            quantity.text = Some(text.into());
        }
        Ok(quantity)
    }

    /// The amount.
    #[must_use]
    pub fn amount(&self) -> Amount {
        self.amount
    }

    /// How it is written.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whole units, rounded away from zero.
    #[must_use]
    pub fn value(&self) -> i64 {
        self.amount.value()
    }

    /// Thousandths, rounded away from zero.
    #[must_use]
    pub fn milli_value(&self) -> i64 {
        self.amount.milli_value()
    }

    /// Rounds away from zero to whole thousandths.
    pub fn round_up_to_milli(&mut self) {
        let rounded = self.amount.round_up_to_milli();
        if rounded != self.amount {
            self.amount = rounded;
            self.text = None;
        }
    }

    /// The sum. Nothing takes the format of what is added to it.
    #[must_use]
    pub fn plus(&self, other: &Quantity) -> Quantity {
        let format = if self.amount.is_zero() { other.format } else { self.format };
        Quantity::new(self.amount + other.amount, format)
    }

    /// The difference. Nothing takes the format of what is subtracted from it.
    #[must_use]
    pub fn minus(&self, other: &Quantity) -> Quantity {
        let format = if self.amount.is_zero() { other.format } else { self.format };
        Quantity::new(self.amount - other.amount, format)
    }

    /// The quantity as API objects hold it.
    #[must_use]
    pub fn to_text(&self) -> QuantityText {
        QuantityText(self.to_string())
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.amount == other.amount
    }
}

impl fmt::Display for Quantity {
    /// The canonical text. Upstream: Quantity.String.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            return f.write_str(text);
        }
        let nanos = self.amount.nanos;
        if nanos == 0 {
            return f.write_str("0");
        }
        let small = nanos.unsigned_abs() < 1024 * NANOS_PER_UNIT.unsigned_abs();
        if self.format == Format::BinarySi && !small && self.amount.is_whole() {
            return write_binary(nanos / NANOS_PER_UNIT, f);
        }
        write_decimal(nanos, self.format, f)
    }
}

fn write_binary(mut number: i128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const SUFFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let mut step = 0;
    while number % 1024 == 0 && step + 1 < SUFFIXES.len() {
        number /= 1024;
        step += 1;
    }
    write!(f, "{number}{}", SUFFIXES[step])
}

fn write_decimal(mut number: i128, format: Format, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const SUFFIXES: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    let mut step = 0;
    while number % 1000 == 0 && step + 1 < SUFFIXES.len() {
        number /= 1000;
        step += 1;
    }
    let exponent = i32::try_from(step).unwrap_or_default() * 3 - 9;
    match format {
        Format::DecimalExponent if exponent != 0 => write!(f, "{number}e{exponent}"),
        Format::DecimalExponent => write!(f, "{number}"),
        _ => write!(f, "{number}{}", SUFFIXES[step]),
    }
}

/// A quantity's text in its parts.
struct Parts<'a> {
    negative: bool,
    /// The digits before the point, without leading zeros.
    whole: &'a str,
    /// The digits behind the point.
    fraction: &'a str,
    suffix: &'a str,
}

impl<'a> Parts<'a> {
    /// Upstream: parseQuantityString.
    fn split(text: &'a str) -> Result<Self, ParseError> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let rest = rest.trim_start_matches('0');
        let (whole, rest) = split_digits(rest);
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(behind) => split_digits(behind),
            None => ("", rest),
        };
        let exponent = suffix.trim_start_matches(|letter| "eEinumkKMGTP".contains(letter));
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(ParseError::Format);
        }
        Ok(Parts { negative, whole, fraction, suffix })
    }

    /// The amount in billionths without its sign. What is finer than a billionth counts as one.
    fn magnitude(&self, base: u32, exponent: i32) -> i128 {
        // Nineteen digits more than the point are exact; of longer fractions it matters only
        // that there is something.
        const DIGITS_KEPT: usize = 19;
        let kept = self.fraction.len().min(DIGITS_KEPT);
        let rest_is_zero = self.fraction[kept..].bytes().all(|digit| digit == b'0');
        let digits = self.whole.bytes().chain(self.fraction[..kept].bytes());
        let mut point = i32::try_from(kept).unwrap_or(i32::MAX);
        let mut number = digits.fold(0_i128, |number, digit| {
            number.saturating_mul(10).saturating_add(i128::from(digit - b'0'))
        });
        if !rest_is_zero {
            number = number.saturating_mul(10).saturating_add(1);
            point += 1;
        }
        if base == 2 {
            number = number.saturating_mul(1_i128 << exponent.clamp(0, 60));
        }
        let decimal = if base == 10 { exponent } else { 0 };
        shift_decimal(number, decimal.saturating_sub(point).saturating_add(9))
    }

    /// Whether upstream keeps the text as it is, taking it for canonical.
    fn is_kept(&self, exponent: i32, format: Format) -> bool {
        let digits = self.whole.len().max(1) + self.fraction.len();
        let is_zero = self.whole.is_empty() && self.fraction.is_empty();
        let point = i32::try_from(self.fraction.len()).unwrap_or(i32::MAX);
        let scale = exponent.saturating_sub(point);
        match format {
            Format::BinarySi => {
                let number = self.whole.parse::<u64>().unwrap_or_default();
                let room = 15 - exponent * 3 / 10 - 1;
                self.fraction.is_empty()
                    && i32::try_from(digits).is_ok_and(|digits| digits <= room)
                    && number % 8 != 0
            }
            Format::DecimalSi | Format::DecimalExponent => {
                let ends_in_thousand = format!("{}{}", self.whole, self.fraction).ends_with("000");
                digits <= 18
                    && scale >= -9
                    && scale % 3 == 0
                    && !is_zero
                    && !ends_in_thousand
                    && !self.whole.is_empty()
            }
        }
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// `number * 10^places`, rounded up.
fn shift_decimal(number: i128, places: i32) -> i128 {
    if number == 0 {
        return 0;
    }
    let power = 10_i128.checked_pow(places.unsigned_abs());
    match (places >= 0, power) {
        (true, Some(power)) => number.saturating_mul(power),
        (true, None) => i128::MAX,
        (false, Some(power)) => divide_away_from_zero(number, power),
        (false, None) => 1,
    }
}

/// The base, exponent and format that a suffix means. Upstream: suffix.go.
fn interpret_suffix(suffix: &str) -> Result<(u32, i32, Format), ParseError> {
    let decimal = |exponent| Ok((10, exponent, Format::DecimalSi));
    let binary = |exponent| Ok((2, exponent, Format::BinarySi));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let digits = suffix.strip_prefix(['e', 'E']).ok_or(ParseError::Suffix)?;
            let exponent: i64 = digits.parse().map_err(|_| ParseError::Suffix)?;
            let bounded = exponent.clamp(-1_000_000, 1_000_000);
            let exponent = i32::try_from(bounded).map_err(|_| ParseError::Suffix)?;
            Ok((10, exponent, Format::DecimalExponent))
        }
    }
}

#[cfg(test)]
mod tests;
