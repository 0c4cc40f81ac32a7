"""What the scenarios ask of a manager, and how a command of it is called and judged."""

import contextlib
import dataclasses
import fcntl
import hashlib
import io
import json
import os
import pty
import select
import shlex
import signal
import struct
import subprocess
import tarfile
import termios
import time

# A command that takes longer hangs.
PATIENCE = 60
IMAGE = "localhost/bb:1"


class Failure(Exception):
    """The effect is not the one that was asked for."""


class Skip(Exception):
    """Cannot be shown here, with any runtime."""


class NotOffered(Exception):
    """The manager does not have it."""


@dataclasses.dataclass
class Result:
    command: list
    status: int
    out: str
    err: str = ""

    def ok(self):
        return self.exits(0)

    def exits(self, status):
        check(self.status == status, f"exit status {self.status} instead of {status}", self)
        return self

    def fails(self):
        check(self.status != 0, "it did not fail", self)
        return self

    def prints(self, text):
        check(self.out.strip() == text, f"not {text!r}", self)
        return self

    def says(self, text):
        check(text.lower() in (self.out + self.err).lower(), f"does not say {text!r}", self)
        return self

    @property
    def text(self):
        return self.out.strip()

    @property
    def lines(self):
        return self.text.splitlines()

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"{shlex.join(map(str, self.command))}\nstatus {self.status}\n{self.out[-1500:]}{self.err[-1500:]}"


def check(condition, what, result=""):
    if not condition:
        raise Failure(f"{what}\n{result}".rstrip())


def equal(seen, wanted):
    check(seen == wanted, f"{seen!r} instead of {wanted!r}")


def eventually(what, condition, seconds=30):
    """Waits until `condition()` is true, and gives what it gave."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        check(time.monotonic() < end, f"never came: {what}")
        time.sleep(0.05)
    return value


def call(command, stdin="", env=None, timeout=PATIENCE, **others):
    """A command in a session of its own, which is killed when it takes too long."""
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True, text=True, errors="replace",
                               env={**os.environ, **(env or {})}, **others)
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Failure(f"takes longer than {timeout} s: {shlex.join(map(str, command))}") from None
        raise
    return Result(command, process.returncode, out, err)


def call_with_terminal(command, typed, env=None):
    """The same with a terminal of 40 lines and 123 columns; `typed` is written as soon as something was shown."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 123, 0, 0))

    def take_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen([str(word) for word in command], stdin=slave, stdout=slave, stderr=slave,
                               start_new_session=True, preexec_fn=take_terminal, env={**os.environ, **(env or {})})
    os.close(slave)
    shown, end = b"", time.monotonic() + PATIENCE
    with contextlib.suppress(OSError):
        while time.monotonic() < end:
            if select.select([master], [], [], 0.1)[0]:
                shown += os.read(master, 4096)
                if typed and b"ready" in shown:
                    os.write(master, typed.encode())
                    typed = ""
    try:
        status = process.wait(max(1, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise Failure(f"hangs: {shlex.join(map(str, command))}\n{shown.decode(errors='replace')}") from None
    finally:
        os.close(master)
    return Result(command, status, shown.decode(errors="replace").replace("\r\n", "\n"))


class Manager:
    """One manager with one runtime. Verbs that are not defined by a class are not offered by that manager."""

    name = ""
    title = ""
    # The runtime to compare with, by the name of its program.
    peer = ""
    # Options of the scenarios, by the manager's own flags.
    flags = {}
    # Scenarios that no runtime can pass with this manager on some machines: the reason.
    impossible = {}
    # Scenarios that the peer does not pass: the reason.
    peer_fails = {}
    # The same, but not always.
    peer_sometimes = {}
    # What the manager itself leaves, whatever the runtime: patterns.
    keeps = ()

    def __init__(self, machine, runtime, path, directory):
        self.machine, self.runtime, self.path, self.directory = machine, runtime, path, directory
        self.count = 0

    def set_up(self):
        raise NotImplementedError

    def tear_down(self):
        """Ends the daemon, if there is one."""

    def clean(self):
        """Removes what a scenario has left."""

    def name_for(self, what="c"):
        self.count += 1
        return f"{what}{self.count}"

    def words(self, options):
        """Options as words for the command line."""
        words = []
        for option, value in options.items():
            if option not in self.flags:
                raise NotOffered(f"option {option}")
            for one in value if isinstance(value, list) else [value]:
                flag = self.flags[option]
                words += flag(one) if callable(flag) else [flag] if one is True else [f"{flag}={one}"]
        return words

    def __getattr__(self, verb):
        """A verb that is not defined here, but by another manager."""
        if any(hasattr(kind, verb) for kind in kinds_of(Manager)):
            raise NotOffered(verb)
        raise AttributeError(verb)

    def sh(self, script, **options):
        """The output of a shell script in a container of its own."""
        return self.run(["sh", "-c", script], **options).ok().text


def kinds_of(kind):
    """All classes below."""
    for below in kind.__subclasses__():
        yield below
        yield from kinds_of(below)


def write_image(path, busybox="/bin/busybox"):
    """An image with busybox under all its names, as an archive that all managers read."""
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for name, mode in (("bin", 0o755), ("dev", 0o755), ("etc", 0o755), ("home", 0o755), ("proc", 0o755),
                           ("root", 0o700), ("run", 0o755), ("sys", 0o755), ("tmp", 0o1777), ("var", 0o755)):
            add(tar, name, mode=mode, type=tarfile.DIRTYPE)
        with open(busybox, "rb") as file:
            add(tar, "bin/busybox", file.read(), mode=0o755)
        for applet in applets:
            if applet != "busybox":
                add(tar, f"bin/{applet}", type=tarfile.SYMTYPE, linkname="busybox")
        add(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1000:worker:/home:/bin/sh\n")
        add(tar, "etc/group", b"root:x:0:\nworker:x:1000:\naudio:x:29:worker\n")
        add(tar, "bin/not-a-program", b"#!/no/such/interpreter\n", mode=0o755)
        add(tar, "etc/not-executable", b"words\n", mode=0o644)
    with tarfile.open(path, "w") as tar:
        write_archive(tar, layer.getvalue())


def write_archive(tar, layer):
    digest = "sha256:" + hashlib.sha256(layer).hexdigest()
    config = {"architecture": "amd64" if os.uname().machine == "x86_64" else "arm64", "os": "linux",
              "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["sh"]},
              "rootfs": {"type": "layers", "diff_ids": [digest]}, "history": [{"created_by": "tests"}]}
    add(tar, "layer.tar", layer)
    add(tar, "config.json", json.dumps(config).encode())
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    add(tar, "manifest.json", json.dumps(manifest).encode())


def add(tar, name, content=b"", mode=0o644, **members):
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    for member, value in members.items():
        setattr(info, member, value)
    tar.addfile(info, io.BytesIO(content))
