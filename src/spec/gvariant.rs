//! Values as GVariant writes them (GLib, "GVariant Text Format"), which annotations for systemd are in: the
//! types that D-Bus has too, without dictionaries, variants and maybes.

use serde::Serialize;
use std::fmt;

/// A value with its D-Bus type.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Value {
    Bool(bool),
    Byte(u8),
    I16(i16),
    U16(u16),
    I32(i32),
    U32(u32),
    I64(i64),
    U64(u64),
    Double(f64),
    Text(Kind, String),
    /// With the signature of its entries.
    Array(String, Vec<Value>),
    Tuple(Vec<Value>),
}

/// The three kinds of string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub enum Kind {
    String,
    Path,
    Signature,
}

impl Value {
    /// A string.
    pub fn string(text: impl Into<String>) -> Value {
        Value::Text(Kind::String, text.into())
    }

    /// The D-Bus signature of its type.
    pub fn signature(&self) -> String {
        let one = match self {
            Value::Bool(_) => "b",
            Value::Byte(_) => "y",
            Value::I16(_) => "n",
            Value::U16(_) => "q",
            Value::I32(_) => "i",
            Value::U32(_) => "u",
            Value::I64(_) => "x",
            Value::U64(_) => "t",
            Value::Double(_) => "d",
            Value::Text(Kind::String, _) => "s",
            Value::Text(Kind::Path, _) => "o",
            Value::Text(Kind::Signature, _) => "g",
            Value::Array(entry, _) => return format!("a{entry}"),
            Value::Tuple(values) => {
                return format!("({})", values.iter().map(Value::signature).collect::<String>());
            }
        };
        one.into()
    }
}

/// For people: without the types of numbers, and the largest is systemd's word for no limit.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |values: &[Value]| values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Value::Bool(b) => write!(f, "{b}"),
            Value::Byte(n) => write!(f, "0x{n:02x}"),
            Value::I16(n) => write!(f, "{n}"),
            Value::U16(n) => write!(f, "{n}"),
            Value::I32(n) => write!(f, "{n}"),
            Value::U32(n) => write!(f, "{n}"),
            Value::I64(n) => write!(f, "{n}"),
            Value::U64(u64::MAX) => f.write_str("infinity"),
            Value::U64(n) => write!(f, "{n}"),
            Value::Double(n) => write!(f, "{n}"),
            Value::Text(_, text) => write!(f, "{text:?}"),
            Value::Array(_, values) => write!(f, "[{}]", list(values)),
            Value::Tuple(values) => write!(f, "({})", list(values)),
        }
    }
}

/// Reads a value.
///
/// # Errors
/// What is wrong with the text, in words.
pub fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { text, rest: text, depth: 0 };
    let value = reader.value(None)?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(format!("{:?} is left over after the value", reader.rest)),
    }
}

const KEYWORDS: [(&str, &str); 13] = [
    ("boolean", "b"),
    ("byte", "y"),
    ("int16", "n"),
    ("uint16", "q"),
    ("int32", "i"),
    ("handle", "i"),
    ("uint32", "u"),
    ("int64", "x"),
    ("uint64", "t"),
    ("double", "d"),
    ("string", "s"),
    ("objectpath", "o"),
    ("signature", "g"),
];

