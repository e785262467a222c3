//! The forms of names and other short texts, and what upstream says of texts that do not have
//! them. A text comes in, messages go out.
//!
//! Upstream: staging/src/k8s.io/apimachinery/pkg/util/validation/validation.go

use std::net::IpAddr;

const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric \
    characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  \
    or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case \
    alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character \
    (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const SUBDOMAIN_WITH_UNDERSCORE_RULE: &str = "a lowercase RFC 1123 subdomain must consist of \
    lower case alphanumeric characters, '_', '-' or '.', and must start and end with an \
    alphanumeric character (e.g. 'example.com', regex used for validation is \
    '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";
const CONFIG_KEY_RULE: &str = "a valid config key must consist of alphanumeric characters, '-', \
    '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is \
    '[-._a-zA-Z0-9]+')";
const HEADER_RULE: &str = "a valid HTTP header must consist of alphanumeric characters or '-' \
    (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
const PERCENT_RULE: &str = "a valid percent string must be a numeric string followed by an \
    ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

const LABEL_LENGTH: usize = 63;
const SUBDOMAIN_LENGTH: usize = 253;

/// How a kind's names are checked.
pub(super) type NameCheck = fn(&str) -> Vec<String>;

/// The name that a prefix stands for, as far as checks go: a dash at its end is no mistake.
pub(super) fn mask_trailing_dash(prefix: &str) -> String {
    if prefix.len() > 1 && prefix.ends_with('-') {
        let kept = prefix.len() - 2;
        return format!("{}a", prefix.get(..kept).unwrap_or_default());
    }
    prefix.to_string()
}

fn too_long(length: usize) -> String {
    format!("must be no more than {length} characters")
}

fn one_if(wrong: bool, message: &str) -> Option<String> {
    wrong.then(|| message.to_string())
}

pub(super) fn inclusive_range(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

fn is_lower_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Whether a text is `[a-z0-9]([-a-z0-9]*[a-z0-9])?`.
fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().copied().is_some_and(is_lower_alphanumeric)
        && bytes.last().copied().is_some_and(is_lower_alphanumeric)
        && bytes.iter().all(|byte| is_lower_alphanumeric(*byte) || *byte == b'-')
}

/// Whether a text is `_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?`.
fn is_label_with_underscore(text: &str) -> bool {
    let bytes = text.strip_prefix('_').unwrap_or(text).as_bytes();
    bytes.first().copied().is_some_and(is_lower_alphanumeric)
        && bytes.last().copied().is_some_and(is_lower_alphanumeric)
        && bytes.iter().all(|byte| is_lower_alphanumeric(*byte) || matches!(byte, b'-' | b'_'))
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

/// Upstream: IsDNS1123Label.
pub(super) fn dns_label(value: &str) -> Vec<String> {
    let mut messages = Vec::new();
    if value.len() > LABEL_LENGTH {
        messages.push(too_long(LABEL_LENGTH));
    }
    if !is_label(value) {
        let rule = if is_subdomain(value) { "must not contain dots" } else { LABEL_RULE };
        messages.push(rule.to_string());
    }
    messages
}

/// Upstream: IsDNS1123Subdomain.
pub(super) fn dns_subdomain(value: &str) -> Vec<String> {
    let mut messages = Vec::new();
    if value.len() > SUBDOMAIN_LENGTH {
        messages.push(too_long(SUBDOMAIN_LENGTH));
    }
    messages.extend(one_if(!is_subdomain(value), SUBDOMAIN_RULE));
    messages
}

/// Upstream: IsDNS1123SubdomainWithUnderscore.
pub(super) fn dns_subdomain_with_underscore(value: &str) -> Vec<String> {
    let mut messages = Vec::new();
    if value.len() > SUBDOMAIN_LENGTH {
        messages.push(too_long(SUBDOMAIN_LENGTH));
    }
    let is_valid = value.split('.').all(is_label_with_underscore);
    messages.extend(one_if(!is_valid, SUBDOMAIN_WITH_UNDERSCORE_RULE));
    messages
}

/// What a name must not be or have so that a URL can hold it.
/// Upstream: apimachinery/pkg/api/validation/path, ValidatePathSegmentName.
pub(super) fn path_segment(name: &str) -> Vec<String> {
    if matches!(name, "." | "..") {
        return vec![format!("may not be '{name}'")];
    }
    let illegal = ['/', '%'].into_iter().filter(|character| name.contains(*character));
    illegal.map(|character| format!("may not contain '{character}'")).collect()
}

/// Upstream: IsValidPortNum.
pub(super) fn port_number(port: i32) -> Vec<String> {
    if (1..=65535).contains(&port) { Vec::new() } else { vec![inclusive_range(1, 65535)] }
}

/// Upstream: IsValidPortName.
pub(super) fn port_name(port: &str) -> Vec<String> {
    let mut messages = Vec::new();
    if port.len() > 15 {
        messages.push(too_long(15));
    }
    let has_charset =
        !port.is_empty() && port.bytes().all(|byte| is_lower_alphanumeric(byte) || byte == b'-');
    let has_letter = port.bytes().any(|byte| byte.is_ascii_lowercase());
    let charset = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
    messages.extend(one_if(!has_charset, charset));
    messages.extend(one_if(!has_letter, "must contain at least one letter (a-z)"));
    messages.extend(one_if(port.contains("--"), "must not contain consecutive hyphens"));
    let has_edge = port.starts_with('-') || port.ends_with('-');
    messages.extend(one_if(has_edge, "must not begin or end with a hyphen"));
    messages
}

/// User and group ids. Upstream: IsValidUserID and IsValidGroupID.
pub(super) fn unix_id(id: i64) -> Vec<String> {
    let most = i64::from(i32::MAX);
    if (0..=most).contains(&id) { Vec::new() } else { vec![inclusive_range(0, most)] }
}

/// Upstream: IsValidPercent.
pub(super) fn percent(text: &str) -> Vec<String> {
    let digits = text.strip_suffix('%').unwrap_or_default();
    let is_valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    one_if(!is_valid, PERCENT_RULE).into_iter().collect()
}

/// Upstream: IsHTTPHeaderName.
pub(super) fn http_header_name(name: &str) -> Vec<String> {
    let is_valid =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    one_if(!is_valid, HEADER_RULE).into_iter().collect()
}

/// Upstream: IsRelaxedEnvVarName.
pub(super) fn environment_variable_name(name: &str) -> Vec<String> {
    let mut messages = Vec::new();
    messages.extend(one_if(name.is_empty(), "environment variable name must be non-empty"));
    let is_printable = name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=');
    let rule = "a valid environment variable name must consist only of printable ASCII \
                characters other than '='";
    messages.extend(one_if(!is_printable, rule));
    messages
}

/// Upstream: IsConfigMapKey.
pub(super) fn config_map_key(key: &str) -> Vec<String> {
    let mut messages = Vec::new();
    if key.len() > SUBDOMAIN_LENGTH {
        messages.push(too_long(SUBDOMAIN_LENGTH));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let is_valid = !key.is_empty() && key.bytes().all(allowed);
    messages.extend(one_if(!is_valid, CONFIG_KEY_RULE));
    let steps_up = match key {
        "." => Some("must not be '.'"),
        ".." => Some("must not be '..'"),
        _ if key.starts_with("..") => Some("must not start with '..'"),
        _ => None,
    };
    messages.extend(steps_up.map(str::to_string));
    messages
}

/// Upstream: IsValidIP in util/validation/ip.go.
pub(super) fn ip(address: &str) -> Vec<String> {
    let message = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
    one_if(address.parse::<IpAddr>().is_err(), message).into_iter().collect()
}

/// Upstream: IsValidCIDR in util/validation/ip.go.
pub(super) fn cidr(range: &str) -> Vec<String> {
    let message = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    one_if(cidr_is_v6(range).is_none(), message).into_iter().collect()
}

/// Whether a range of addresses is of IPv6, if it is a range at all.
pub(super) fn cidr_is_v6(range: &str) -> Option<bool> {
    let (address, length) = range.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u8 = length.parse().ok()?;
    let most = if address.is_ipv6() { 128 } else { 32 };
    (length <= most).then_some(address.is_ipv6())
}
