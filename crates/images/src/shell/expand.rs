//! From words to arguments: variables, command output, arithmetic, splitting.

use runtime::Io;

use super::parse::{Part, Word};
use super::{Shell, push_bounded};

/// How many bytes the arguments of one command may have together.
const MAX_COMMAND_LINE_BYTES: usize = 256 << 10;

impl Shell {
    /// The arguments that the words make.
    pub(super) fn expand_words(&mut self, words: &[Word], io: &mut Io<'_>) -> Vec<String> {
        let mut arguments = Vec::new();
        for word in words {
            self.expand_word(word, io, &mut arguments);
            // As on a real system, a command line has a greatest length.
            let bytes: usize = arguments.iter().map(String::len).sum();
            if bytes > MAX_COMMAND_LINE_BYTES {
                io.stderr("sh: Argument list too long\n");
                self.finished = Some(126);
                return Vec::new();
            }
        }
        arguments
    }

    /// A word as one text, without splitting.
    pub(super) fn expand_text(&mut self, word: &Word, io: &mut Io<'_>) -> String {
        let mut text = String::new();
        for part in word {
            let part = self.expand_part(part, io).0;
            push_bounded(&mut text, &part);
        }
        text
    }

    fn expand_word(&mut self, word: &Word, io: &mut Io<'_>, arguments: &mut Vec<String>) {
        if let [Part::Variable { name, .. }] = word.as_slice()
            && matches!(name.as_str(), "@" | "*")
        {
            arguments.extend(self.parameters.iter().skip(1).cloned());
            return;
        }
        let mut current: Option<String> = None;
        for part in word {
            let (text, splits) = self.expand_part(part, io);
            if !splits {
                push_bounded(current.get_or_insert_default(), &text);
                continue;
            }
            let mut pieces = text.split_ascii_whitespace();
            if text.starts_with(|letter: char| letter.is_ascii_whitespace()) {
                arguments.extend(current.take());
            }
            if let Some(first) = pieces.next() {
                push_bounded(current.get_or_insert_default(), first);
            }
            for piece in pieces {
                arguments.extend(current.replace(piece.to_string()));
            }
            if text.ends_with(|letter: char| letter.is_ascii_whitespace()) {
                arguments.extend(current.take());
            }
        }
        arguments.extend(current);
    }

    /// A part's text, and whether it is split at blanks.
    fn expand_part(&mut self, part: &Part, io: &mut Io<'_>) -> (String, bool) {
        match part {
            Part::Text(text) => (text.clone(), false),
            Part::Variable { name, default, quoted } => {
                let value = self.variable(name).unwrap_or_default();
                let value = match default {
                    Some(default) if value.is_empty() => default.clone(),
                    _ => value,
                };
                (value, !quoted)
            }
            Part::Command { program, quoted } => {
                let output = self.capture(program, io);
                (output.trim_end_matches('\n').to_string(), !quoted)
            }
            Part::Arithmetic(text) => (self.arithmetic(text).to_string(), false),
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<String> {
        match name {
            "?" => Some(self.status.to_string()),
            "#" => Some(self.parameters.len().saturating_sub(1).to_string()),
            "$" => Some("1".to_string()),
            "@" | "*" => Some(self.parameters.get(1..).unwrap_or_default().join(" ")),
            _ => match name.parse::<usize>() {
                Ok(place) => self.parameters.get(place).cloned(),
                Err(_) => self.variables.get(name).cloned(),
            },
        }
    }

    /// Whole numbers with `+ - * / %`, comparisons and parentheses. What is no expression is 0.
    pub(super) fn arithmetic(&self, text: &str) -> i64 {
        let mut tokens = Vec::new();
        let mut rest = text.trim_start();
        while let Some(letter) = rest.chars().next() {
            let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            let length = if word(letter) {
                rest.find(|letter| !word(letter)).unwrap_or(rest.len())
            } else if ["<=", ">=", "==", "!="].iter().any(|sign| rest.starts_with(sign)) {
                2
            } else {
                letter.len_utf8()
            };
            let (token, after) = rest.split_at(length);
            if token != "$" {
                tokens.push(token);
            }
            rest = after.trim_start();
        }
        let mut evaluation = Arithmetic { shell: self, tokens: &tokens, at: 0, depth: 0 };
        evaluation.level(0)
    }
}

struct Arithmetic<'a> {
    shell: &'a Shell,
    tokens: &'a [&'a str],
    at: usize,
    depth: u32,
}

const LEVELS: [&[&str]; 4] =
    [&["==", "!="], &["<", ">", "<=", ">="], &["+", "-"], &["*", "/", "%"]];

impl Arithmetic<'_> {
    fn level(&mut self, level: usize) -> i64 {
        let Some(signs) = LEVELS.get(level) else { return self.atom() };
        let mut value = self.level(level + 1);
        while let Some(sign) = self.tokens.get(self.at).filter(|sign| signs.contains(sign)) {
            self.at += 1;
            let right = self.level(level + 1);
            value = match *sign {
                "+" => value.wrapping_add(right),
                "-" => value.wrapping_sub(right),
                "*" => value.wrapping_mul(right),
                "/" => value.checked_div(right).unwrap_or(0),
                "%" => value.checked_rem(right).unwrap_or(0),
                "==" => i64::from(value == right),
                "!=" => i64::from(value != right),
                "<" => i64::from(value < right),
                ">" => i64::from(value > right),
                "<=" => i64::from(value <= right),
                _ => i64::from(value >= right),
            };
        }
        value
    }

    fn atom(&mut self) -> i64 {
        let token = self.tokens.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        self.depth += 1;
        match token {
            _ if self.depth > 256 => 0,
            "-" => self.atom().wrapping_neg(),
            "(" => {
                let value = self.level(0);
                self.at += 1;
                value
            }
            _ => token.parse().unwrap_or_else(|_| {
                let value = self.shell.variable(token).unwrap_or_default();
                value.trim().parse().unwrap_or(0)
            }),
        }
    }
}
