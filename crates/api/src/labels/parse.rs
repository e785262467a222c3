//! Reads a label selector from text: words first, then requirements. Each word is read once,
//! so the work is bounded by the length of the text.
//!
//! Upstream: staging/src/k8s.io/apimachinery/pkg/labels/selector.go

use super::{Operator, Requirement, SelectorError, label_key_error};
use sim::SmallSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    EndOfString,
    ClosedParenthesis,
    Comma,
    DoesNotExist,
    DoubleEquals,
    Equals,
    GreaterThan,
    Identifier,
    In,
    LessThan,
    NotEquals,
    NotIn,
    OpenParenthesis,
}

/// Splits a selector into tokens; the last is always the end of the string.
pub(super) fn tokens(text: &str) -> Vec<(Token, &str)> {
    // Upstream's lexer takes a NUL for the end of the text.
    let text = text.split('\0').next().unwrap_or_default();
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            found.push((Token::EndOfString, ""));
            return found;
        }
        let (token, length) = first_token(rest);
        found.push((token, &rest[..length]));
        rest = &rest[length..];
    }
}

/// The longest token that a non-empty text begins with, and its length.
fn first_token(text: &str) -> (Token, usize) {
    const SYMBOLS: [(&str, Token); 8] = [
        ("==", Token::DoubleEquals),
        ("!=", Token::NotEquals),
        ("=", Token::Equals),
        ("!", Token::DoesNotExist),
        ("(", Token::OpenParenthesis),
        (")", Token::ClosedParenthesis),
        (",", Token::Comma),
        (">", Token::GreaterThan),
    ];
    for (symbol, token) in SYMBOLS {
        if text.starts_with(symbol) {
            return (token, symbol.len());
        }
    }
    if text.starts_with('<') {
        return (Token::LessThan, 1);
    }
    let ends = |character: char| "=!(),>< \t\r\n".contains(character);
    let length = text.find(ends).unwrap_or(text.len());
    let token = match &text[..length] {
        "in" => Token::In,
        "notin" => Token::NotIn,
        _ => Token::Identifier,
    };
    (token, length)
}

/// All requirements of a selector, in the order of the text.
pub(super) fn requirements(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    let mut parser = Parser { tokens: tokens(text), position: 0 };
    parser.parse().map_err(SelectorError)
}

struct Parser<'text> {
    tokens: Vec<(Token, &'text str)>,
    position: usize,
}

impl<'text> Parser<'text> {
    /// The current token where an operator may stand: `in` and `notin` are operators.
    fn operator_token(&self) -> (Token, &'text str) {
        self.tokens.get(self.position).copied().unwrap_or((Token::EndOfString, ""))
    }

    /// The current token where a key or value may stand: `in` and `notin` are names.
    fn peek(&self) -> (Token, &'text str) {
        match self.operator_token() {
            (Token::In | Token::NotIn, literal) => (Token::Identifier, literal),
            other => other,
        }
    }

    fn next(&mut self) -> (Token, &'text str) {
        let found = self.peek();
        self.position += 1;
        found
    }

