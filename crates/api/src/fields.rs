//! Field selectors: which objects a set of requirements on single fields selects, written as
//! `metadata.name=x,status.phase!=Running`. Which fields a kind answers for is the kind's to
//! say; this only reads and asks.
//!
//! Upstream: staging/src/k8s.io/apimachinery/pkg/fields/selector.go

use sim::Sort;
use std::fmt;

use crate::labels::SelectorError;

/// One requirement on one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The field's path: `status.phase`.
    pub field: String,
    /// Whether the field must differ from the value instead of being equal to it.
    pub not_equal: bool,
    /// The value.
    pub value: String,
}

/// Selects objects by their fields: all requirements must be met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

impl Selector {
    /// Selects every object.
    #[must_use]
    pub const fn everything() -> Self {
        Selector { requirements: Vec::new() }
    }

    /// Selects the objects whose field has that value.
    #[must_use]
    pub fn equal(field: &str, value: &str) -> Self {
        let requirement =
            Requirement { field: field.to_string(), not_equal: false, value: value.to_string() };
        Selector { requirements: vec![requirement] }
    }

    /// Reads a selector from text: `metadata.name=x,status.phase!=Running`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut terms = split_terms(text);
        terms.order();
        let mut requirements = Vec::new();
        for term in terms.into_iter().filter(|term| !term.is_empty()) {
            let Some((field, not_equal, value)) = split_term(term) else {
                let text = format!("invalid selector: '{text}'; can't understand '{term}'");
                return Err(SelectorError(text));
            };
            let value = unescape_value(value)?;
            // A term of neither field nor value says nothing, upstream drops it.
            if !(field.is_empty() && value.is_empty()) {
                requirements.push(Requirement { field: field.to_string(), not_equal, value });
            }
        }
        Ok(Selector { requirements })
    }

    /// The requirements, in the order in which they print.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether the selector selects every object.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether an object meets all requirements; `value_of` says what its fields are. A field
    /// that is not there counts as empty.
    pub fn matches(&self, mut value_of: impl FnMut(&str) -> Option<String>) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = value_of(&requirement.field).unwrap_or_default();
            (value == requirement.value) != requirement.not_equal
        })
    }

    /// The one value that the selector demands of a field, when it demands one.
    #[must_use]
    pub fn requires_exact_match(&self, field: &str) -> Option<&str> {
        self.requirements
            .iter()
            .find(|each| each.field == field && !each.not_equal)
            .map(|each| each.value.as_str())
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let operator = if requirement.not_equal { "!=" } else { "=" };
            let value = escape_value(&requirement.value);
            write!(f, "{comma}{}{operator}{value}", requirement.field)?;
        }
        Ok(())
    }
}

/// Escapes a value so that a selector can hold it.
#[must_use]
pub fn escape_value(value: &str) -> String {
    value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=")
}

fn unescape_value(value: &str) -> Result<String, SelectorError> {
    let invalid = |sequence: &str| {
        SelectorError(format!("invalid field selector: invalid escape sequence: {sequence}"))
    };
    let mut unescaped = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped @ ('\\' | ',' | '=')) => unescaped.push(escaped),
                Some(other) => return Err(invalid(&format!("\\{other}"))),
                None => return Err(invalid("\\")),
            },
            ',' | '=' => {
                // Upstream prints the character's number.
                let number = u32::from(character);
                return Err(SelectorError(format!(
                    "invalid field selector: unescaped character in value: {number}"
                )));
            }
            other => unescaped.push(other),
        }
    }
    Ok(unescaped)
}

