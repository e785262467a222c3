//! Upstream: staging/src/k8s.io/apimachinery/pkg/api/resource/quantity_test.go

use sim::Stream;

use super::*;

const KI: i128 = 1024;

fn parsed(text: &str) -> Quantity {
    Quantity::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// `number * 10^exponent`.
fn amount(number: i128, exponent: i32) -> Amount {
    Amount::nanos(number * 10_i128.pow(u32::try_from(exponent + 9).expect("not below nano")))
}

/// Every text with its amount and format, as TestQuantityParse lists them.
fn table() -> Vec<(&'static str, Amount, Format)> {
    use Format::{BinarySi as B, DecimalExponent as E, DecimalSi as D};
    let most = Amount::units(i64::MAX);
    vec![
        ("0", amount(0, 0), D),
        ("0n", amount(0, 0), D),
        ("0m", amount(0, 0), D),
        ("0Ki", amount(0, 0), B),
        ("0k", amount(0, 0), D),
        ("0Ti", amount(0, 0), B),
        ("0T", amount(0, 0), D),
        ("1", amount(1, 0), D),
        ("1Ki", amount(1024, 0), B),
        ("8Ki", amount(8 * 1024, 0), B),
        ("7Mi", amount(7 * KI.pow(2), 0), B),
        ("6Gi", amount(6 * KI.pow(3), 0), B),
        ("5Ti", amount(5 * KI.pow(4), 0), B),
        ("4Pi", amount(4 * KI.pow(5), 0), B),
        ("3Ei", amount(3 * KI.pow(6), 0), B),
        ("100Ti", amount(100 * KI.pow(4), 0), B),
        ("5n", amount(5, -9), D),
        ("4u", amount(4, -6), D),
        ("3m", amount(3, -3), D),
        ("8k", amount(8, 3), D),
        ("50k", amount(5, 4), D),
        ("7M", amount(7, 6), D),
        ("6G", amount(6, 9), D),
        ("300T", amount(3, 14), D),
        ("2P", amount(2, 15), D),
        ("1E", amount(1, 18), D),
        ("1E-3", amount(1, -3), E),
        ("1e3", amount(1, 3), E),
        ("1E6", amount(1, 6), E),
        ("1E18", amount(1, 18), E),
        ("1e14", amount(1, 14), E),
        ("100.035k", amount(100_035, 0), D),
        ("0.001", amount(1, -3), D),
        ("0.0005k", amount(5, -1), D),
        ("0.05", amount(5, -2), D),
        ("0.00050k", amount(5, -1), D),
        ("0.50000", amount(5, -1), D),
        ("0.5e-2", amount(5, -3), E),
        ("10.035M", amount(10_035, 3), D),
        ("1.3E+6", amount(13, 5), E),
        ("1.40e9", amount(14, 8), E),
        ("1.7E18", amount(17, 17), E),
        ("9.01", amount(901, -2), D),
        ("6.987654321G", amount(6_987_654_321, 0), D),
        ("1.01E", amount(101, 16), D),
        ("3.001n", amount(4, -9), D),
        ("1.1E-9", amount(2, -9), E),
        ("0.0000000001", amount(1, -9), D),
        ("0.0000000005", amount(1, -9), D),
        ("0.5e-9", amount(1, -9), E),
        ("0.9n", amount(1, -9), D),
        ("0.00000012345", amount(124, -9), D),
        ("0.00000012354", amount(124, -9), D),
        ("9Ei", most, B),
        ("9223372036854775807Ki", most, B),
        ("12E", amount(12, 18), D),
        ("100.035Ki", amount(10_243_584, -2), B),
        ("0.5Mi", amount(KI.pow(2) / 2, 0), B),
        ("0.05Gi", amount(536_870_912, -1), B),
        ("0.025Ti", amount(274_877_906_944, -1), B),
        ("0.000000000001Ki", amount(2, -9), D),
        (".001", amount(1, -3), D),
        (".0001k", amount(100, -3), D),
        ("1.", amount(1, 0), D),
        ("1.G", amount(1, 9), D),
    ]
}

#[test]
fn quantity_parse() {
    for (text, want, format) in table() {
        for (sign, want) in [("", want), ("+", want), ("-", -want)] {
            let got = parsed(&format!("{sign}{text}"));
            assert_eq!(got.amount(), want, "{sign}{text}");
            assert_eq!(got.format(), format, "{sign}{text}");
        }
    }
}

#[test]
fn quantity_parse_refuses() {
    let long_format = "quantities must match the regular expression \
                       '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    let suffix = "unable to parse quantity's suffix";
    for (text, message) in [
        ("", long_format),
        ("1.1.M", long_format),
        ("1+1.0M", long_format),
        ("0.1mi", suffix),
        ("0.1am", long_format),
        ("aoeu", long_format),
        (".5i", suffix),
        ("1i", suffix),
        ("-3.01i", suffix),
        ("-3.01e-", suffix),
        (" 1", long_format),
        ("1 ", long_format),
        ("lots", long_format),
    ] {
        let error = Quantity::parse(text).expect_err(text);
        assert_eq!(error.to_string(), message, "{text:?}");
    }
}

#[test]
fn quantity_string() {
    use Format::{BinarySi as B, DecimalExponent as E, DecimalSi as D};
    for (quantity, format, want, alternate) in [
        (amount(KI.pow(3), 0), B, "1Gi", "1024Mi"),
        (amount(300 * KI.pow(2), 0), B, "300Mi", "307200Ki"),
        (amount(6 * 1024, 0), B, "6Ki", ""),
        (amount(1001 * KI.pow(3), 0), B, "1001Gi", "1025024Mi"),
        (amount(KI.pow(4), 0), B, "1Ti", "1024Gi"),
        (amount(5, 0), B, "5", "5000m"),
        (amount(500, -3), B, "500m", "0.5"),
        (amount(1, 9), D, "1G", "1000M"),
        (amount(1000, 6), D, "1G", "0.001T"),
        (amount(1, -3), D, "1m", "1000u"),
        (amount(1080, -3), D, "1080m", "1.08"),
        (amount(108, -2), D, "1080m", "1080000000n"),
        (amount(1_234_567, 6), D, "1234567M", ""),
        (amount(1_234_567, -3), B, "1234567m", ""),
        (amount(3, 3), D, "3k", ""),
        (amount(1025, 0), B, "1025", ""),
        (amount(1, 9), E, "1e9", ".001e12"),
        (amount(1, -3), E, "1e-3", "0.001e0"),
        (amount(1, -9), E, "1e-9", "1000e-12"),
        (amount(80, -3), E, "80e-3", ""),
        (amount(300, 6), E, "300e6", ""),
        (amount(0, 0), E, "0", "00"),
        (amount(1080, -9), D, "1080n", ""),
        (amount(1080, -6), D, "1080u", ""),
    ] {
        assert_eq!(Quantity::new(quantity, format).to_string(), want);
        assert_eq!(parsed(want).to_string(), want);
        if !alternate.is_empty() {
            assert_eq!(parsed(alternate).to_string(), want, "{alternate}");
        }
        if !quantity.is_zero() {
            assert_eq!(Quantity::new(-quantity, format).to_string(), format!("-{want}"));
        }
    }
}

#[test]
fn quantity_parse_emit() {
    for (text, want) in [
        ("1Ki", "1Ki"),
        ("1024Mi", "1Gi"),
        ("1000M", "1G"),
        (".001Ki", "1024m"),
        (".000001Ki", "1024u"),
        (".000000001Ki", "1024n"),
        (".000000000001Ki", "2n"),
        ("0.5", "500m"),
        ("1.5Gi", "1536Mi"),
        ("100m", "100m"),
    ] {
        assert_eq!(parsed(text).to_string(), want, "{text}");
        assert_eq!(parsed(&format!("-{text}")).to_string(), format!("-{want}"), "-{text}");
    }
}

#[test]
fn quantity_cmp() {
    use std::cmp::Ordering::{Equal, Greater, Less};
    for (left, right, want) in [
        ("0", "0", Equal),
        ("100m", "50m", Greater),
        ("50m", "100m", Less),
        ("10000T", "100Gi", Greater),
        ("1Ki", "1024", Equal),
    ] {
        assert_eq!(parsed(left).amount().cmp(&parsed(right).amount()), want, "{left} {right}");
    }
}

#[test]
fn scaled_value_rounds_away_from_zero() {
    for (text, value, milli) in [
        ("1n", 1, 1),
        ("1u", 1, 1),
        ("1m", 1, 1),
        ("1", 1, 1000),
        ("100m", 1, 100),
        ("1500m", 2, 1500),
        ("-9.01", -10, -9010),
        ("12E", i64::MAX, i64::MAX),
        ("1Gi", 1 << 30, 1000 << 30),
    ] {
        assert_eq!((parsed(text).value(), parsed(text).milli_value()), (value, milli), "{text}");
    }
}

#[test]
fn adding_or_subtracting_nothing_keeps_the_suffix() {
    let zero = parsed("0");
    for text in ["100m", "1Gi"] {
        let value = parsed(text);
        assert_eq!(value.plus(&zero).to_string(), text);
        assert_eq!(zero.plus(&value).to_string(), text);
        assert_eq!(value.minus(&zero).to_string(), text);
        assert_eq!(zero.minus(&value).to_string(), format!("-{text}"));
    }
}

#[test]
fn round_up_to_milli_drops_the_text_only_when_it_rounds() {
    for (text, want) in [("100m", "100m"), ("1u", "1m"), ("1500u", "2m"), ("1.500", "1.500")] {
        let mut quantity = parsed(text);
        quantity.round_up_to_milli();
        assert_eq!(quantity.to_string(), want);
    }
}

/// Property: what is printed reads back as the same amount, in every format.
#[test]
fn printing_and_parsing_is_the_identity() {
    let mut stream = Stream::new(7, "quantity");
    for round in 0..2000 {
        let digits = i128::from(stream.next_u64() >> (round % 60));
        let scale = 10_i128.pow(u32::try_from(stream.below(10)).expect("below ten"));
        let nanos = digits * scale;
        for format in [Format::DecimalExponent, Format::BinarySi, Format::DecimalSi] {
            let quantity = Quantity::new(Amount::nanos(nanos), format);
            let text = quantity.to_string();
            let again = parsed(&text);
            assert_eq!(again.amount(), quantity.amount(), "{text} {format:?}");
            assert_eq!(parsed(&again.to_string()).amount(), quantity.amount(), "{text}");
        }
    }
}

/// Property: sums and differences cancel, and keep order.
#[test]
fn addition_and_subtraction_cancel() {
    let mut stream = Stream::new(8, "quantity");
    let mut sum = Amount::ZERO;
    let mut terms = Vec::new();
    for _ in 0..500 {
        let term = Amount::nanos(i128::from(stream.next_u64()));
        assert!(sum + term >= sum);
        sum += term;
        terms.push(term);
    }
    assert_eq!(terms.iter().copied().sum::<Amount>(), sum);
    for term in terms {
        sum -= term;
    }
    assert!(sum.is_zero());
}