/// Nobody needs more; D-Bus carries no deeper ones than twice this.
const DEEPEST: usize = 16;

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.rest = &self.rest[wanted.len_utf8()..];
        }
        there
    }

    fn word(&mut self) -> &'a str {
        let end = |c: char| !(c.is_ascii_alphanumeric() || "+-._".contains(c));
        let (word, rest) = self.rest.split_at(self.rest.find(end).unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    /// A value, of the type of this signature if it is known by now.
    fn value(&mut self, wanted: Option<&str>) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("is nested too deeply".into());
        }
        let value = self.value_here(wanted);
        self.depth -= 1;
        value
    }

    fn value_here(&mut self, wanted: Option<&str>) -> Result<Value, String> {
        match self.peek() {
            None => Err(if self.text.trim().is_empty() { "is empty" } else { "ends within a value" }.into()),
            Some('@') => self.annotated(),
            Some(quote @ ('\'' | '"')) => text(wanted.unwrap_or("s"), self.quoted(quote)?),
            Some('[') => self.array(wanted),
            Some('(') => self.tuple(wanted),
            Some(_) => self.plain(wanted),
        }
    }

    /// `@as []`
    fn annotated(&mut self) -> Result<Value, String> {
        self.rest = &self.rest[1..];
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        let (signature, rest) = self.rest.split_at(end);
        if signature.len() > DEEPEST || first_type(signature) != Some(signature) {
            return Err(format!("\"@{signature}\" names no type that is known here"));
        }
        self.rest = rest;
        self.value(Some(signature))
    }

    /// `true`, `-1`, `uint64 5`
    fn plain(&mut self, wanted: Option<&str>) -> Result<Value, String> {
        let before = self.rest;
        let word = self.word();
        if let Some((_, signature)) = KEYWORDS.iter().find(|(keyword, _)| *keyword == word) {
            return self.value(Some(signature));
        }
        let guess = match word {
            "true" | "false" => "b",
            _ if word.starts_with("0x") => "i",
            _ if word.contains('.') => "d",
            _ => "i",
        };
        let wrong = |kind: &str| format!("{:?} is not {kind}", if word.is_empty() { before } else { word });
        match wanted.unwrap_or(guess) {
            "b" => word.parse().map(Value::Bool).map_err(|_| wrong("true or false")),
            "y" => number(word).map(Value::Byte).ok_or_else(|| wrong("a byte")),
            "n" => number(word).map(Value::I16).ok_or_else(|| wrong("an int16")),
            "q" => number(word).map(Value::U16).ok_or_else(|| wrong("a uint16")),
            "u" => number(word).map(Value::U32).ok_or_else(|| wrong("a uint32")),
            "x" => number(word).map(Value::I64).ok_or_else(|| wrong("an int64")),
            "t" => number(word).map(Value::U64).ok_or_else(|| wrong("a uint64")),
            "d" => word.parse().map(Value::Double).map_err(|_| wrong("a double")),
            "i" if wanted.is_none() => number(word).map(Value::I32).ok_or_else(|| {
                let hint = if number::<i128>(word).is_some() {
                    " (larger: `uint64 N`)"
                } else {
                    "; strings are in quotes"
                };
                wrong("a value") + hint
            }),
            "i" => number(word).map(Value::I32).ok_or_else(|| wrong("an int32")),
            other => Err(wrong(&format!("of the type {other}"))),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut out = String::new();
        let mut chars = self.rest[1..].chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some(c @ ('\\' | '\'' | '"')) => out.push(c),
                    Some(c) => return Err(format!("has the escape \\{c}, which is not known here")),
                    None => break,
                },
                '\0' => return Err("holds a NUL".into()),
                c if c == quote => {
                    self.rest = chars.as_str();
                    return Ok(out);
                }
                c => out.push(c),
            }
        }
        Err(format!("has no closing {quote}"))
    }

    fn array(&mut self, wanted: Option<&str>) -> Result<Value, String> {
        let mut entry = match wanted {
            None => None,
            Some(wanted) => {
                Some(wanted.strip_prefix('a').ok_or(format!("has a list where {wanted} is due"))?.to_owned())
            }
        };
        let values = self.list(']', |reader| {
            let value = reader.value(entry.as_deref())?;
            let signature = value.signature();
            match entry.get_or_insert_with(|| signature.clone()) {
                first if *first == signature => Ok(value),
                first => Err(format!("has {first} and {signature} in one list")),
            }
        })?;
        let entry = entry.ok_or("has an empty list without a type, such as `@as []`")?;
        Ok(Value::Array(entry, values))
    }

    fn tuple(&mut self, wanted: Option<&str>) -> Result<Value, String> {
        let mut types = match wanted {
            None => None,
            Some(wanted) if wanted.starts_with('(') => Some(wanted[1..wanted.len() - 1].to_owned()),
            Some(wanted) => return Err(format!("has a tuple where {wanted} is due")),
        };
        let values = self.list(')', |reader| {
            let Some(rest) = &mut types else { return reader.value(None) };
            let first = first_type(rest).ok_or("has a tuple that is too long")?.to_owned();
            rest.drain(..first.len());
            reader.value(Some(&first))
        })?;
        match types.as_deref() {
            None | Some("") if !values.is_empty() => Ok(Value::Tuple(values)),
            _ => Err("has a tuple that is too short".into()),
        }
    }

    fn list(
        &mut self,
        close: char,
        mut entry: impl FnMut(&mut Self) -> Result<Value, String>,
    ) -> Result<Vec<Value>, String> {
        self.rest = &self.rest[1..];
        let mut values = Vec::new();
        while !self.eat(close) {
            if !values.is_empty() && !self.eat(',') {
                return Err(format!("lacks a comma or {close}"));
            }
            if !values.is_empty() && self.eat(close) {
                break;
            }
            values.push(entry(self)?);
        }
        Ok(values)
    }
}

