//! Messages of D-Bus as bytes (D-Bus Specification, "Marshaling" and "Message Protocol").

use crate::spec::gvariant::{Kind as Text, Value};

/// Bytes that are aligned as D-Bus wants them, from the first one on; in the byte order of this machine, which is
/// that of the peer too.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    fn pad(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn bytes<const N: usize>(&mut self, bytes: [u8; N]) {
        self.pad(N);
        self.0.extend(bytes);
    }

    pub(super) fn u32(&mut self, n: u32) {
        self.bytes(n.to_ne_bytes());
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.u32(value.into());
    }

    pub(super) fn string(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.0.push(text.len() as u8);
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    pub(super) fn variant(&mut self, value: &Value) {
        self.signature(&value.signature());
        self.value(value);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Bool(b) => self.boolean(*b),
            Value::Byte(n) => self.bytes([*n]),
            Value::I16(n) => self.bytes(n.to_ne_bytes()),
            Value::U16(n) => self.bytes(n.to_ne_bytes()),
            Value::I32(n) => self.bytes(n.to_ne_bytes()),
            Value::U32(n) => self.u32(*n),
            Value::I64(n) => self.bytes(n.to_ne_bytes()),
            Value::U64(n) => self.bytes(n.to_ne_bytes()),
            Value::Double(n) => self.bytes(n.to_ne_bytes()),
            Value::Text(Text::Signature, text) => self.signature(text),
            Value::Text(Text::String | Text::Path, text) => self.string(text),
            Value::Array(entry, values) => {
                let alignment = alignment(entry);
                self.array(alignment, |w| values.iter().for_each(|value| w.value(value)));
            }
            Value::Tuple(values) => {
                self.pad(8);
                values.iter().for_each(|value| self.value(value));
            }
        }
    }

    /// An array, with its length before it; the padding before the first entry does not count.
    pub(super) fn array(&mut self, alignment: usize, entries: impl FnOnce(&mut Self)) {
        self.u32(0);
        let length_at = self.0.len() - 4;
        self.pad(alignment);
        let start = self.0.len();
        entries(self);
        let length = (self.0.len() - start) as u32;
        self.0[length_at..length_at + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// The entries of an `a(sv)`.
    pub(super) fn property(&mut self, name: &str, value: &Value) {
        self.pad(8);
        self.string(name);
        self.variant(value);
    }
}

fn alignment(signature: &str) -> usize {
    match signature.as_bytes().first() {
        Some(b'n' | b'q') => 2,
        Some(b'x' | b't' | b'd' | b'(') => 8,
        Some(b'y' | b'g') => 1,
        _ => 4,
    }
}

/// A call of a method.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// Empty where there is no bus in between.
    pub destination: &'a str,
    pub path: &'a str,
    pub interface: &'a str,
    pub member: &'a str,
    /// Of the arguments.
    pub signature: &'a str,
}

#[cfg(target_endian = "little")]
const ENDIAN: u8 = b'l';
#[cfg(target_endian = "big")]
const ENDIAN: u8 = b'B';

const VERSION: u8 = 1;

/// The header's fields that are of use here.
mod field {
    pub const PATH: u8 = 1;
    pub const INTERFACE: u8 = 2;
    pub const MEMBER: u8 = 3;
    pub const ERROR_NAME: u8 = 4;
    pub const REPLY_SERIAL: u8 = 5;
    pub const DESTINATION: u8 = 6;
    pub const SIGNATURE: u8 = 8;
}

/// A whole message.
pub(super) fn encode(call: &Call, serial: u32, body: Writer) -> Vec<u8> {
    let mut message = Writer(vec![ENDIAN, 1, 0, VERSION]);
    message.u32(body.0.len() as u32);
    message.u32(serial);
    message.array(8, |w| {
        for (code, kind, text) in [
            (field::PATH, "o", call.path),
            (field::INTERFACE, "s", call.interface),
            (field::MEMBER, "s", call.member),
            (field::DESTINATION, "s", call.destination),
            (field::SIGNATURE, "g", call.signature),
        ] {
            if text.is_empty() {
                continue;
            }
            w.pad(8);
            w.0.push(code);
            w.signature(kind);
            if kind == "g" { w.signature(text) } else { w.string(text) }
        }
    });
    message.pad(8);
    message.0.extend(body.0);
    message.0
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Return,
    Error,
    Signal,
    /// Nothing that is waited for.
    Other,
}

/// A message that came.
#[derive(Debug)]
pub(super) struct Message {
    pub kind: Kind,
    /// Of the call that it answers.
    pub reply_to: u32,
    /// Of a signal.
    pub member: String,
    /// Of an error.
    pub error: String,
    body: Vec<u8>,
}