/// Splits at commas that no backslash precedes.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let mut start = 0;
    let mut in_escape = false;
    for (index, character) in text.char_indices() {
        match character {
            _ if in_escape => in_escape = false,
            '\\' => in_escape = true,
            ',' => {
                terms.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

/// Splits a term at its first operator: the field, whether it must differ, the value.
fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    term.char_indices().find_map(|(index, _)| {
        let (field, rest) = term.split_at(index);
        [("!=", true), ("==", false), ("=", false)].iter().find_map(|(operator, not_equal)| {
            rest.strip_prefix(operator).map(|value| (field, *not_equal, value))
        })
    })
}

#[cfg(test)]
mod tests {
    //! Ported from staging/src/k8s.io/apimachinery/pkg/fields/selector_test.go.
    use super::*;

    #[test]
    fn terms_split_at_plain_commas() {
        for (text, want) in [
            ("a", &["a"][..]),
            ("a=avalue,b==bvalue,c!=cvalue", &["a=avalue", "b==bvalue", "c!=cvalue"]),
            ("a=a,", &["a=a", ""]),
            (",a=a", &["", "a=a"]),
            (r"k=\,,k2=v2", &[r"k=\,", "k2=v2"]),
            (r"k=\\,k2=v2", &[r"k=\\", "k2=v2"]),
            (r"k=\\\,,k2=v2", &[r"k=\\\,", "k2=v2"]),
            (r"k=\a\b\", &[r"k=\a\b\"]),
            ("함=수,목=록", &["함=수", "목=록"]),
        ] {
            assert_eq!(split_terms(text), want);
        }
    }

    #[test]
    fn a_term_splits_at_its_first_operator() {
        for (term, want) in [
            ("a=value", Some(("a", false, "value"))),
            ("b==value", Some(("b", false, "value"))),
            ("c!=value", Some(("c", true, "value"))),
            ("", None),
            ("a", None),
            (r"k=\\\a\b\=\,\", Some(("k", false, r"\\\a\b\=\,\"))),
            ("함=수", Some(("함", false, "수"))),
        ] {
            assert_eq!(split_term(term), want);
        }
    }

    #[test]
    fn values_are_escaped_and_unescaped() {
        for (value, want) in
            [("", ""), ("a", "a"), ("=", r"\="), (",", r"\,"), (r"\=\,\", r"\\\=\\\,\\")]
        {
            assert_eq!(escape_value(value), want);
            assert_eq!(unescape_value(want).unwrap(), value);
        }
        for (value, sequence) in [(r"\", r"\"), (r"\\\", r"\"), (r"\a", r"\a")] {
            let want = format!("invalid field selector: invalid escape sequence: {sequence}");
            assert_eq!(unescape_value(value).unwrap_err().0, want);
        }
    }

    #[test]
    fn selectors_are_read_printed_and_refused() {
        for text in ["x=a,y=b,z=c", "", "x!=a,y=b", r"x=a||y\=b", r"x=a\=\=b"] {
            assert_eq!(Selector::parse(text).unwrap().to_string(), text);
        }
        for (text, want) in [
            ("x=a||y=b", "invalid field selector: unescaped character in value: 61"),
            ("x==a==b", "invalid field selector: unescaped character in value: 61"),
            ("x=a,b", "invalid selector: 'x=a,b'; can't understand 'b'"),
            ("x in (a)", "invalid selector: 'x in (a)'; can't understand 'x in (a)'"),
            ("x", "invalid selector: 'x'; can't understand 'x'"),
        ] {
            assert_eq!(Selector::parse(text).unwrap_err().0, want);
        }
        assert_eq!(Selector::parse("x=a,a=x"), Selector::parse("a=x,x=a"));
    }

    #[test]
    fn selectors_match_what_upstream_says() {
        for (text, fields, want) in [
            ("", &[("x", "y")][..], true),
            ("x=y", &[("x", "y")], true),
            ("x=y,z=w", &[("x", "y"), ("z", "w")], true),
            ("x!=y,z!=w", &[("x", "z"), ("z", "a")], true),
            ("notin=in", &[("notin", "in")], true),
            ("x=y", &[("x", "z")], false),
            ("x=y,z=w", &[("x", "w"), ("z", "w")], false),
            ("x!=y,z!=w", &[("x", "z"), ("z", "w")], false),
            ("x!=y", &[], true),
            ("x=", &[], true),
        ] {
            let value_of = |field: &str| {
                let found = fields.iter().find(|(name, _)| *name == field);
                found.map(|(_, value)| value.to_string())
            };
            assert_eq!(Selector::parse(text).unwrap().matches(value_of), want, "{text}");
        }
        let selector = Selector::parse("metadata.name=a,status.phase!=Running").unwrap();
        assert_eq!(selector.requires_exact_match("metadata.name"), Some("a"));
        assert_eq!(selector.requires_exact_match("status.phase"), None);
    }
}
