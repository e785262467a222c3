//! Label selectors: which objects a set of requirements on labels selects. They come from text
//! (`app=web,tier!=db,zone in (a,b),!canary`) or from a `LabelSelector`; they are asked
//! whether labels match.
//!
//! Upstream: staging/src/k8s.io/apimachinery/pkg/labels/selector.go

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde_json::Value;
use sim::Sort;

use crate::field::{self, Path, go_quote};

mod parse;
#[cfg(test)]
mod tests;

/// How a requirement relates a key to its values. Upstream: selection.Operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The label's value is one of those given.
    In,
    /// There is no such label, or its value is none of those given.
    NotIn,
    /// `=`: the label has exactly the value.
    Equals,
    /// `==`: the same as [`Operator::Equals`], written differently.
    DoubleEquals,
    /// There is no such label, or it has another value.
    NotEquals,
    /// There is such a label.
    Exists,
    /// There is no such label.
    DoesNotExist,
    /// The label's value is a whole number and greater.
    GreaterThan,
    /// The label's value is a whole number and smaller.
    LessThan,
}

impl Operator {
    /// The operator as upstream's error texts list it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Operator::In => "in",
            Operator::NotIn => "notin",
            Operator::Equals => "=",
            Operator::DoubleEquals => "==",
            Operator::NotEquals => "!=",
            Operator::Exists => "exists",
            Operator::DoesNotExist => "!",
            Operator::GreaterThan => "gt",
            Operator::LessThan => "lt",
        }
    }
}

/// A selector that cannot be read or makes no sense, in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(pub String);

/// One requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

impl Requirement {
    /// Makes a requirement; the values must fit the operator, and key and values must be valid.
    pub fn new(key: &str, operator: Operator, values: Vec<String>) -> Result<Self, SelectorError> {
        let errors = requirement_errors(key, operator, &values);
        match errors.as_slice() {
            [] => Ok(Requirement { key: key.to_string(), operator, values }),
            [error] => Err(SelectorError(error.to_string())),
            several => {
                let texts: Vec<String> = several.iter().map(ToString::to_string).collect();
                Err(SelectorError(format!("[{}]", texts.join(", "))))
            }
        }
    }

    /// The label's key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How key and values relate.
    #[must_use]
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The values, in the order in which they were given.
    #[must_use]
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// Whether labels meet the requirement.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            Operator::In | Operator::Equals | Operator::DoubleEquals => {
                value.is_some_and(|value| self.values.contains(value))
            }
            Operator::NotIn | Operator::NotEquals => {
                value.is_none_or(|value| !self.values.contains(value))
            }
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => self.compares(value, |label, bound| label > bound),
            Operator::LessThan => self.compares(value, |label, bound| label < bound),
        }
    }

    fn compares(&self, value: Option<&String>, holds: fn(i64, i64) -> bool) -> bool {
        let label = value.and_then(|value| value.parse::<i64>().ok());
        let bound = self.values.first().and_then(|value| value.parse::<i64>().ok());
        label.zip(bound).is_some_and(|(label, bound)| holds(label, bound))
    }
}

fn requirement_errors(key: &str, operator: Operator, values: &[String]) -> Vec<field::Error> {
    let mut errors = Vec::new();
    errors.extend(label_key_error("key", key));
    let path = Path::new("values");
    let listed = || Value::from(values.to_vec());
    let mut wrong = |bad: bool, detail: &str| {
        if bad {
            errors.push(field::Error::invalid(&path, listed(), detail));
        }
    };
    match operator {
        Operator::In | Operator::NotIn => {
            wrong(values.is_empty(), "for 'in', 'notin' operators, values set can't be empty");
        }
        Operator::Equals | Operator::DoubleEquals | Operator::NotEquals => {
            wrong(values.len() != 1, "exact-match compatibility requires one single value");
        }
        Operator::Exists | Operator::DoesNotExist => {
            let detail = "values set must be empty for exists and does not exist";
            wrong(!values.is_empty(), detail);
        }
        Operator::GreaterThan | Operator::LessThan => {
            let detail = "for 'Gt', 'Lt' operators, exactly one value is required";
            wrong(values.len() != 1, detail);
            for (index, value) in values.iter().enumerate() {
                if value.parse::<i64>().is_err() {
                    let detail = "for 'Gt', 'Lt' operators, the value must be an integer";
                    let path = path.index(index);
                    errors.push(field::Error::invalid(&path, value.as_str(), detail));
                }
            }
        }
    }
    for (index, value) in values.iter().enumerate() {
        let found = label_value_errors(value);
        if !found.is_empty() {
            let path = path.index(index).key(key);
            errors.push(field::Error::invalid(&path, value.as_str(), found.join("; ")));
        }
    }
    errors
}

