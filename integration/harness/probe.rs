//! A static program that makes one system call, whatever its number, and ends with its errno.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::bundle::Bundle;
use super::case::Case;

/// How the kernel is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// As programs of this machine do it.
    Native,
    /// As 32-bit ones do it.
    X86,
}

/// Puts the program into the root filesystem as `/NAME`. Its exit status is 0 or an errno.
pub fn install(case: &Case, bundle: &Bundle, name: &str, entry: Entry, number: u32) {
    if !cfg!(target_arch = "x86_64") {
        case.skip("there is a program only for x86_64");
    }
    let path = bundle.in_rootfs(name);
    fs::write(&path, elf(&code(entry, number))).expect("write the program");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
    case.give(&path);
}

fn code(entry: Entry, number: u32) -> Vec<u8> {
    // xor edi, edi; xor esi, esi; xor ebx, ebx; xor ecx, ecx; mov eax, number
    let mut code = vec![0x31, 0xff, 0x31, 0xf6, 0x31, 0xdb, 0x31, 0xc9, 0xb8];
    code.extend(number.to_le_bytes());
    code.extend(match entry {
        // syscall
        Entry::Native => [0x0f, 0x05],
        // int 0x80
        Entry::X86 => [0xcd, 0x80],
    });
    // neg eax; jns over the next; xor eax, eax; mov edi, eax; mov eax, 231 (exit_group); syscall
    code.extend([0xf7, 0xd8, 0x79, 0x02, 0x31, 0xc0, 0x89, 0xc7, 0xb8, 231, 0, 0, 0, 0x0f, 0x05]);
    code
}

/// An executable of elf(5) with one segment, which is the whole file.
fn elf(code: &[u8]) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    const EM_X86_64: u16 = 62;
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    let mut put = |bytes: &[u8]| elf.extend_from_slice(bytes);
    [2, EM_X86_64].iter().for_each(|n| put(&n.to_le_bytes()));
    put(&1u32.to_le_bytes());
    [BASE + HEADERS, 64, 0].iter().for_each(|n| put(&n.to_le_bytes()));
    put(&0u32.to_le_bytes());
    [64u16, 56, 1, 64, 0, 0].iter().for_each(|n| put(&n.to_le_bytes()));
    // PT_LOAD, readable and executable.
    [1u32, 5].iter().for_each(|n| put(&n.to_le_bytes()));
    let size = HEADERS + code.len() as u64;
    [0, BASE, BASE, size, size, 0x1000].iter().for_each(|n| put(&n.to_le_bytes()));
    put(code);
    elf
}
