//! A terminal for the runtime.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::sync::{Arc, Mutex};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{LocalFlags, tcgetattr};

use super::case::Case;
use super::child_process::succeeds;

/// Both ends of a pseudoterminal; a thread collects what is printed on it.
pub struct Pty {
    slave: File,
    master: File,
    printed: Arc<Mutex<Vec<u8>>>,
}

impl Pty {
    /// Both ends are closed on exec from the first moment: other cases start processes, too.
    pub fn new(case: &Case, rows: u16, columns: u16) -> Pty {
        let pty = Pty::unread(case, rows, columns);
        let (mut reader, sink) = (pty.master.try_clone().expect("dup"), Arc::clone(&pty.printed));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                sink.lock().expect("lock").extend_from_slice(&buffer[..n]);
            }
        });
        pty
    }

    /// The same, but nobody reads what is printed.
    pub fn unread(case: &Case, rows: u16, columns: u16) -> Pty {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let pty = posix_openpt(flags).expect("posix_openpt");
        grantpt(&pty).expect("grantpt");
        unlockpt(&pty).expect("unlockpt");
        let name = ptsname_r(&pty).expect("ptsname_r");
        let mut options = OpenOptions::new();
        let slave = options.read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(name);
        let slave = slave.expect("open the terminal");
        let master = File::from(pty.as_fd().try_clone_to_owned().expect("dup of the terminal"));
        let printed = Arc::default();
        let pty = Pty { slave, master, printed };
        pty.resize(case, rows, columns);
        pty
    }

    /// Changes the window size, as a terminal emulator does.
    pub fn resize(&self, case: &Case, rows: u16, columns: u16) {
        let size = ["stty", "rows", &rows.to_string(), "cols", &columns.to_string()].map(str::to_string);
        let done = succeeds(Command::new(&case.host.busybox).args(size).stdin(self.slave()));
        assert!(done, "stty");
    }

    /// How many bytes were printed up to now.
    pub fn count(&self) -> usize {
        self.printed.lock().expect("lock").len()
    }

    /// Everything printed up to now, as it arrived.
    pub fn bytes(&self) -> Vec<u8> {
        self.printed.lock().expect("lock").clone()
    }

    /// Sets the modes that a shell has while it reads a command.
    pub fn cook(&self, case: &Case) {
        let mut stty = Command::new(&case.host.busybox);
        assert!(succeeds(stty.args(["stty", "sane"]).stdin(self.slave())), "stty");
    }

    /// The end for the runtime.
    pub fn slave(&self) -> File {
        self.slave.try_clone().expect("dup of the terminal")
    }

    /// Everything printed up to now.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&self.printed.lock().expect("lock")).replace('\r', "")
    }

    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        if !super::soon(super::PATIENCE, || self.printed().contains(text)) {
            panic!(
                "still not after {:?}: {text:?} on the terminal, which shows {:?}",
                super::PATIENCE,
                self.printed()
            );
        }
    }

    /// Types on the keyboard.
    pub fn type_text(&self, text: &str) {
        self.type_bytes(text.as_bytes());
    }

    /// The same with any bytes.
    pub fn type_bytes(&self, bytes: &[u8]) {
        (&self.master).write_all(bytes).expect("write to the terminal");
    }

    /// Whether it echoes and edits lines, as a terminal does that nobody has made raw.
    pub fn is_cooked(&self) -> bool {
        let flags = tcgetattr(&self.slave).expect("tcgetattr").local_flags;
        flags.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG)
    }
}
