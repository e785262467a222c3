//! Writes YAML as kubectl prints it: keys sorted, lists not indented below their key, texts
//! quoted only where a reader of YAML 1.1 would take them for something else.
//!
//! Upstream: sigs.k8s.io/yaml, goyaml.v2/{encode,sorter,emitterc}.go

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::scalar::is_ambiguous;

/// Lines are folded at the first space after this many columns.
const BEST_WIDTH: usize = 80;

/// The value as YAML, with a line break at the end.
#[must_use]
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => write_map(&mut out, fields, 0),
        Value::Array(items) if !items.is_empty() => write_list(&mut out, items, 0),
        other => write_scalar(&mut out, other, 2),
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

fn write_map(out: &mut String, fields: &Map<String, Value>, indent: usize) {
    let entries = in_natural_order(fields.iter().collect());
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            start_line(out, indent);
        }
        if is_simple_key(key) {
            out.push_str(&one_line(key));
            out.push(':');
            write_value(out, value, indent);
        } else {
            out.push_str("? ");
            write_text(out, key, indent + 2);
            start_line(out, indent);
            out.push_str(": ");
            write_item(out, value, indent);
        }
    }
}

/// Whether a key may stand on one line with its value.
fn is_simple_key(key: &str) -> bool {
    key.len() <= 128 && !key.contains('\n')
}

/// Writes what stands behind a key.
fn write_value(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            start_line(out, indent + 2);
            write_map(out, fields, indent + 2);
        }
        Value::Array(items) if !items.is_empty() => {
            start_line(out, indent);
            write_list(out, items, indent);
        }
        scalar => {
            out.push(' ');
            write_scalar(out, scalar, indent + 2);
        }
    }
}

fn write_list(out: &mut String, items: &[Value], indent: usize) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            start_line(out, indent);
        }
        out.push_str("- ");
        write_item(out, item, indent);
    }
}

/// Writes what stands behind an indicator of two columns.
fn write_item(out: &mut String, item: &Value, indent: usize) {
    match item {
        Value::Object(fields) if !fields.is_empty() => write_map(out, fields, indent + 2),
        Value::Array(items) if !items.is_empty() => write_list(out, items, indent + 2),
        scalar => write_scalar(out, scalar, indent + 2),
    }
}

fn start_line(out: &mut String, indent: usize) {
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Writes a scalar, or an empty map or list, whose further lines begin at `indent`.
fn write_scalar(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
        Value::String(text) => write_text(out, text, indent),
    }
}

fn write_text(out: &mut String, text: &str, indent: usize) {
    if text.contains('\n') {
        write_lines(out, text, indent);
    } else {
        let text = if text == "<<" { text.to_string() } else { one_line(text) };
        fold(out, &text, indent);
    }
}