fn text(wanted: &str, text: String) -> Result<Value, String> {
    match wanted {
        "s" => Ok(Value::Text(Kind::String, text)),
        "o" if text.starts_with('/') => Ok(Value::Text(Kind::Path, text)),
        "g" => Ok(Value::Text(Kind::Signature, text)),
        _ => Err(format!("has the string {text:?} where {wanted} is due")),
    }
}

/// Decimal, octal after `0`, hexadecimal after `0x`.
fn number<T: TryFrom<i128>>(word: &str) -> Option<T> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let (digits, base) = match digits.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    i128::from_str_radix(digits, base).ok().and_then(|n| T::try_from(sign * n).ok())
}

/// The first whole type of a signature.
fn first_type(signature: &str) -> Option<&str> {
    let length = match signature.as_bytes().first()? {
        b'a' => 1 + first_type(&signature[1..])?.len(),
        b'(' => {
            let mut length = 1;
            while signature.as_bytes().get(length) != Some(&b')') {
                length += first_type(&signature[length..])?.len();
            }
            length + 1
        }
        letter if b"bynqiuxtdsog".contains(letter) => 1,
        _ => return None,
    };
    Some(&signature[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Value {
        Value::Array("s".into(), list.iter().map(|s| Value::string(*s)).collect())
    }

    #[test]
    fn values_have_the_type_that_they_are_written_with() {
        for (text, value) in [
            ("true", Value::Bool(true)),
            ("5", Value::I32(5)),
            ("-5", Value::I32(-5)),
            ("0x10", Value::I32(16)),
            ("uint64 123456789", Value::U64(123_456_789)),
            ("uint64 18446744073709551615", Value::U64(u64::MAX)),
            ("int64 -1", Value::I64(-1)),
            ("uint32 7", Value::U32(7)),
            ("byte 0x20", Value::Byte(32)),
            ("1.5", Value::Double(1.5)),
            ("'inactive-or-failed'", Value::string("inactive-or-failed")),
            (r#""it's \"so\"""#, Value::string("it's \"so\"")),
            (r"'a\'b\\c'", Value::string(r"a'b\c")),
            ("['a.service', 'b.service']", strings(&["a.service", "b.service"])),
            ("@as []", strings(&[])),
            ("@t 5", Value::U64(5)),
            ("objectpath '/a'", Value::Text(Kind::Path, "/a".into())),
        ] {
            assert_eq!(parse(text), Ok(value), "{text}");
        }
        let pairs = parse("[('/dev/null', uint64 5)]").unwrap();
        assert_eq!(pairs.signature(), "a(st)");
        assert_eq!(parse("@a(st) [('/dev/null', 5)]").unwrap(), pairs);
    }

    #[test]
    fn what_is_no_value_is_told() {
        for (text, why) in [
            ("", "is empty"),
            ("'x", "has no closing '"),
            ("hello", "\"hello\" is not a value; strings are in quotes"),
            ("99999999999", "\"99999999999\" is not a value (larger: `uint64 N`)"),
            ("uint32 -1", "\"-1\" is not a uint32"),
            ("boolean 1", "\"1\" is not true or false"),
            ("[]", "has an empty list without a type, such as `@as []`"),
            ("['a', 1]", "\"1\" is not of the type s"),
            ("[1, ['a']]", "has a list where i is due"),
            ("['a' 'b']", "lacks a comma or ]"),
            ("['a'", "lacks a comma or ]"),
            ("1 2", "\"2\" is left over after the value"),
            ("@a{sv} {}", "\"@a{sv}\" names no type that is known here"),
            ("uint64 'x'", "has the string \"x\" where t is due"),
            ("@(st) ('a',)", "has a tuple that is too short"),
            ("uint64", "ends within a value"),
            ("{}", "\"{}\" is not a value; strings are in quotes"),
        ] {
            assert_eq!(parse(text), Err(why.into()), "{text}");
        }
        assert!(parse(&format!("@{}s 1", "a".repeat(100))).is_err());
        assert!(parse(&"[".repeat(100_000)).is_err());
    }
}
