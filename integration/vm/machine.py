"""Starts a guest's machine with its three disks, watches it, and ends it."""

import io
import os
import pathlib
import re
import select
import shutil
import subprocess
import tarfile
import time

import images

TOP = pathlib.Path(__file__).resolve().parents[2]

# Of what a guest may write onto its third disk.
RESULTS_SIZE = 64 << 20

# What firmware and systemd say to a terminal.
ESCAPES = re.compile(r"\x1b(\[[0-9;?!]*[a-zA-Z]|c|\][^\x07\x1b]*(\x07|\x1b\\)?)")

# Runs a program of TREE with the images at its /mnt. The pid namespace ends when its first process, this
# shell, does; linux.uml would not work as the first itself, as signals of its own do not reach that one.
IN_TREE = """
set -e
tree=$1 images=$2
shift 2
mount -t proc proc "$tree/proc"
mount --rbind /dev "$tree/dev"
mount -t tmpfs tmpfs "$tree/tmp"
mount --bind "$images" "$tree/mnt"
status=0
chroot "$tree" "$@" || status=$?
exit $status
"""


def start(guest, directory, arguments, script, terminal=False):
    """Starts `script` in `guest`, whose disks are made in `directory`."""
    directory = pathlib.Path(directory)
    stdin = None if terminal else subprocess.DEVNULL
    stdout, stderr = (None, None) if terminal else (subprocess.PIPE, subprocess.STDOUT)
    if guest.machine == "host":
        command = host_command(directory, arguments, script)
    else:
        write_disks(directory, arguments, script)
        image = images.directory(arguments.cache)
        disks = f"/mnt/{directory.name}"
        program = qemu(guest, disks) if guest.machine == "qemu" else user_mode_linux(guest, disks, terminal)
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", IN_TREE, "sh",
                   str(image / guest.machine), str(image), *program]
    # A guest does not outlive this program, however that ends.
    command = ["setpriv", "--pdeathsig", "KILL", *command]
    return subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr)


def kernel_parameters(guest):
    init = "/sbin/init" if guest.init == "systemd" else "/guest/init"
    return f"root={'/dev/vda' if guest.machine == 'qemu' else '/dev/ubda'} rw quiet loglevel=4 panic=-1 " \
           f"init={init} lsm={guest.lsm} {guest.append}".strip()


def user_mode_linux(guest, disks, terminal):
    console = "fd:0,fd:1" if terminal else "null,fd:1"
    return ["/usr/bin/linux.uml", f"mem={guest.memory}", f"con0={console}", "con=null", "ssl=null",
            f"ubd0={disks}/changes,/mnt/root.ext4", f"ubd1={disks}/payload", f"ubd2={disks}/results",
            *kernel_parameters(guest).split()]


def qemu(guest, disks):
    drives = []
    # The image is read by several machines at once and written by none.
    for path, option in (("/mnt/root.ext4", "snapshot=on,file.locking=off"), (f"{disks}/payload", "snapshot=on"),
                         (f"{disks}/results", "snapshot=off")):
        name = f"disk{len(drives)}"
        drives += ["-drive", f"if=none,id={name},file={path},format=raw,cache=unsafe,{option}",
                   "-device", f"virtio-blk-pci,drive={name}"]
    return ["/usr/bin/qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max",
            "-smp", "2", "-m", guest.memory, "-kernel", "/boot/vmlinux", "-initrd", "/boot/initramfs",
            "-append", f"console=ttyS0 mitigations=off {kernel_parameters(guest)}", "-nodefaults",
            "-no-user-config", "-nographic", "-serial", "stdio", "-no-reboot", *drives]


def host_command(directory, arguments, script):
    """The same on this machine, without disks."""
    (directory / "results").mkdir()
    for name, path in payload(arguments).items():
        (directory / name).symlink_to(path)
    (directory / "start").write_text(script)
    return ["sh", "-c", 'cd "$1"; sh ./start; echo $? >results/status', "sh", str(directory)]


def payload(arguments):
    """What a guest is given beside the script."""
    files = {"tierce": arguments.tierce.resolve(), "integration": arguments.integration.resolve(),
             "bundle-examples": TOP / "bundle-examples"}
    if arguments.program:
        files[arguments.program.name] = arguments.program.resolve()
    return files


def write_disks(directory, arguments, script):
    """The second disk is a tar of what is run, the third takes one of the results."""
    with tarfile.open(directory / "payload", "w") as archive:
        for name, path in payload(arguments).items():
            archive.add(path, name, filter=lambda entry: None if entry.name.endswith("/rootfs") else entry)
        entry = tarfile.TarInfo("start")
        entry.size = len(script.encode())
        archive.addfile(entry, io.BytesIO(script.encode()))
    # A disk is a whole number of sectors.
    for name, size in (("payload", -(-(directory / "payload").stat().st_size // 4096) * 4096),
                       ("results", RESULTS_SIZE)):
        with open(directory / name, "ab") as disk:
            disk.truncate(size)


def watch(process, seconds, tell):
    """Tells each line that comes; the lines, and whether it ended within `seconds`. It has ended in any case."""
    lines, rest, end = [], b"", time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        ready = left > 0 and select.select([process.stdout], [], [], left)[0]
        data = os.read(process.stdout.fileno(), 65536) if ready else b""
        if not data:
            break
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            lines.append(ESCAPES.sub("", line.decode(errors="replace")).rstrip("\r"))
            tell(lines[-1])
    process.kill()
    process.wait()
    return lines, bool(ready)


def results(guest, directory):
    """The files that the guest has left, by name."""
    path = pathlib.Path(directory) / "results"
    if guest.machine == "host":
        return {file.name: file.read_text(errors="replace") for file in path.iterdir()}
    files = {}
    try:
        with tarfile.open(path) as archive:
            for entry in archive:
                if entry.isfile():
                    files[pathlib.Path(entry.name).name] = archive.extractfile(entry).read().decode(errors="replace")
    except tarfile.ReadError:
        pass  # Nothing was written: the guest did not come to its end.
    return files


def terminal_size():
    size = shutil.get_terminal_size()
    return size.lines, size.columns