/// A number as Go's shortest format prints it.
fn number_text(number: &Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    let exponential = format!("{float:e}");
    let (mantissa, exponent) = exponential.split_once('e').unwrap_or((&exponential, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..21).contains(&exponent) {
        return float.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// Whether a text has characters that upstream escapes, though they print well.
fn has_wide_characters(text: &str) -> bool {
    text.chars().any(|character| character > '\u{ffff}')
}

/// A text without line breaks: plain where that is safe.
fn one_line(text: &str) -> String {
    if text == "<<" || is_ambiguous(text) || has_wide_characters(text) {
        return double_quoted(text);
    }
    let is_simple =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    if text.bytes().all(is_simple) && text.as_bytes()[0].is_ascii_alphanumeric() {
        return text.to_string();
    }
    let written = serde_yaml::to_string(text).unwrap_or_default();
    let written = written.strip_suffix('\n').unwrap_or(&written);
    // What is left over is a text that is safe in some style; should it ever not be, quotes are.
    if written.is_empty() || written.contains('\n') {
        return double_quoted(text);
    }
    written.to_string()
}

fn double_quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\0' => quoted.push_str("\\0"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            '\r' => quoted.push_str("\\r"),
            '\u{1b}' => quoted.push_str("\\e"),
            '\u{85}' => quoted.push_str("\\N"),
            '\u{2028}' => quoted.push_str("\\L"),
            '\u{2029}' => quoted.push_str("\\P"),
            '\u{feff}' => quoted.push_str("\\uFEFF"),
            other if other.is_control() => quoted.push_str(&format!("\\x{:02X}", other as u32)),
            other if other > '\u{ffff}' => quoted.push_str(&format!("\\U{:08X}", other as u32)),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// Writes a text of several lines as a block where YAML can hold it as one, else in quotes.
fn write_lines(out: &mut String, text: &str, indent: usize) {
    let written = serde_yaml::to_string(text).unwrap_or_default();
    if !written.starts_with('|') || has_wide_characters(text) {
        let quoted = double_quoted(text);
        fold(out, &quoted, indent);
        return;
    }
    let mut lines = written.split('\n');
    out.push_str(lines.next().unwrap_or_default());
    // The writer indents by two what begins at the margin; the last piece is empty.
    let mut lines: Vec<&str> = lines.collect();
    lines.pop();
    for line in lines {
        out.push('\n');
        if let Some(content) = line.strip_prefix("  ") {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(content);
        }
    }
    out.push('\n');
}

/// Writes a scalar and breaks its line at single spaces beyond the best width.
fn fold(out: &mut String, written: &str, indent: usize) {
    let line_start = out.rfind('\n').map_or(0, |index| index + 1);
    let mut column = out[line_start..].chars().count();
    let is_double_quoted = written.starts_with('"');
    let quote = usize::from(is_double_quoted || written.starts_with('\''));
    let characters: Vec<char> = written.chars().collect();
    let (first, last) = (quote, characters.len().saturating_sub(1 + quote));
    let mut after_space = false;
    for (index, character) in characters.iter().enumerate() {
        let next_is_space = characters.get(index + 1) == Some(&' ');
        let may_break = *character == ' '
            && !after_space
            && column > BEST_WIDTH
            && index > first
            && index < last;
        if may_break && is_double_quoted {
            start_line(out, indent);
            column = indent;
            if next_is_space {
                out.push('\\');
                column += 1;
            }
            after_space = true;
        } else if may_break && !next_is_space {
            start_line(out, indent);
            column = indent;
            after_space = true;
        } else {
            out.push(*character);
            column += 1;
            after_space = *character == ' ';
        }
    }
}

/// Sorts entries by their keys in upstream's order. That order is not transitive (`a10`, `a1b`,
/// `a2` go round in a circle), which the standard library's sorts answer with a panic; merging
/// only ever compares two keys.
fn in_natural_order<'a>(mut entries: Vec<(&'a String, &'a Value)>) -> Vec<(&'a String, &'a Value)> {
    if entries.len() < 2 {
        return entries;
    }
    let right = in_natural_order(entries.split_off(entries.len() / 2));
    let left = in_natural_order(entries);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some((one, _)), Some((other, _))) = (left.peek(), right.peek()) {
        let takes_left = natural_order(one, other) != Ordering::Greater;
        merged.extend(if takes_left { left.next() } else { right.next() });
    }
    merged.extend(left.chain(right));
    merged
}

/// Compares as upstream compares keys: letters after other characters, and digits by the number
/// that they make.
fn natural_order(left: &str, right: &str) -> Ordering {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let Some(index) = left.iter().zip(&right).position(|(one, other)| one != other) else {
        return left.len().cmp(&right.len());
    };
    let (one, other) = (left[index], right[index]);
    match (one.is_alphabetic(), other.is_alphabetic()) {
        (true, true) => one.cmp(&other),
        (false, true) => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, false) => number_order(&left, &right, index).then(one.cmp(&other)),
    }
}

/// Compares the numbers that the texts' differing characters at `index` belong to.
fn number_order(left: &[char], right: &[char], index: usize) -> Ordering {
    // Zeros count only behind another digit.
    let has_zero = left[index] == '0' || right[index] == '0';
    let mut before = left[..index].iter().rev().take_while(|one| one.is_ascii_digit());
    let start = u64::from(has_zero && before.any(|digit| *digit != '0'));
    let number = |text: &[char]| {
        let digits = text[index..].iter().map_while(|character| character.to_digit(10));
        digits.fold((start, 0u64), |(number, length), digit| {
            (number.saturating_mul(10).saturating_add(u64::from(digit)), length + 1)
        })
    };
    number(left).cmp(&number(right))
}
