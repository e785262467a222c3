//! Colours for YAML, line by line: enough to see keys, texts, numbers and comments apart. It
//! never judges a text; the API server does. Pure.

/// What a piece of a line is; the name of its class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece {
    /// Space, punctuation and plain text.
    Plain,
    /// A key with its colon.
    Key,
    /// A quoted text or a line of a block text.
    Text,
    /// A number, `true`, `false` or `null`.
    Value,
    /// A comment.
    Comment,
    /// `---` or `...`.
    Divider,
}

impl Piece {
    /// Its class in app.css.
    pub fn class(self) -> &'static str {
        match self {
            Piece::Plain => "plain",
            Piece::Key => "key",
            Piece::Text => "text",
            Piece::Value => "value",
            Piece::Comment => "comment",
            Piece::Divider => "divider",
        }
    }
}

/// Cuts a text into lines of pieces; together they are the text again.
pub fn lines(text: &str) -> Vec<Vec<(Piece, &str)>> {
    let mut block: Option<usize> = None;
    text.split('\n').map(|line| one_line(line, &mut block)).collect()
}

fn one_line<'a>(line: &'a str, block: &mut Option<usize>) -> Vec<(Piece, &'a str)> {
    let depth = line.len() - line.trim_start().len();
    if let Some(parent) = *block {
        if line.trim().is_empty() || depth > parent {
            return vec![(Piece::Text, line)];
        }
        *block = None;
    }
    if line.starts_with("---") || line.starts_with("...") {
        return vec![(Piece::Divider, line)];
    }
    let mut pieces = Vec::new();
    let mut from = depth;
    while line[from..].starts_with("- ") {
        from += 2;
        from += line[from..].len() - line[from..].trim_start().len();
    }
    pieces.push((Piece::Plain, &line[..from]));
    let parent = from;
    let rest = &line[from..];
    let content = match key_end(rest) {
        Some(end) => {
            pieces.push((Piece::Key, &rest[..end]));
            &rest[end..]
        }
        None => rest,
    };
    let (content, comment) = content.split_at(comment_start(content));
    let trimmed = content.trim();
    if trimmed.starts_with('|') || trimmed.starts_with('>') {
        *block = Some(parent);
    }
    pieces.push((value_piece(trimmed), content));
    pieces.push((Piece::Comment, comment));
    pieces.retain(|(_, text)| !text.is_empty());
    pieces
}

/// Where a key ends, colon included.
fn key_end(text: &str) -> Option<usize> {
    if text.starts_with('#') {
        return None;
    }
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''));
    let from = match quote {
        Some(quote) => 2 + text[1..].find(quote)?,
        None => 0,
    };
    let colon = text[from..]
        .match_indices(':')
        .map(|(index, _)| from + index)
        .find(|index| matches!(text.as_bytes().get(index + 1), None | Some(b' ')))?;
    let key = &text[from..colon];
    (!key.contains([' ', '#', '{', '[', '"'])).then_some(colon + 1)
}

/// Where a comment begins, or the end.
fn comment_start(text: &str) -> usize {
    let mut quote = None;
    let mut before = ' ';
    for (index, letter) in text.char_indices() {
        match quote {
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            None if letter == '#' && before == ' ' => return index,
            None if matches!(letter, '"' | '\'') && matches!(before, ' ' | '[' | '{' | ',') => {
                quote = Some(letter);
            }
            None => {}
        }
        before = letter;
    }
    text.len()
}

fn value_piece(text: &str) -> Piece {
    match text {
        "true" | "false" | "null" | "~" => Piece::Value,
        _ if text.starts_with(['"', '\'']) => Piece::Text,
        _ if is_number(text) => Piece::Value,
        _ => Piece::Plain,
    }
}

/// Whether a text looks like a number; colours need no more.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let all = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    digits.starts_with(|first: char| first.is_ascii_digit())
        && all
        && digits.matches('.').count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_told_apart() {
        let line = |text| lines(text).remove(0);
        assert_eq!(
            line("  - name: web # front"),
            [
                (Piece::Plain, "  - "),
                (Piece::Key, "name:"),
                (Piece::Plain, " web "),
                (Piece::Comment, "# front")
            ]
        );
        assert_eq!(line("replicas: 3"), [(Piece::Key, "replicas:"), (Piece::Value, " 3")]);
        assert_eq!(line("image: nginx:1.14.2")[1], (Piece::Plain, " nginx:1.14.2"));
        assert_eq!(line("a: \"x # y\"")[1], (Piece::Text, " \"x # y\""));
        assert_eq!(line("---"), [(Piece::Divider, "---")]);
        assert_eq!(line("# kind: Pod"), [(Piece::Comment, "# kind: Pod")]);
    }

    #[test]
    fn a_block_text_ends_where_its_depth_ends() {
        let all = lines("data:\n  a: |\n    key: not a key\n\n  b: 2");
        assert_eq!(all[2], [(Piece::Text, "    key: not a key")]);
        assert_eq!(all[4][1].0, Piece::Key);
    }

    #[test]
    fn nothing_is_lost_of_any_text() {
        for text in ["", "\n\n", "a:b:c: {x: [1, 2]}\n- - 'it''s'\n", "中文: \"值\n- \t:", "- : ::"]
        {
            let all: Vec<String> = lines(text)
                .iter()
                .map(|line| line.iter().map(|(_, piece)| *piece).collect())
                .collect();
            assert_eq!(all.join("\n"), text);
        }
    }
}