/// The fixed part, which has the lengths of the rest.
pub(super) const FIXED: usize = 16;

/// Nothing that is said here is longer.
const LONGEST: usize = 1 << 20;

/// How long the message is that begins so; `None`: it is none.
pub(super) fn length(fixed: &[u8]) -> Option<usize> {
    let mut reader = Reader { bytes: fixed, at: 4 };
    let (body, _, fields) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let whole =
        FIXED.checked_add(fields as usize)?.checked_next_multiple_of(8)?.checked_add(body as usize)?;
    (fixed[0] == ENDIAN && fixed[3] == VERSION && whole <= LONGEST).then_some(whole)
}

/// Reads a message that is there as a whole.
pub(super) fn decode(bytes: &[u8]) -> Option<Message> {
    let mut reader = Reader { bytes, at: 12 };
    let end = FIXED + reader.u32()? as usize;
    let kind = match bytes[1] {
        2 => Kind::Return,
        3 => Kind::Error,
        4 => Kind::Signal,
        _ => Kind::Other,
    };
    let mut message =
        Message { kind, reply_to: 0, member: String::new(), error: String::new(), body: Vec::new() };
    while reader.at < end {
        reader.pad(8);
        let code = reader.byte()?;
        match reader.signature()?.as_str() {
            "s" | "o" => {
                let text = reader.string()?;
                match code {
                    field::MEMBER => message.member = text,
                    field::ERROR_NAME => message.error = text,
                    _ => {}
                }
            }
            "g" => drop(reader.signature()?),
            "u" => {
                let number = reader.u32()?;
                if code == field::REPLY_SERIAL {
                    message.reply_to = number;
                }
            }
            _ => return None,
        }
    }
    reader.pad(8);
    message.body = bytes.get(reader.at..)?.to_vec();
    Some(message)
}

impl Message {
    /// The first argument, which is a string or a path.
    pub(super) fn text(&self) -> Option<String> {
        Reader { bytes: &self.body, at: 0 }.string()
    }

    /// The path of the job, and how it ended: of the signal JobRemoved.
    pub(super) fn job(&self) -> Option<(String, String)> {
        let mut reader = Reader { bytes: &self.body, at: 0 };
        let (_, job, _) = (reader.u32()?, reader.string()?, reader.string()?);
        Some((job, reader.string()?))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn pad(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn u32(&mut self) -> Option<u32> {
        self.pad(4);
        self.take(4)?.try_into().ok().map(u32::from_ne_bytes)
    }

    fn string(&mut self) -> Option<String> {
        let length = self.u32()? as usize;
        self.text(length)
    }

    fn signature(&mut self) -> Option<String> {
        let length = self.byte()?.into();
        self.text(length)
    }

    fn text(&mut self, length: usize) -> Option<String> {
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.byte()?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::gvariant::parse;

    #[test]
    fn values_are_aligned_from_the_start_of_the_body() {
        let written = |text: &str| {
            let mut writer = Writer::default();
            writer.variant(&parse(text).unwrap());
            writer.0
        };
        assert_eq!(written("true"), [1, b'b', 0, 0, 1, 0, 0, 0]);
        assert_eq!(written("uint64 1"), [1, b't', 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(written("'ab'"), [1, b's', 0, 0, 2, 0, 0, 0, b'a', b'b', 0]);
        assert_eq!(written("[byte 1, 2]"), [2, b'a', b'y', 0, 2, 0, 0, 0, 1, 2]);
        // The length is 8, though there are 4 bytes of padding before the entry.
        let expected = [2, b'a', b't', 0, 8, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(written("@at [7]"), expected);
        assert_eq!(written("@as []"), [2, b'a', b's', 0, 0, 0, 0, 0]);
        assert_eq!(
            written("('a', uint16 2)"),
            [4, b'(', b's', b'q', b')', 0, 0, 0, 1, 0, 0, 0, b'a', 0, 2, 0]
        );
    }

    #[test]
    fn a_call_can_be_read_again() {
        let call =
            Call { destination: "org.x", path: "/x", interface: "org.x.I", member: "Do", signature: "s" };
        let mut body = Writer::default();
        body.string("hello");
        let bytes = encode(&call, 7, body);
        assert_eq!(length(&bytes[..FIXED]), Some(bytes.len()));
        let message = decode(&bytes).unwrap();
        assert_eq!((message.member.as_str(), message.text().as_deref()), ("Do", Some("hello")));
        for short in FIXED..bytes.len() - 10 {
            assert!(decode(&bytes[..short]).is_none(), "{short} bytes");
        }
        assert_eq!(length(b"l\x02\x00\x01\xff\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\x00"), None);
        assert_eq!(length(b"HTTP/1.1 400 Bad"), None);
    }
}
