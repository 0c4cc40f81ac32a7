//! The seccomp agent, who answers the calls that a filter notifies of (config-linux.md, "The Container
//! Process State").

use super::socket;
use crate::command::features::OCI_VERSION_MAX;
use crate::error::{Error, Result};
use crate::plan::seccomp::Listener;
use crate::state::State;
use crate::sys;
use serde::Serialize;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// The status that the agent is told.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The filter is for init. It is not the word of `state`, but that of the specification's example, of
    /// runc and of crun: agents may tell a container's beginning from an `exec` by it.
    Creating,
    /// It is for a process of `exec`.
    Running,
}

/// An agent that is waiting for the fd of one process.
#[derive(Debug)]
pub struct Agent {
    socket: OwnedFd,
    message: Vec<u8>,
    /// The place of its path in the configuration, and the path.
    what: String,
}

impl Agent {
    /// Looks whether an agent can be there, before anything is made.
    ///
    /// # Errors
    /// There is no such socket.
    pub fn check(listener: &Listener) -> Result<()> {
        socket::check(&listener.path, &what(listener))
    }

    /// Connects to the agent: right before the filter is loaded, since some agents serve one connection
    /// after the other. `pid` is that of the process which gets the filter.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn connect(listener: &Listener, state: &State, pid: i32, status: Status) -> Result<Agent> {
        let what = what(listener);
        let process = ProcessState {
            oci_version: OCI_VERSION_MAX,
            fds: ["seccompFd"],
            pid,
            metadata: listener.metadata.as_deref(),
            state: ContainerState {
                oci_version: &state.oci_version,
                id: &state.id,
                status,
                pid: state.pid,
                bundle: &state.bundle,
                annotations: &state.annotations,
            },
        };
        let message = serde_json::to_vec(&process).map_err(|e| Error::new(e.to_string()).context(&what))?;
        Ok(Agent { socket: socket::connect(&listener.path, &what)?, message, what })
    }

    /// Sends the fd, with what it is for, and closes the connection.
    ///
    /// # Errors
    /// The agent went away, or does not read.
    pub fn hand_over(self, listener: OwnedFd) -> Result<()> {
        let sent = sys::socket::send_all(self.socket.as_fd(), &self.message, listener.as_fd());
        sent.map_err(|e| socket::failed(&format!("{}: send the notification fd", self.what), &e))
    }
}

fn what(listener: &Listener) -> String {
    format!("{}: {}", listener.location, listener.path.display())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProcessState<'a> {
    oci_version: &'a str,
    fds: [&'a str; 1],
    pid: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a str>,
    state: ContainerState<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerState<'a> {
    oci_version: &'a str,
    id: &'a str,
    status: Status,
    pid: i32,
    bundle: &'a Path,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}
