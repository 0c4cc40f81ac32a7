//! JSON text to typed values: straight where all is well, and with all type errors at once where
//! it is not.

use super::position;
use crate::error::{Cause, Error, Result, Violation};
use crate::spec::config::read::Object;
use crate::spec::validate::Report;
use crate::spec::validate::at::{At, overlap, quoted};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_path_to_error::Segment;
use std::cell::RefCell;
use std::fmt;

/// So many wrong types are listed; each costs one more pass over the document.
const MOST_TYPE_ERRORS: usize = 100;

/// Parses `text`. If a value has the wrong type, all such values are listed, with the mistakes that
/// `validate` finds in the rest.
///
/// # Errors
/// A syntax error with line and column, or [`crate::error::Cause::Invalid`].
pub(super) fn document<T: DeserializeOwned>(text: &str, validate: fn(&T) -> Report) -> Result<T> {
    match serde_json::from_str::<Object<T>>(text) {
        Ok(document) => Ok(document.0),
        Err(first) => Err(explain(text, &first, validate)),
    }
}

fn explain<T: DeserializeOwned>(text: &str, first: &serde_json::Error, validate: fn(&T) -> Report) -> Error {
    let twice = RefCell::new(Vec::new());
    let mut reader = serde_json::Deserializer::from_str(text);
    let parsed = Tree { at: &At::Root, twice: &twice }.deserialize(&mut reader);
    let value = match parsed.and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => value,
        Err(error) => return syntax(text, &error),
    };
    if !value.is_object() {
        return Error::new(wrong_type(&value, "an object", false));
    }
    let mut repair = Repair { value, broken: Vec::new(), violations: twice.into_inner() };
    let rest = repair.run::<T>();
    if let Some(rest) = &rest {
        repair.violations.extend(validate(rest).apart_from(&repair.broken));
    }
    if repair.violations.is_empty() {
        return syntax(text, first);
    }
    let error = locate(Error::invalid(repair.violations), text);
    if rest.is_none() { error.hint("there may be more mistakes") } else { error }
}

fn syntax(text: &str, error: &serde_json::Error) -> Error {
    if text.trim().is_empty() {
        return Error::new("is empty");
    }
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let why = message.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&message);
    let why = why.replace("recursion limit exceeded", "is nested deeper than 127 levels");
    let within = position::of_syntax_error(text).map_or(String::new(), |path| format!(" (in {path})"));
    Error::new(format!("line {line} column {column}: {why}{within}"))
}

/// Adds the position of their values to the mistakes of an error.
pub(super) fn locate(error: Error, text: &str) -> Error {
    let Cause::Invalid(violations) = error.cause() else { return error };
    let paths: Vec<_> = violations.iter().map(|violation| violation.path.as_str()).collect();
    let positions = position::of(text, &paths);
    error.with_each_mistake(|i, violation| {
        if let Some(position) = positions[i] {
            violation.text.push_str(&format!(" ({position})"));
        }
    })
}

/// One step from a value into it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// A document whose wrong values are replaced one by one until it parses.
struct Repair {
    value: Value,
    /// Paths of what was replaced.
    broken: Vec<String>,
    violations: Vec<Violation>,
}

impl Repair {
    /// The document with every wrong value replaced by an empty one of the right type, or `None` if
    /// that did not help.
    fn run<T: DeserializeOwned>(&mut self) -> Option<T> {
        for _ in 0..=MOST_TYPE_ERRORS {
            match serde_path_to_error::deserialize::<_, Object<T>>(&self.value) {
                Ok(document) => return Some(document.0),
                Err(error) => {
                    let steps: Vec<Step> = error.path().iter().map(step).collect::<Option<_>>()?;
                    self.replace(steps, &error.inner().to_string())?;
                }
            }
        }
        None
    }

