//! In which styles a text may be written as YAML: plain, in single quotes, as a block.
//!
//! Upstream: goyaml.v2/emitterc.go, yaml_emitter_analyze_scalar and
//! yaml_emitter_select_scalar_style

/// What a text has in it that one style or another cannot hold.
#[derive(Default)]
struct Analysis {
    /// Something that would be read as YAML's own sign.
    indicators: bool,
    /// What may only be written escaped.
    special: bool,
    line_breaks: bool,
    /// A space or a line break at either end.
    open_end: bool,
    trailing_space: bool,
    space_before_break: bool,
}

/// Whether nothing that follows belongs to what stands before; also at the end of the text.
fn is_blank(character: Option<char>) -> bool {
    character.is_none_or(|it| matches!(it, ' ' | '\n'))
}

/// Whether a character may stand as it is. Line breaks other than line feeds could, but not every
/// reader takes them for such.
fn is_printable(character: char) -> bool {
    match character {
        '\u{2028}' | '\u{2029}' | '\u{feff}' => false,
        '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' => true,
        _ => false,
    }
}

fn analyze(text: &str) -> Analysis {
    let mut found = Analysis {
        indicators: text.starts_with("---") || text.starts_with("..."),
        ..Analysis::default()
    };
    found.open_end = text.starts_with([' ', '\n']) || text.ends_with([' ', '\n']);
    found.trailing_space = text.ends_with(' ');
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_before_blank = is_blank(characters.peek().copied());
        found.indicators |= match character {
            ':' => is_before_blank,
            '#' => is_blank(before),
            '?' | '-' => before.is_none() && is_before_blank,
            ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
            | '`' => before.is_none(),
            _ => false,
        };
        found.special |= !is_printable(character);
        found.line_breaks |= character == '\n';
        found.space_before_break |= character == '\n' && before == Some(' ');
        before = Some(character);
    }
    found
}

/// A text as it is if that is safe, else in single quotes; `None` when only
/// escapes can say it.
pub(super) fn plain_or_quoted(text: &str) -> Option<String> {
    let found = analyze(text);
    if found.special || found.line_breaks {
        return None;
    }
    let needs_quotes = found.open_end || found.indicators;
    Some(if needs_quotes { format!("'{}'", text.replace('\'', "''")) } else { text.to_string() })
}

/// What stands above a text that is written as a block: `|`, how deep it is indented if that
/// cannot be seen, and what is done with its last line breaks. `None` when no block can hold it.
pub(super) fn block_header(text: &str) -> Option<&'static str> {
    let found = analyze(text);
    if found.trailing_space || found.space_before_break || found.special {
        return None;
    }
    let hides_its_indent = text.starts_with([' ', '\n']);
    let rest = text.strip_suffix('\n');
    Some(match (hides_its_indent, rest) {
        (false, None) => "|-",
        (true, None) => "|2-",
        (true, Some(rest)) if rest.is_empty() || rest.ends_with('\n') => "|2+",
        (false, Some(rest)) if rest.ends_with('\n') => "|+",
        (true, Some(_)) => "|2",
        (false, Some(_)) => "|",
    })
}

#[cfg(test)]
mod tests {
    use sim::Stream;

    use super::*;

    #[test]
    fn what_not_every_reader_knows_is_escaped() {
        for text in ["😀", "a\u{85}"] {
            assert_eq!(plain_or_quoted(text), None);
            assert_eq!(block_header(&format!("{text}\n")), None);
        }
    }

    /// Texts of what the styles differ in.
    fn texts() -> impl Iterator<Item = String> {
        const LETTERS: [&str; 31] = [
            "a", "b", " ", " ", "\n", "\n", ":", "#", "-", "?", ",", "[", "]", "{", "}", "&", "*",
            "!", "|", ">", "'", "\"", "%", "@", "`", "\t", "\r", "é", "\u{7}", "\u{feff}", "---",
        ];
        let mut stream = Stream::new(1, "yaml");
        (0..40_000).map(move |_| {
            let length = 1 + stream.below(7);
            (0..length).map(|_| LETTERS[stream.below(31) as usize]).collect()
        })
    }

    // Both this and the crate that it is held to follow the same C library.
    #[test]
    fn styles_are_those_of_another_emitter() {
        for text in texts() {
            let written = serde_yaml::to_string(&text).unwrap();
            if text.contains('\n') {
                let header = written.starts_with('|').then(|| written.lines().next().unwrap());
                assert_eq!(block_header(&text), header, "{text:?}");
            } else {
                let written = written.strip_suffix('\n').unwrap();
                let simple = (!written.starts_with('"')).then_some(written);
                assert_eq!(plain_or_quoted(&text).as_deref(), simple, "{text:?}");
            }
        }
    }
}
