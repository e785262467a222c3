//! From the text of a script to the operations of the shell.
//!
//! It takes simple commands with assignments and redirections, lists with `;`, `&`, `&&` and
//! `||`, pipelines, `if`, `case`, `while`, `until`, `for`, groups and subshells, quotes, variables,
//! command substitution and arithmetic. What it does not take is a syntax error, as in a shell.

use std::sync::Arc;

/// Nesting beyond this is refused.
const MAX_DEPTH: u32 = 32;
/// Longer scripts are refused.
const MAX_SCRIPT_BYTES: usize = 64 << 10;

/// A compiled script.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) ops: Vec<Op>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Nothing.
    Nop,
    /// A command.
    Run(Arc<Simple>),
    /// Go on elsewhere.
    Jump(usize),
    /// Go on elsewhere if the last command failed.
    JumpIfFail(usize),
    /// Go on elsewhere if the last command succeeded.
    JumpIfOk(usize),
    /// Turn success and failure around.
    Not,
    /// The last command counts as a success.
    Succeed,
    /// Run what follows, up to the place given, beside the rest.
    Spawn(usize),
    /// Begin to collect output for the next command of a pipeline.
    PipeBegin,
    /// Hand what was collected to the next command, and collect its output.
    PipeNext,
    /// Hand what was collected to the last command.
    PipeLast,
    /// The pipeline ends.
    PipeEnd,
    /// Begin a `for` loop over the words.
    ForBegin(Arc<Vec<Word>>),
    /// Take the next word into the variable, or go on elsewhere.
    ForNext(String, usize),
    /// Go on elsewhere unless the word fits one of the patterns.
    Case(Arc<(Word, Vec<Word>)>, usize),
    /// Begin a subshell that ends at the place given.
    SubshellBegin(usize),
    /// End a subshell.
    SubshellEnd,
}

/// A simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Simple {
    pub(crate) assignments: Vec<(String, Word)>,
    pub(crate) words: Vec<Word>,
    pub(crate) redirects: Vec<Redirect>,
}

/// Where output goes or input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    /// Which file descriptor.
    pub(crate) descriptor: u32,
    pub(crate) kind: RedirectKind,
    pub(crate) target: Word,
}

/// How a redirection treats its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedirectKind {
    Read,
    Write,
    Append,
    Duplicate,
}

/// A word before expansion.
pub(crate) type Word = Vec<Part>;

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Text.
    Text(String),
    /// A variable, and what stands for it when it is empty.
    Variable { name: String, default: Option<String>, quoted: bool },
    /// The output of a command.
    Command { program: Arc<Program>, quoted: bool },
    /// The value of an expression.
    Arithmetic(String),
}

/// Compiles a script.
pub(crate) fn parse(script: &str) -> Result<Program, String> {
    parse_nested(script, 0)
}

fn parse_nested(script: &str, depth: u32) -> Result<Program, String> {
    if script.len() > MAX_SCRIPT_BYTES || depth > MAX_DEPTH {
        return Err("syntax error: script too complex".to_string());
    }
    let mut parser = Parser { chars: script.chars().collect(), depth, ..Parser::default() };
    parser.list()?;
    match parser.peek() {
        None => Ok(Program { ops: parser.ops }),
        Some(_) => Err(parser.unexpected()),
    }
}

#[derive(Default)]
struct Parser {
    chars: Vec<char>,
    at: usize,
    ops: Vec<Op>,
    depth: u32,
    /// For each enclosing loop: where `continue` goes, and the `break`s to complete.
    loops: Vec<(usize, Vec<usize>)>,
}