fn label_key_error(path: &str, key: &str) -> Option<field::Error> {
    let found = label_key_errors(key);
    (!found.is_empty()).then(|| field::Error::invalid(&Path::new(path), key, found.join("; ")))
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        // Values print sorted, whatever order they were given in.
        let mut values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        values.order();
        let values = values.join(",");
        match self.operator {
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

/// Selects objects by their labels: all requirements must be met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// `None` selects nothing; no requirement at all selects everything.
    requirements: Option<Vec<Requirement>>,
}

impl Selector {
    /// Selects every object.
    #[must_use]
    pub const fn everything() -> Self {
        Selector { requirements: Some(Vec::new()) }
    }

    /// Selects no object.
    #[must_use]
    pub const fn nothing() -> Self {
        Selector { requirements: None }
    }

    /// Reads a selector from text: `a=b,c!=d,e in (x,y),!f,g`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        parse::requirements(text).map(Selector::from_requirements)
    }

    /// A selector that all of `requirements` make up.
    #[must_use]
    pub fn from_requirements(mut requirements: Vec<Requirement>) -> Self {
        requirements.order_by(|left, right| left.key.cmp(&right.key));
        Selector { requirements: Some(requirements) }
    }

    /// Selects objects that have all of `labels`. The labels are not validated.
    #[must_use]
    pub fn from_set(labels: &BTreeMap<String, String>) -> Self {
        let requirement = |(key, value): (&String, &String)| Requirement {
            key: key.clone(),
            operator: Operator::Equals,
            values: vec![value.clone()],
        };
        Selector { requirements: Some(labels.iter().map(requirement).collect()) }
    }

    /// The selector that a `LabelSelector` means: nothing when there is none, everything when
    /// it is empty.
    ///
    /// Upstream: staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/helpers.go
    pub fn from_label_selector(selector: Option<&LabelSelector>) -> Result<Self, SelectorError> {
        let Some(selector) = selector else {
            return Ok(Selector::nothing());
        };
        let mut requirements = Vec::new();
        for (key, value) in selector.match_labels.iter().flatten() {
            requirements.push(Requirement::new(key, Operator::Equals, vec![value.clone()])?);
        }
        for expression in selector.match_expressions.iter().flatten() {
            let operator = match expression.operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => {
                    let quoted = go_quote(other);
                    let text = format!("{quoted} is not a valid label selector operator");
                    return Err(SelectorError(text));
                }
            };
            let values = expression.values.clone().unwrap_or_default();
            requirements.push(Requirement::new(&expression.key, operator, values)?);
        }
        Ok(Selector::from_requirements(requirements))
    }

    /// Whether labels meet all requirements.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        match &self.requirements {
            None => false,
            Some(requirements) => requirements.iter().all(|each| each.matches(labels)),
        }
    }

    /// Whether an object's labels meet all requirements.
    #[must_use]
    pub fn matches_meta(&self, meta: &ObjectMeta) -> bool {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        self.matches(meta.labels.as_ref().unwrap_or(&NONE))
    }

    /// Whether the selector selects every object.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.requirements.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether the selector is the one that selects no object.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.requirements.is_none()
    }

    /// The requirements, sorted by key.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        self.requirements.as_deref().unwrap_or_default()
    }

    /// The one value that the selector demands of a label, when it demands exactly one.
    #[must_use]
    pub fn requires_exact_match(&self, label: &str) -> Option<&str> {
        let requirement = self.requirements().iter().find(|each| each.key == label)?;
        match (requirement.operator, requirement.values.as_slice()) {
            (Operator::Equals | Operator::DoubleEquals | Operator::In, [value]) => Some(value),
            _ => None,
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements().iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            fmt::Display::fmt(requirement, f)?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Selector::parse(text)
    }
}

/// What is wrong with the key of a label, or with any other qualified name.
///
/// Upstream: staging/src/k8s.io/apimachinery/pkg/api/validate/content/kube.go
#[must_use]
pub fn label_key_errors(key: &str) -> Vec<String> {
    const RULE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start \
        and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or \
        '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    let mut errors = Vec::new();
    let parts: Vec<&str> = key.split('/').collect();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".to_string());
            } else {
                let found = dns_subdomain_errors(prefix);
                errors.extend(found.iter().map(|error| format!("prefix part {error}")));
            }
            *name
        }
        _ => {
            return vec![format!(
                "a valid label key {RULE} with an optional DNS subdomain prefix and '/' \
                 (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_string());
    } else if name.len() > 63 {
        errors.push("name part must be no more than 63 bytes".to_string());
    }
    if name.is_empty() || !is_label_name(name) {
        errors.push(format!("name part {RULE}"));
    }
    errors
}

/// What is wrong with the value of a label.
///
/// Upstream: staging/src/k8s.io/apimachinery/pkg/api/validate/content/kube.go
#[must_use]
pub fn label_value_errors(value: &str) -> Vec<String> {
    const RULE: &str = "a valid label must be an empty string or consist of alphanumeric \
        characters, '-', '_' or '.', and must start and end with an alphanumeric character \
        (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
        '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
    let mut errors = Vec::new();
    if value.len() > 63 {
        errors.push("must be no more than 63 bytes".to_string());
    }
    if !is_label_name(value) {
        errors.push(RULE.to_string());
    }
    errors
}

/// Whether a text is empty or begins and ends with a letter or digit, with dashes,
/// underscores and dots allowed between.
fn is_label_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return true;
    };
    first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// Upstream: staging/src/k8s.io/apimachinery/pkg/api/validate/content/dns.go
fn dns_subdomain_errors(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > 253 {
        errors.push("must be no more than 253 bytes".to_string());
    }
    let is_label = |label: &str| {
        is_label_name(label)
            && !label.is_empty()
            && !label.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    if !text.split('.').all(is_label) {
        errors.push(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
             '-' or '.', and must start and end with an alphanumeric character (e.g. \
             'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                .to_string(),
        );
    }
    errors
}
