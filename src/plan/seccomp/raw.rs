//! A BPF program in base64, as the annotation `run.oci.seccomp_bpf_data` of crun has it.

use crate::error::{Error, Result};
use libc::{BPF_K, BPF_RET, sock_filter};

/// Bytes of a `sock_filter`.
const INSTRUCTION: usize = 8;

/// The program; the kernel checks it when it is loaded.
pub(super) fn program(base64: &str) -> Result<Vec<sock_filter>> {
    let bytes = decode(base64).ok_or_else(|| Error::new("is not base64"))?;
    let (instructions, rest) = bytes.as_chunks::<INSTRUCTION>();
    match (instructions.len(), rest.len()) {
        (1..=super::MAX_INSTRUCTIONS, 0) => Ok(instructions.iter().map(instruction).collect()),
        (_, 0) => Err(Error::new(format!(
            "has {} instructions, the kernel takes 1 to {}",
            instructions.len(),
            super::MAX_INSTRUCTIONS
        ))),
        _ => Err(Error::new(format!(
            "is {} bytes in base64, which is no number of instructions of {INSTRUCTION}",
            bytes.len()
        ))),
    }
}

/// Whether an instruction of it returns the action that waits for an agent.
pub(super) fn notifies(program: &[sock_filter]) -> bool {
    let returns = |i: &&sock_filter| u32::from(i.code) == BPF_RET | BPF_K;
    program
        .iter()
        .filter(returns)
        .any(|i| i.k & libc::SECCOMP_RET_ACTION_FULL == libc::SECCOMP_RET_USER_NOTIF)
}

fn instruction(bytes: &[u8; INSTRUCTION]) -> sock_filter {
    let [c0, c1, jt, jf, k @ ..] = *bytes;
    sock_filter { code: u16::from_ne_bytes([c0, c1]), jt, jf, k: u32::from_ne_bytes(k) }
}

/// RFC 4648, section 4; the padding may be missing.
fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    let padded = digits.len() != text.len();
    if digits.len() % 4 == 1 || (padded && !text.len().is_multiple_of(4)) {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0u32, 0);
    for digit in digits.bytes() {
        bits = bits << 6 | value(digit)?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u32> {
    Some(
        match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        }
        .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmE", "fooba")]
        {
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode("+/A="), Some(vec![0xfb, 0xf0]));
        for wrong in ["Z", "Zg=", "Zm9v=", "Zm=v", "Zm 9", "Zm9vZ", "Z-_="] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_program_has_whole_instructions_and_at_least_one() {
        // ld [0]; ret ALLOW
        let two = program("IAAAAAAAAAAGAAAAAAD/fw==").unwrap();
        let of = |i: &sock_filter| (i.code, i.jt, i.jf, i.k);
        let expected = [(0x20, 0, 0, 0), (0x06, 0, 0, libc::SECCOMP_RET_ALLOW)];
        assert_eq!(two.iter().map(of).collect::<Vec<_>>(), expected);
        assert!(!notifies(&two));
        assert!(notifies(&program("BgAAAAAAwH8=").unwrap()));
        let why = |text: &str| program(text).unwrap_err().to_string();
        assert_eq!(why("!"), "is not base64");
        assert_eq!(why("AAAA"), "is 3 bytes in base64, which is no number of instructions of 8");
        assert_eq!(why(""), "has 0 instructions, the kernel takes 1 to 4096");
    }
}
