//! Where in the text of a document a value is: looked for only when there is a mistake to be told.

use crate::spec::validate::at::At;
use serde::de::IgnoredAny;
use std::fmt;

/// Deeper ones are not looked into; serde_json reads no deeper either.
const DEEPEST: usize = 127;

/// A place in a text, counted from 1; columns are bytes, as serde_json counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    line: usize,
    column: usize,
}

impl Position {
    fn new(text: &str, offset: usize) -> Self {
        let before = &text.as_bytes()[..offset];
        let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |newline| newline + 1);
        Position { line: before.iter().filter(|b| **b == b'\n').count() + 1, column: offset - start + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}", self.line, self.column)
    }
}

/// The positions of the values with these JSON paths, of those that are there. Of a text that is one
/// line it has none: who wrote it was a program, and no person will look for a column in it.
pub(super) fn of(text: &str, paths: &[&str]) -> Vec<Option<Position>> {
    let mut found = vec![None; paths.len()];
    if text.trim_end().contains('\n') {
        let mut note = |at: &At<'_>, offset: usize| {
            let path = at.to_string();
            for (i, _) in paths.iter().enumerate().filter(|(_, wanted)| **wanted == path) {
                found[i] = Some(Position::new(text, offset));
            }
        };
        // Stops early where the text is wrong or deep; then the rest has no position.
        let _ = Scanner { text, offset: 0, broken: None }.value(&At::Root, 0, &mut note);
    }
    found
}

/// The JSON path of the value within which `text` stops to be JSON, unless that is the whole of it.
pub(super) fn of_syntax_error(text: &str) -> Option<String> {
    let mut scanner = Scanner { text, offset: 0, broken: None };
    match scanner.value(&At::Root, 0, &mut |_, _| {}) {
        Some(()) => None,
        None => scanner.broken.filter(|path| !path.is_empty()),
    }
}

struct Scanner<'t> {
    text: &'t str,
    offset: usize,
    /// The innermost value that could not be read.
    broken: Option<String>,
}

/// Told of every value and its offset.
type Note<'n> = dyn FnMut(&At<'_>, usize) + 'n;

impl Scanner<'_> {
    /// Passes over a value.
    fn value(&mut self, at: &At<'_>, depth: usize, note: &mut Note<'_>) -> Option<()> {
        self.skip_space();
        note(at, self.offset);
        let passed = match self.peek() {
            _ if depth > DEEPEST => {
                // A path of so many steps helps nobody.
                self.broken = Some(String::new());
                None
            }
            Some(b'{') => self.members(at, depth, note),
            Some(b'[') => self.entries(at, depth, note),
            Some(b'"') => self.string().map(drop),
            _ => self.word(),
        };
        if passed.is_none() && self.broken.is_none() {
            self.broken = Some(at.to_string());
        }
        passed
    }

    fn members(&mut self, at: &At<'_>, depth: usize, note: &mut Note<'_>) -> Option<()> {
        self.list(b'}', |scanner| {
            let key: String = serde_json::from_str(scanner.string()?).ok()?;
            scanner.skip_space();
            scanner.take(b':')?;
            scanner.value(&at.key(&key), depth + 1, note)
        })
    }

    fn entries(&mut self, at: &At<'_>, depth: usize, note: &mut Note<'_>) -> Option<()> {
        let mut index = 0;
        self.list(b']', |scanner| {
            index += 1;
            scanner.value(&at.index(index - 1), depth + 1, note)
        })
    }

    /// `item`s with commas between, after an opening bracket and before the closing one.
    fn list(&mut self, close: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.offset += 1;
        self.skip_space();
        if self.peek() == Some(close) {
            return self.take(close);
        }
        loop {
            self.skip_space();
            item(self)?;
            self.skip_space();
            match self.peek()? {
                b',' => self.offset += 1,
                _ => return self.take(close),
            }
        }
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&str> {
        let start = self.offset;
        self.take(b'"')?;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.offset += 2,
                _ => self.offset += 1,
            }
        }
        self.offset += 1;
        self.json(start)
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Option<()> {
        let start = self.offset;
        while self.peek().is_some_and(|b| !b.is_ascii_whitespace() && !b",]}".contains(&b)) {
            self.offset += 1;
        }
        self.json(start).map(drop)
    }

    fn json(&self, start: usize) -> Option<&str> {
        let text = self.text.get(start..self.offset)?;
        serde_json::from_str::<IgnoredAny>(text).is_ok().then_some(text)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.offset += 1)
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.offset += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_path() {
        let text = "{\"a\": [1,\n  {\"b.c\": \"\\\"}\", \"d\": []}\n],\n \"e\": null}";
        let at = |path: &str| of(text, &[path])[0].map(|p| (p.line, p.column));
        assert_eq!(at("a"), Some((1, 7)));
        assert_eq!(at("a[0]"), Some((1, 8)));
        assert_eq!(at("a[1]"), Some((2, 3)));
        assert_eq!(at("a[1][\"b.c\"]"), Some((2, 11)));
        assert_eq!(at("a[1].d"), Some((2, 23)));
        assert_eq!(at("e"), Some((4, 7)));
        assert_eq!(at("a[2]"), None);
        assert_eq!(of("{\"a\": 1}\n", &["a"]), [None], "of one line");
    }

    #[test]
    fn a_syntax_error_is_within_a_value() {
        let within = |text: &str| of_syntax_error(text).unwrap_or_default();
        for (text, path) in [
            ("{\"a\": {\"b\": [1, }", "a.b[1]"),
            ("{\"a\": {\"b\": [1, 2", "a.b"),
            ("{\"a\": {\"b\":", "a.b"),
            ("{\"a\": {\"b\": \"x}", "a.b"),
            ("{\"a\": {\"b\": \"\\x\"}", "a.b"),
            ("{\"a\": {\"b\": 01}}", "a.b"),
            ("{\"a\": {\"b\": 1,}}", "a"),
            ("{\"a\": {b: 1}}", "a"),
            ("{\"a\": 1 \"b\": 2}", ""),
            ("{]", ""),
            ("{} {}", ""),
        ] {
            assert_eq!(within(text), path, "{text}");
        }
        assert_eq!(of_syntax_error(&"[".repeat(100_000)), None);
    }
}