const ENDS: [&str; 8] = ["done", "fi", "then", "else", "elif", "do", "esac", "}"];
const OPERATORS: &str = " \t\n;&|<>()";

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn take(&mut self, letter: char) -> bool {
        let found = self.peek() == Some(letter);
        self.at += usize::from(found);
        found
    }

    fn take_both(&mut self, letter: char) -> bool {
        let found = self.peek() == Some(letter) && self.peek_at(1) == Some(letter);
        self.at += 2 * usize::from(found);
        found
    }

    fn unexpected(&self) -> String {
        match self.peek() {
            Some(letter) => format!("syntax error: unexpected \"{letter}\""),
            None => "syntax error: unexpected end of file".to_string(),
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t') => self.at += 1,
                Some('\\') if self.peek_at(1) == Some('\n') => self.at += 2,
                Some('#') => {
                    while self.peek().is_some_and(|letter| letter != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn skip_lines(&mut self) {
        loop {
            self.skip_blanks();
            let separates = match self.peek() {
                Some('\n') => true,
                Some(';') => self.peek_at(1) != Some(';'),
                _ => false,
            };
            if !separates {
                return;
            }
            self.at += 1;
        }
    }

    /// The plain word ahead, if it is one.
    fn keyword(&self) -> String {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        rest.iter().take_while(|letter| !OPERATORS.contains(**letter)).take(16).collect()
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        self.skip_lines();
        if self.keyword() != word {
            return Err(format!("{} (expecting \"{word}\")", self.unexpected()));
        }
        self.at += word.chars().count();
        Ok(())
    }

    fn list(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("syntax error: nested too deeply".to_string());
        }
        loop {
            self.skip_lines();
            // After lines are skipped, a semicolon can only be the first of two.
            let at_end = matches!(self.peek(), None | Some(')' | ';'));
            if at_end || ENDS.contains(&self.keyword().as_str()) {
                break;
            }
            let start = self.emit(Op::Nop);
            self.and_or()?;
            self.skip_blanks();
            if self.peek() == Some('&') && self.peek_at(1) != Some('&') {
                self.at += 1;
                let end = self.ops.len();
                self.patch(start, Op::Spawn(end));
            } else if !matches!(self.peek(), None | Some('\n' | ';' | ')')) {
                return Err(self.unexpected());
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn emit(&mut self, op: Op) -> usize {
        self.ops.push(op);
        self.ops.len() - 1
    }

    fn patch(&mut self, place: usize, op: Op) {
        if let Some(slot) = self.ops.get_mut(place) {
            *slot = op;
        }
    }

    fn and_or(&mut self) -> Result<(), String> {
        self.pipeline()?;
        loop {
            self.skip_blanks();
            let and = self.take_both('&');
            if !and && !self.take_both('|') {
                return Ok(());
            }
            self.skip_lines();
            let jump = self.emit(Op::Nop);
            self.pipeline()?;
            let end = self.ops.len();
            self.patch(jump, if and { Op::JumpIfFail(end) } else { Op::JumpIfOk(end) });
        }
    }

    fn pipeline(&mut self) -> Result<(), String> {
        self.skip_blanks();
        let negated = self.keyword() == "!";
        if negated {
            self.at += 1;
        }
        let start = self.emit(Op::Nop);
        self.command()?;
        let mut last = None;
        loop {
            self.skip_blanks();
            if self.peek() != Some('|') || self.peek_at(1) == Some('|') {
                break;
            }
            self.at += 1;
            self.skip_lines();
            last = Some(self.emit(Op::PipeNext));
            self.command()?;
        }
        if let Some(last) = last {
            self.patch(start, Op::PipeBegin);
            self.patch(last, Op::PipeLast);
            self.emit(Op::PipeEnd);
        }
        if negated {
            self.emit(Op::Not);
        }
        Ok(())
    }

    fn command(&mut self) -> Result<(), String> {
        self.skip_blanks();
        let keyword = self.keyword();
        match keyword.as_str() {
            "if" => self.conditional(),
            "while" | "until" => self.while_loop(keyword == "until"),
            "for" => self.for_loop(),
            "{" => {
                self.at += 1;
                self.list()?;
                self.expect("}")
            }
            "" if self.peek() == Some('(') => self.subshell(),
            "case" => self.case(),
            "function" => Err(format!("syntax error: \"{keyword}\" is not supported")),
            _ => self.simple(),
        }
    }

    fn subshell(&mut self) -> Result<(), String> {
        self.at += 1;
        let begin = self.emit(Op::Nop);
        self.list()?;
        if !self.take(')') {
            return Err(self.unexpected());
        }
        let end = self.emit(Op::SubshellEnd);
        self.patch(begin, Op::SubshellBegin(end));
        Ok(())
    }

    fn conditional(&mut self) -> Result<(), String> {
        self.expect("if")?;
        let mut to_end = Vec::new();
        loop {
            self.list()?;
            self.expect("then")?;
            let skip = self.emit(Op::Nop);
            self.list()?;
            to_end.push(self.emit(Op::Nop));
            let next = self.ops.len();
            self.patch(skip, Op::JumpIfFail(next));
            self.skip_lines();
            match self.keyword().as_str() {
                "elif" => self.at += 4,
                "else" => {
                    self.at += 4;
                    self.list()?;
                    break;
                }
                _ => {
                    self.emit(Op::Succeed);
                    break;
                }
            }
        }
        let end = self.ops.len();
        for place in to_end {
            self.patch(place, Op::Jump(end));
        }
        self.expect("fi")
    }

    /// `case WORD in PATTERN | PATTERN) LIST ;; … esac`
    fn case(&mut self) -> Result<(), String> {
        self.at += 4;
        self.skip_blanks();
        let word = self.word()?;
        self.expect("in")?;
        let mut ends = Vec::new();
        loop {
            self.skip_lines();
            if self.keyword() == "esac" {
                break;
            }
            self.take('(');
            let mut patterns = Vec::new();
            loop {
                self.skip_blanks();
                patterns.push(self.word()?);
                self.skip_blanks();
                if !self.take('|') {
                    break;
                }
            }
            if !self.take(')') {
                return Err(self.unexpected());
            }
            let test = self.emit(Op::Nop);
            self.list()?;
            ends.push(self.emit(Op::Nop));
            let next = self.ops.len();
            self.patch(test, Op::Case(Arc::new((word.clone(), patterns)), next));
            if !self.take_both(';') {
                break;
            }
        }
        self.expect("esac")?;
        let end = self.ops.len();
        ends.into_iter().for_each(|place| self.patch(place, Op::Jump(end)));
        Ok(())
    }

    fn while_loop(&mut self, until: bool) -> Result<(), String> {
        self.at += 5;
        let start = self.ops.len();
        self.list()?;
        let leave = self.emit(Op::Nop);
        self.loop_body(start)?;
        let end = self.ops.len();
        self.patch(leave, if until { Op::JumpIfOk(end) } else { Op::JumpIfFail(end) });
        self.emit(Op::Succeed);
        Ok(())
    }

    fn for_loop(&mut self) -> Result<(), String> {
        self.at += 3;
        self.skip_blanks();
        let name = self.keyword();
        self.at += name.chars().count();
        self.skip_blanks();
        let mut words = Vec::new();
        if self.keyword() == "in" {
            self.at += 2;
            loop {
                self.skip_blanks();
                if matches!(self.peek(), None | Some('\n' | ';')) {
                    break;
                }
                words.push(self.word()?);
            }
        }
        self.emit(Op::ForBegin(Arc::new(words)));
        let start = self.emit(Op::Nop);
        self.loop_body(start)?;
        let end = self.ops.len();
        self.patch(start, Op::ForNext(name, end));
        Ok(())
    }

    /// `do … done`, and the jumps back to `start` and out.
    fn loop_body(&mut self, start: usize) -> Result<(), String> {
        self.expect("do")?;
        self.loops.push((start, Vec::new()));
        self.list()?;
        self.expect("done")?;
        self.emit(Op::Jump(start));
        let end = self.ops.len();
        for place in self.loops.pop().map(|(_, breaks)| breaks).unwrap_or_default() {
            self.patch(place, Op::Jump(end));
        }
        Ok(())
    }

    fn simple(&mut self) -> Result<(), String> {
        let mut simple = Simple::default();
        loop {
            self.skip_blanks();
            if self.redirect(&mut simple)? {
                continue;
            }
            if self.peek().is_none_or(|letter| OPERATORS.contains(letter)) {
                break;
            }
            if simple.words.is_empty()
                && let Some(name) = self.assignment()
            {
                let value = self.word()?;
                simple.assignments.push((name, value));
                continue;
            }
            simple.words.push(self.word()?);
        }
        if simple == Simple::default() {
            return Err(self.unexpected());
        }
        self.emit_simple(simple);
        Ok(())
    }

    fn emit_simple(&mut self, simple: Simple) {
        let plain = match simple.words.first().map(Vec::as_slice) {
            Some([Part::Text(word)]) => word.as_str(),
            _ => "",
        };
        let place = self.ops.len();
        match (plain, self.loops.last_mut()) {
            ("break", Some((_, breaks))) => {
                breaks.push(place);
                self.emit(Op::Nop);
            }
            ("continue", Some((start, _))) => {
                let start = *start;
                self.emit(Op::Jump(start));
            }
            _ => {
                self.emit(Op::Run(Arc::new(simple)));
            }
        }
    }

    /// The name of the assignment ahead, after which its value follows.
    fn assignment(&mut self) -> Option<String> {
        let rest = self.chars.get(self.at..)?;
        let end = rest.iter().position(|letter| !is_name(*letter))?;
        let begins = rest.first().is_some_and(|letter| !letter.is_ascii_digit());
        if end == 0 || rest.get(end) != Some(&'=') || !begins {
            return None;
        }
        let name = rest.get(..end)?.iter().collect();
        self.at += end + 1;
        Some(name)
    }

    fn redirect(&mut self, simple: &mut Simple) -> Result<bool, String> {
        let digit = self.peek().and_then(|letter| letter.to_digit(10));
        let ahead = if digit.is_some() { self.peek_at(1) } else { self.peek() };
        let Some(sign @ ('<' | '>')) = ahead else { return Ok(false) };
        self.at += 1 + usize::from(digit.is_some());
        let kind = match sign {
            '<' if self.peek() == Some('<') => return Err(self.unexpected()),
            '<' => RedirectKind::Read,
            _ if self.take('>') => RedirectKind::Append,
            _ if self.take('&') => RedirectKind::Duplicate,
            _ => RedirectKind::Write,
        };
        self.skip_blanks();
        let target = self.word()?;
        let descriptor = digit.unwrap_or(u32::from(sign == '>'));
        simple.redirects.push(Redirect { descriptor, kind, target });
        Ok(true)
    }

    fn word(&mut self) -> Result<Word, String> {
        let mut parts = Word::new();
        let mut text = String::new();
        let mut quoted_empty = false;
        while let Some(letter) = self.peek() {
            match letter {
                _ if OPERATORS.contains(letter) => break,
                '\'' => {
                    self.at += 1;
                    quoted_empty = true;
                    loop {
                        match self.next()? {
                            '\'' => break,
                            inner => text.push(inner),
                        }
                    }
                }
                '"' => {
                    self.at += 1;
                    quoted_empty = true;
                    self.double_quoted(&mut parts, &mut text)?;
                }
                '\\' => {
                    self.at += 1;
                    match self.next()? {
                        '\n' => {}
                        inner => text.push(inner),
                    }
                }
                '$' | '`' => self.dollar(&mut parts, &mut text, false)?,
                _ => {
                    self.at += 1;
                    text.push(letter);
                }
            }
        }
        if !text.is_empty() || (parts.is_empty() && quoted_empty) {
            parts.push(Part::Text(text));
        }
        if parts.is_empty() { Err(self.unexpected()) } else { Ok(parts) }
    }

    fn next(&mut self) -> Result<char, String> {
        let letter = self.peek();
        self.at += 1;
        letter.ok_or_else(|| "syntax error: unterminated quoted string".to_string())
    }

    fn double_quoted(&mut self, parts: &mut Word, text: &mut String) -> Result<(), String> {
        loop {
            match self.peek() {
                Some('"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some('$' | '`') => self.dollar(parts, text, true)?,
                Some('\\') => {
                    self.at += 1;
                    match self.next()? {
                        '\n' => {}
                        inner @ ('$' | '`' | '"' | '\\') => text.push(inner),
                        inner => text.extend(['\\', inner]),
                    }
                }
                _ => {
                    let letter = self.next()?;
                    text.push(letter);
                }
            }
        }
    }

    /// What follows a dollar sign, or stands in backquotes.
    fn dollar(&mut self, parts: &mut Word, text: &mut String, quoted: bool) -> Result<(), String> {
        let backquote = self.take('`');
        if backquote {
            let script = self.until('`')?;
            return self.substitution(parts, text, &script, quoted);
        }
        self.at += 1;
        let part = match self.peek() {
            Some('(') if self.peek_at(1) == Some('(') => {
                self.at += 2;
                let inner = self.balanced(2)?;
                Part::Arithmetic(inner)
            }
            Some('(') => {
                self.at += 1;
                let script = self.balanced(1)?;
                return self.substitution(parts, text, &script, quoted);
            }
            Some('{') => {
                self.at += 1;
                let inner = self.until('}')?;
                braced(&inner, quoted)
            }
            Some(letter) if "?#$@*!".contains(letter) || letter.is_ascii_digit() => {
                self.at += 1;
                Part::Variable { name: letter.to_string(), default: None, quoted }
            }
            Some(letter) if is_name(letter) => {
                let rest = self.chars.get(self.at..).unwrap_or_default();
                let name: String = rest.iter().take_while(|letter| is_name(**letter)).collect();
                self.at += name.chars().count();
                Part::Variable { name, default: None, quoted }
            }
            _ => {
                text.push('$');
                return Ok(());
            }
        };
        flush(parts, text);
        parts.push(part);
        Ok(())
    }

    fn substitution(
        &mut self,
        parts: &mut Word,
        text: &mut String,
        script: &str,
        quoted: bool,
    ) -> Result<(), String> {
        let program = Arc::new(parse_nested(script, self.depth + 1)?);
        flush(parts, text);
        parts.push(Part::Command { program, quoted });
        Ok(())
    }

    fn until(&mut self, end: char) -> Result<String, String> {
        let mut inner = String::new();
        loop {
            match self.next()? {
                letter if letter == end => return Ok(inner),
                letter => inner.push(letter),
            }
        }
    }

    /// Everything up to the closing parentheses.
    fn balanced(&mut self, closing: u32) -> Result<String, String> {
        let mut inner = String::new();
        let mut open = 0;
        loop {
            match self.next()? {
                '(' => {
                    open += 1;
                    inner.push('(');
                }
                ')' if open == 0 => {
                    for _ in 1..closing {
                        if !self.take(')') {
                            return Err(self.unexpected());
                        }
                    }
                    return Ok(inner);
                }
                letter => {
                    open -= i32::from(letter == ')');
                    inner.push(letter);
                }
            }
        }
    }
}

fn flush(parts: &mut Word, text: &mut String) {
    if !text.is_empty() {
        parts.push(Part::Text(std::mem::take(text)));
    }
}

fn braced(inner: &str, quoted: bool) -> Part {
    let end = inner.find(|letter| !is_name(letter)).unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    let default = rest.strip_prefix(":-").or_else(|| rest.strip_prefix('-')).map(str::to_string);
    Part::Variable { name: name.to_string(), default, quoted }
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}
