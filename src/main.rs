//! The binary: parse the command line, run the command, render its error once.

use std::process::ExitCode;
use tierce::cli::{self, Exit};
use tierce::error::Error;
use tierce::{command, log, sys};

fn main() -> ExitCode {
    let invocation = match cli::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(Exit::Print(text)) => return finish(command::print(&text).map(|()| 0)),
        Err(Exit::Refuse { error, log }) => {
            let opened = log.map_or(Ok(()), |options| log::init(&options));
            return finish(Err(opened.err().unwrap_or(error)));
        }
    };
    // Whatever the caller keeps from others, what is made here must be ours to use.
    let umask = sys::process::umask(0o077);
    sys::process::umask(umask & 0o077);
    finish(log::init(&invocation.global.log).and_then(|()| command::run(&invocation)))
}

fn finish(done: Result<u8, Error>) -> ExitCode {
    match done {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            log::fatal(&error);
            ExitCode::from(error.exit_status())
        }
    }
}