    /// Records what is wrong at `steps`, where serde says `message`, and replaces it.
    fn replace(&mut self, mut steps: Vec<Step>, message: &str) -> Option<()> {
        let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        let (text, replacement) = match missing {
            Some(field) => {
                steps.push(Step::Key(field.to_owned()));
                ("is missing".to_owned(), Value::from(0))
            }
            None => {
                let (_, wanted) = message.rsplit_once(", expected ")?;
                let (name, replacement) = expectation(wanted)?;
                (wrong_type(find(&mut self.value, &steps)?, &name, is_secret(&steps)), replacement)
            }
        };
        let path = render(&steps);
        let within = self.broken.iter().any(|broken| broken.len() < path.len() && overlap(broken, &path));
        // A missing member is first replaced by a number; where that is wrong too, once more.
        match self.broken.iter().filter(|broken| **broken == path).count() {
            0 if within => {}
            0 => self.violations.push(Violation { path: path.clone(), text }),
            1 => {}
            _ => return None,
        }
        self.broken.push(path);
        put(&mut self.value, &steps, replacement)
    }
}

fn step(segment: &Segment) -> Option<Step> {
    match segment {
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

fn find<'v>(mut value: &'v mut Value, steps: &[Step]) -> Option<&'v mut Value> {
    for step in steps {
        value = match step {
            Step::Key(key) => value.get_mut(key)?,
            Step::Index(index) => value.get_mut(index)?,
        };
    }
    Some(value)
}

fn put(value: &mut Value, steps: &[Step], new: Value) -> Option<()> {
    let (last, parents) = steps.split_last()?;
    let parent = find(value, parents)?;
    match last {
        Step::Key(key) => drop(parent.as_object_mut()?.insert(key.clone(), new)),
        Step::Index(index) => *parent.get_mut(index)? = new,
    }
    Some(())
}

fn render(steps: &[Step]) -> String {
    fn go(at: &At<'_>, steps: &[Step]) -> String {
        match steps {
            [] => at.to_string(),
            [Step::Key(key), rest @ ..] => go(&at.key(key), rest),
            [Step::Index(index), rest @ ..] => go(&at.index(*index), rest),
        }
    }
    go(&At::Root, steps)
}

/// Environments hold passwords, so their text is not shown.
fn is_secret(steps: &[Step]) -> bool {
    steps.iter().any(|step| *step == Step::Key("env".to_owned()))
}

/// What serde expects, in the words of JSON, and an empty value of that type.
fn expectation(wanted: &str) -> Option<(String, Value)> {
    let range =
        |min: &dyn fmt::Display, max: &dyn fmt::Display| format!("a whole number from {min} to {max}");
    let name = match wanted {
        "a string" => return Some((wanted.to_owned(), Value::from(""))),
        "a boolean" => return Some(("true or false".to_owned(), Value::from(false))),
        "a sequence" => return Some(("a list".to_owned(), Value::Array(Vec::new()))),
        "an object" => return Some((wanted.to_owned(), Value::Object(Map::new()))),
        "u16" => range(&u16::MIN, &u16::MAX),
        "u32" => range(&u32::MIN, &u32::MAX),
        "u64" => range(&u64::MIN, &u64::MAX),
        "i32" => range(&i32::MIN, &i32::MAX),
        "i64" => range(&i64::MIN, &i64::MAX),
        _ => return None,
    };
    Some((name, Value::from(0)))
}

fn wrong_type(value: &Value, wanted: &str, secret: bool) -> String {
    let got = match value {
        Value::Array(_) => return format!("is a list, not {wanted}"),
        Value::Object(_) => return format!("is an object, not {wanted}"),
        Value::String(_) if secret => return format!("is a string, not {wanted}"),
        Value::String(text) => quoted(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    format!("{got} is not {wanted}")
}

/// Reads a [`Value`] and notes the members that are given twice, which a [`Value`] cannot show.
struct Tree<'a> {
    at: &'a At<'a>,
    twice: &'a RefCell<Vec<Violation>>,
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        let twice = self.twice;
        while let Some(value) = list.next_element_seed(Tree { at: &self.at.index(values.len()), twice })? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let at = self.at.key(&key);
            let value = map.next_value_seed(Tree { at: &at, twice: self.twice })?;
            if members.contains_key(&key) {
                let violation = Violation { path: at.to_string(), text: "is given twice".to_owned() };
                self.twice.borrow_mut().push(violation);
            }
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}
