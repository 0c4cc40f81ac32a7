//! JSON for people: indented with tabs, as runc and crun write it, and with the fields in the order
//! of the specification's own examples rather than of the alphabet.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;
use serde_json::ser::PrettyFormatter;

/// Fields that come before all others of their object, in this order.
const FIRST: &[&str] = &[
    "ociVersion",
    "ociVersionMin",
    "ociVersionMax",
    "hooks",
    "mountOptions",
    "enabled",
    "terminal",
    "user",
    "uid",
    "gid",
    "args",
    "env",
    "cwd",
    "capabilities",
    "bounding",
    "effective",
    "permitted",
    "rlimits",
    "destination",
    "type",
    "hard",
    "source",
    "containerID",
    "hostID",
    "allow",
    "actions",
    "operators",
    "archs",
    "process",
    "root",
    "hostname",
    "mounts",
    "resources",
    "uidMappings",
    "gidMappings",
    "namespaces",
    "maskedPaths",
    "readonlyPaths",
    "linux",
];

/// The text of `value`, with a line break at its end.
pub fn pretty(value: &Value) -> String {
    let mut text = Vec::new();
    let mut serializer =
        serde_json::Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"\t"));
    // Neither can fail: a Value has only string keys, and a Vec takes any number of bytes.
    InOrder(value).serialize(&mut serializer).expect("a JSON value is serializable");
    text.push(b'\n');
    String::from_utf8(text).expect("serde_json writes UTF-8")
}

struct InOrder<'a>(&'a Value);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => {
                let rank = |name: &str| FIRST.iter().position(|f| *f == name).unwrap_or(FIRST.len());
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|(name, _)| rank(name));
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, &InOrder(value))?;
                }
                map.end()
            }
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&InOrder(item))?;
                }
                list.end()
            }
            plain => plain.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_version_comes_first_and_the_unknown_last() {
        let value = json!({"zebra": 1, "root": {"path": "r"}, "ape": [], "ociVersion": "1.3.0"});
        let expected = "{\n\t\"ociVersion\": \"1.3.0\",\n\t\"root\": {\n\t\t\"path\": \"r\"\n\t},\n\t\"ape\": [],\n\t\"zebra\": 1\n}\n";
        assert_eq!(pretty(&value), expected);
    }
}
