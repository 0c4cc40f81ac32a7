//! Members that the specification does not have. They are ignored, as it demands (config.md,
//! "Extensibility"); who asks for it is told of them, since most are spelling mistakes.

use crate::spec::config::read::Object;
use crate::spec::validate::at::At;
use serde::de::value::StrDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value, map};
use std::cell::RefCell;
use std::slice;

/// A member that is not known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    /// Its JSON path.
    pub path: String,
    /// The name of a member that would be known there, if one is nearly the same.
    pub near: Option<&'static str>,
}

/// All members of `text` that a `T` does not have.
pub(super) fn members<T: for<'de> Deserialize<'de>>(text: &str) -> Vec<Unknown> {
    let found = RefCell::default();
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        let whole = Watched { value: &value, at: &At::Root, found: &found };
        // It was read before, so there is no error.
        let _ = Object::<T>::deserialize(whole);
    }
    found.into_inner()
}

/// The name of `known` that `name` may be meant for.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let (distance, near) = known.iter().map(|known| (distance(name, known), *known)).min()?;
    (distance * 3 <= name.len().max(near.len())).then_some(near)
}

/// How many letters must be put in, taken out, replaced or swapped with their neighbours (the optimal
/// string alignment distance); upper case is lower case.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_ascii_lowercase().into_bytes(), b.to_ascii_lowercase().into_bytes());
    // rows[i][j] is the distance between the first i letters and the first j.
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// A value that notes which members nobody reads.
struct Watched<'de, 'a> {
    value: &'de Value,
    at: &'a At<'a>,
    found: &'a RefCell<Vec<Unknown>>,
}

impl<'de> Watched<'de, '_> {
    fn members<V: Visitor<'de>>(
        self,
        known: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.value {
            Value::Object(members) => {
                visitor.visit_map(Members { watched: self, members: members.iter(), known, next: None })
            }
            _ => self.deserialize_any(visitor),
        }
    }
}

impl<'de> Deserializer<'de> for Watched<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Array(list) => visitor.visit_seq(Entries { watched: self, list: list.iter(), index: 0 }),
            Value::Object(_) => self.members(None, visitor),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                self.value.deserialize_any(visitor)
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.members(Some(known), visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Entries<'de, 'a> {
    watched: Watched<'de, 'a>,
    list: slice::Iter<'de, Value>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Entries<'de, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(value) = self.list.next() else { return Ok(None) };
        self.index += 1;
        let at = self.watched.at.index(self.index - 1);
        seed.deserialize(Watched { value, at: &at, found: self.watched.found }).map(Some)
    }
}

struct Members<'de, 'a> {
    watched: Watched<'de, 'a>,
    members: map::Iter<'de>,
    /// The names that the reader knows; none where every name is welcome.
    known: Option<&'static [&'static str]>,
    next: Option<(&'de str, &'de Value)>,
}

impl<'de> MapAccess<'de> for Members<'de, '_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some((key, value)) = self.members.next() else { return Ok(None) };
        if let Some(known) = self.known.filter(|known| !known.contains(&key.as_str())) {
            let path = self.watched.at.key(key).to_string();
            self.watched.found.borrow_mut().push(Unknown { path, near: nearest(key, known) });
        }
        self.next = Some((key, value));
        let key: StrDeserializer<'_, Error> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let (key, value) = self.next.take().unwrap_or(("", &Value::Null));
        let at = self.watched.at.key(key);
        seed.deserialize(Watched { value, at: &at, found: self.watched.found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::config::{Process, Spec};

    fn spec(text: &str) -> Vec<(String, Option<&'static str>)> {
        members::<Spec>(text).into_iter().map(|unknown| (unknown.path, unknown.near)).collect()
    }

    #[test]
    fn unknown_members_are_named_with_their_path_and_the_nearest_name() {
        let text = r#"{
            "ociversion": "1.0.0", "whatever": {"hostname": 1}, "annotations": {"anything": "goes"},
            "process": {"user": {"UID": 1}, "oomScoreAjd": 1, "noNewPrivs": true},
            "mounts": [{"destination": "/a"}, {"destination": "/b", "option": ["ro"]}],
            "linux": {"sysctl": {"a": "b"}, "resources": {"memory": {"limits": 1}, "unified": {"x": "y"}},
                "seccomp": {"syscalls": [{"name": "x", "args": [{"index": 0, "value": 1, "valueTow": 2}]}]}}
        }"#;
        let expected = [
            ("linux.resources.memory.limits", Some("limit")),
            ("linux.seccomp.syscalls[0].args[0].valueTow", Some("valueTwo")),
            ("linux.seccomp.syscalls[0].name", Some("names")),
            ("mounts[1].option", Some("options")),
            ("ociversion", Some("ociVersion")),
            ("process.noNewPrivs", Some("noNewPrivileges")),
            ("process.oomScoreAjd", Some("oomScoreAdj")),
            ("process.user.UID", Some("uid")),
            ("whatever", None),
        ];
        let mut found = spec(text);
        found.sort();
        let expected: Vec<_> = expected.map(|(path, near)| (path.to_owned(), near)).into();
        assert_eq!(found, expected);
    }

    #[test]
    fn nothing_is_said_of_what_is_known() {
        let text = r#"{"ociVersion": "1.0.0", "root": {"path": "a"}, "linux": null, "mounts": null,
            "process": {"args": ["sh"], "rlimits": [{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}]}}"#;
        assert_eq!(spec(text), []);
        assert_eq!(members::<Process>(r#"{"args": [], "cwd": "/", "consoleSize": {"height": 1}}"#), []);
        assert_eq!(members::<Process>(r#"{"arg": []}"#).len(), 1);
    }

    #[test]
    fn the_nearest_name_is_one_with_few_other_letters() {
        let table = [
            ("", "", 0),
            ("abc", "ABC", 0),
            ("abc", "abd", 1),
            ("paht", "path", 1),
            ("kitten", "sitting", 3),
        ];
        for (a, b, expected) in table {
            assert_eq!((distance(a, b), distance(b, a)), (expected, expected), "{a} {b}");
        }
        assert_eq!(nearest("x", &["y", "z"]), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
