//! A mutator for JSON: changes one value of a document and leaves it a document. Without it nearly all that a
//! fuzzer tries is refused by the parser, and never gets to what is behind it.

use libfuzzer_sys::fuzzer_mutate;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// Replaces the document in `data[..size]` by a neighbour, and gives the new size.
pub fn json(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Random(u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let parsed = serde_json::from_slice::<Value>(&data[..size]);
    // The parser itself shall see what is no JSON, too.
    let Some(mut document) = parsed.ok().filter(|_| random.below(10) > 0) else {
        return fuzzer_mutate(data, size, max_size);
    };
    for _ in 0..=random.below(3) {
        change(&mut document, &mut random);
    }
    let text = if random.below(4) == 0 {
        serde_json::to_string_pretty(&document)
    } else {
        serde_json::to_string(&document)
    };
    match text {
        Ok(text) if text.len() <= max_size => {
            data[..text.len()].copy_from_slice(text.as_bytes());
            text.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
}

struct Random(u64);

impl Random {
    /// 0 to `end` - 1.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

fn change(document: &mut Value, random: &mut Random) {
    let nodes = count(document);
    // From elsewhere in the document: sections get members of others, lists entries of others.
    let mut at = random.below(nodes);
    let other = nth(document, &mut at).map(|value| value.clone());
    let mut at = random.below(nodes);
    let Some(node) = nth(document, &mut at) else { return };
    match (random.below(8), &mut *node) {
        (0, _) => *node = other.unwrap_or_default(),
        (1, _) => *node = odd(random),
        (2, Value::Array(entries)) if !entries.is_empty() => {
            entries.remove(random.below(entries.len()));
        }
        (2, Value::Object(members)) if !members.is_empty() => {
            let key = nth_key(members, random);
            members.remove(&key);
        }
        (3, Value::Array(entries)) if !entries.is_empty() => {
            let again = entries[random.below(entries.len())].clone();
            entries.insert(random.below(entries.len() + 1), again);
        }
        (3, Value::Object(members)) if !members.is_empty() => {
            let value = members[&nth_key(members, random)].clone();
            members.insert(member(random), value);
        }
        (4, Value::Array(entries)) => entries.push(odd(random)),
        (_, Value::Object(members)) => {
            members.insert(member(random), odd(random));
        }
        (_, Value::String(text)) => *text = near(text),
        (_, Value::Number(number)) => {
            let number = number.as_i64().unwrap_or_default();
            *node = json!(number.wrapping_add([1, -1, 4096, number.wrapping_mul(-2)][random.below(4)]));
        }
        (_, Value::Bool(on)) => *on = !*on,
        (_, Value::Array(entries)) if entries.len() > 1 => entries.swap(0, 1),
        (_, Value::Array(_) | Value::Null) => *node = odd(random),
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(entries) => entries.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

fn nth<'v>(value: &'v mut Value, at: &mut usize) -> Option<&'v mut Value> {
    if *at == 0 {
        return Some(value);
    }
    *at -= 1;
    match value {
        Value::Array(entries) => entries.iter_mut().find_map(|entry| nth(entry, at)),
        Value::Object(members) => members.values_mut().find_map(|member| nth(member, at)),
        _ => None,
    }
}

fn nth_key(members: &Map<String, Value>, random: &mut Random) -> String {
    members.keys().nth(random.below(members.len())).cloned().unwrap_or_default()
}

/// The text with some bytes changed, and the fuzzer's dictionary in it.
fn near(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let (size, most) = (bytes.len(), bytes.len() + 32);
    bytes.resize(most, 0);
    let size = fuzzer_mutate(&mut bytes, size, most);
    String::from_utf8_lossy(&bytes[..size]).into_owned()
}

fn odd(random: &mut Random) -> Value {
    match random.below(6) {
        0 => json!(text(random)),
        1 => json!(i64::MIN.wrapping_add([0, 1, i64::MAX, -1][random.below(4)])),
        2 => json!(NUMBERS[random.below(NUMBERS.len())]),
        3 => [json!([]), json!({}), json!(null), json!(true), json!(false), json!(1.5), json!(1e300)]
            [random.below(7)]
        .clone(),
        4 => json!({member(random): text(random)}),
        _ => json!([text(random)]),
    }
}

const NUMBERS: &[u64] = &[
    0,
    1,
    2,
    5,
    9,
    10,
    19,
    20,
    40,
    99,
    100,
    255,
    256,
    511,
    1000,
    1001,
    4095,
    4096,
    65535,
    65536,
    262_144,
    262_145,
    1_000_000,
    1_048_575,
    1_048_576,
    2_147_483_647,
    2_147_483_648,
    4_294_967_295,
    4_294_967_296,
    999_999_999_999,
    1 << 62,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX,
];

/// The dictionary: members first, then what they may say.
static WORDS: LazyLock<[Vec<String>; 2]> = LazyLock::new(|| {
    let (members, texts) = include_str!("../words.dict").split_once("\n\n").unwrap_or_default();
    [members, texts].map(|part| part.lines().filter(|line| line.starts_with('"')).map(word).collect())
});

/// A word as libFuzzer writes it: quoted, with `\xAB` for bytes.
fn word(line: &str) -> String {
    let inner = &line[1..line.len() - 1];
    let (mut bytes, mut rest) = (Vec::new(), inner.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, rest) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digit = |c: &u8| char::from(*c).to_digit(16).unwrap_or_default() as u8;
                bytes.push(digit(high) << 4 | digit(low));
                rest = after;
            }
            (b'\\', [plain, after @ ..]) => {
                bytes.push(*plain);
                rest = after;
            }
            (plain, _) => bytes.push(*plain),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn member(random: &mut Random) -> String {
    WORDS[0][random.below(WORDS[0].len())].clone()
}

/// A word, or what no word should have in it.
fn text(random: &mut Random) -> String {
    match random.below(8) {
        0 => member(random),
        1 => ["", "\0", "a\0b", "a\nb", "\u{1b}[2J", "..", "a,b", "\\", "\""][random.below(9)].to_owned(),
        2 => "x".repeat(1 << random.below(10)),
        _ => WORDS[1][random.below(WORDS[1].len())].clone(),
    }
}