    fn parse(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                (Token::Identifier | Token::DoesNotExist, _) => {
                    let requirement = self
                        .requirement()
                        .map_err(|error| format!("unable to parse requirement: {error}"))?;
                    requirements.push(requirement);
                    match self.next() {
                        (Token::EndOfString, _) => return Ok(requirements),
                        (Token::Comma, _) => self.expect_requirement_after_comma()?,
                        (_, literal) => {
                            return Err(format!(
                                "found '{literal}', expected: ',' or 'end of string'"
                            ));
                        }
                    }
                }
                (Token::EndOfString, _) => return Ok(requirements),
                (_, literal) => {
                    let expected = "!, identifier, or 'end of string'";
                    return Err(format!("found '{literal}', expected: {expected}"));
                }
            }
        }
    }

    fn expect_requirement_after_comma(&self) -> Result<(), String> {
        match self.peek() {
            (Token::Identifier | Token::DoesNotExist, _) => Ok(()),
            (_, literal) => Err(format!("found '{literal}', expected: identifier after ','")),
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let (key, inferred) = self.key_and_inferred_operator()?;
        if let Some(operator) = inferred {
            return Requirement::new(key, operator, Vec::new()).map_err(|error| error.0);
        }
        let operator = self.operator()?;
        let values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => SmallSet::from([self.exact_value()?]),
        };
        let values = values.into_iter().map(str::to_string).collect();
        Requirement::new(key, operator, values).map_err(|error| error.0)
    }

    /// The key, and `!` or the `exists` that a key alone means.
    fn key_and_inferred_operator(&mut self) -> Result<(&'text str, Option<Operator>), String> {
        let mut operator = None;
        let (mut token, mut literal) = self.next();
        if token == Token::DoesNotExist {
            operator = Some(Operator::DoesNotExist);
            (token, literal) = self.next();
        }
        if token != Token::Identifier {
            return Err(format!("found '{literal}', expected: identifier"));
        }
        // Upstream has no path here, and prints that.
        if let Some(error) = label_key_error("<nil>", literal) {
            return Err(error.to_string());
        }
        if operator.is_none() && matches!(self.peek().0, Token::EndOfString | Token::Comma) {
            operator = Some(Operator::Exists);
        }
        Ok((literal, operator))
    }

    fn operator(&mut self) -> Result<Operator, String> {
        let (token, literal) = self.operator_token();
        self.position += 1;
        match token {
            Token::In => Ok(Operator::In),
            Token::NotIn => Ok(Operator::NotIn),
            Token::Equals => Ok(Operator::Equals),
            Token::DoubleEquals => Ok(Operator::DoubleEquals),
            Token::NotEquals => Ok(Operator::NotEquals),
            Token::GreaterThan => Ok(Operator::GreaterThan),
            Token::LessThan => Ok(Operator::LessThan),
            _ => Err(format!("found '{literal}', expected: in, notin, =, ==, !=, gt, lt")),
        }
    }

    fn values(&mut self) -> Result<SmallSet<&'text str>, String> {
        let (token, literal) = self.next();
        if token != Token::OpenParenthesis {
            return Err(format!("found '{literal}' expected: '('"));
        }
        match self.peek() {
            (Token::Identifier | Token::Comma, _) => {
                // The list ends only before a closing parenthesis.
                let values = self.identifiers()?;
                self.position += 1;
                Ok(values)
            }
            (Token::ClosedParenthesis, _) => {
                self.position += 1;
                Ok(SmallSet::from([""]))
            }
            (_, literal) => Err(format!("found '{literal}', expected: ',', ')' or identifier")),
        }
    }

    /// A list of names, any of which may be empty, up to the closing parenthesis.
    fn identifiers(&mut self) -> Result<SmallSet<&'text str>, String> {
        let mut found = SmallSet::new();
        loop {
            match self.next() {
                (Token::Identifier, literal) => {
                    found.insert(literal);
                    match self.peek() {
                        (Token::Comma, _) => {}
                        (Token::ClosedParenthesis, _) => return Ok(found),
                        (_, literal) => {
                            return Err(format!("found '{literal}', expected: ',' or ')'"));
                        }
                    }
                }
                (Token::Comma, _) => {
                    if found.is_empty() {
                        found.insert("");
                    }
                    match self.peek().0 {
                        Token::ClosedParenthesis => {
                            found.insert("");
                            return Ok(found);
                        }
                        Token::Comma => {
                            found.insert("");
                        }
                        _ => {}
                    }
                }
                (_, literal) => {
                    return Err(format!("found '{literal}', expected: ',', or identifier"));
                }
            }
        }
    }

    fn exact_value(&mut self) -> Result<&'text str, String> {
        if matches!(self.peek().0, Token::EndOfString | Token::Comma) {
            return Ok("");
        }
        match self.next() {
            (Token::Identifier, literal) => Ok(literal),
            (_, literal) => Err(format!("found '{literal}', expected: identifier")),
        }
    }
}
