//! What the kernel says while a case runs: who was killed by it and why stands nowhere else.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

/// The newest of so many lines are shown.
const LINES: usize = 8;

/// /dev/kmsg from some moment on; nothing for who may not read it.
pub struct Kernel(Option<File>);

impl Kernel {
    pub fn from_now_on() -> Kernel {
        let open = || {
            let mut log = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg")?;
            log.seek(SeekFrom::End(0))?;
            Ok::<File, std::io::Error>(log)
        };
        Kernel(open().ok())
    }

    /// Each read gives one record: `level,number,microseconds,flags;text` and lines about the device.
    pub fn said(self) -> String {
        let Some(mut log) = self.0 else { return String::new() };
        let (mut lines, mut buffer) = (Vec::new(), [0; 8192]);
        loop {
            match log.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    let record = String::from_utf8_lossy(&buffer[..n]);
                    let text = record.split_once(';').map_or("", |(_, text)| text);
                    let line: String = text.lines().next().unwrap_or_default().chars().take(150).collect();
                    lines.push(format!("    kernel: {line}\n"));
                }
                // EPIPE: some were overwritten before they were read.
                Err(e) if e.raw_os_error() == Some(libc::EPIPE) => {}
                Err(_) => break,
            }
        }
        lines[lines.len().saturating_sub(LINES)..].concat()
    }
}
