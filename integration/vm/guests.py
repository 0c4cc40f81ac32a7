"""The guests, each defined by a file in guests/: what runs in one, and what is known of it afterwards."""

import dataclasses
import pathlib
import shlex
import subprocess
import tempfile
import time
import tomllib

import images
import machine
import matrix

DEFINITIONS = pathlib.Path(__file__).resolve().parent / "guests"

# A machine beside others, or an emulated one, may stand still for longer than any case waits: few that failed are run again
# alone, and named as unstable.
AGAIN = 3

# Runs in a guest, in a directory with tierce, integration, bundle-examples and an empty results.
FACTS = r"""
controllers() { if [ -f /sys/fs/cgroup/cgroup.controllers ]
    then echo "v2: $(cat /sys/fs/cgroup/cgroup.controllers)"
    else echo "v1 and v2: $(ls /sys/fs/cgroup | grep -vx unified | tr '\n' ' ')"; fi; }
lsms() { cat /sys/kernel/security/lsm 2>/dev/null || { mkdir -p lsm && mount -t securityfs securityfs lsm &&
    cat lsm/lsm; umount lsm; }; }
pid1() { case $(readlink -f /proc/1/exe) in
    */systemd) echo "systemd $(systemctl --version | awk 'NR == 1 { print $2 }')" ;; *) echo none ;; esac; }
{ echo "kernel=$(uname -r)"; echo "cgroups=$(controllers)"; echo "lsms=$(lsms)"; echo "init=$(pid1)"
  echo "cpus=$(nproc)"; } >results/facts
# What the kernel has as modules, which a mount of a container or a network of a test would not load, or one case under another.
for module in overlay loop veth dummy bfq; do modprobe --quiet $module; done
"""
SUITE = "export BUNDLE_EXAMPLES=$PWD/bundle-examples RUNTIME={runtime}\nexec ./integration {again} --report results/report {filters}\n"
SHELL = r"""
printf '%s\n' '/job/tierce is the runtime, /job/integration the suite; exit switches the guest off.'
ln -s /job/tierce /usr/local/bin/tierce
export RUNTIME=/job/tierce
cd /root
stty rows {rows} cols {columns}
exec setsid -c -w bash -i
"""


@dataclasses.dataclass
class Guest:
    """One file of guests/."""

    name: str
    title: str
    machine: str
    init: str = ""
    lsm: str = ""
    append: str = ""
    memory: str = "1536M"
    minutes: int = 20

    def run(self, arguments, tell):
        """The suite in this guest; what goes wrong with the guest itself is in the result."""
        result = matrix.Result(self.name, self.title)
        began = time.monotonic()
        try:
            self.run_suite(arguments, tell, result)
        except (OSError, subprocess.SubprocessError) as error:
            result.problem = str(error)
        result.seconds = time.monotonic() - began
        tell(f"FAILED   {self.name}: {result.problem}" if result.problem else f"done in {result.seconds:.0f} s")
        return result

    def run_suite(self, arguments, tell, result):
        runtime = arguments.runtime or "./tierce"
        filters = " ".join(map(shlex.quote, arguments.test.split()))
        script = FACTS + SUITE.format(runtime=shlex.quote(runtime), filters=filters, again=f"--again {AGAIN}")
        with self.directory(arguments) as directory:
            started = machine.start(self, directory, arguments, script)
            output, in_time = machine.watch(started, self.minutes * 60, tell)
            files = machine.results(self, directory)
        result.read(files)
        if not in_time:
            result.problem = f"not done after {self.minutes} minutes"
        elif "status" not in files:
            result.problem = "\n  ".join(["it ended before the suite did; at last it said:", *output[-30:]])

    def program(self, arguments, tell):
        """A Python program, called with `--tierce PATH`; its exit status."""
        script = f"python3 ./{arguments.program.name} --tierce ./tierce\n"
        with self.directory(arguments) as directory:
            machine.watch(machine.start(self, directory, arguments, script), self.minutes * 60, tell)
            return int(machine.results(self, directory).get("status", 1))

    def shell(self, arguments):
        """A shell on this terminal; its exit status."""
        rows, columns = machine.terminal_size()
        with self.directory(arguments) as directory:
            machine.start(self, directory, arguments, SHELL.format(rows=rows, columns=columns), terminal=True).wait()
            return int(machine.results(self, directory).get("status", 1))

    def directory(self, arguments):
        """For its disks; beside the images, as the machine has that directory as its /mnt."""
        parent = images.directory(arguments.cache)
        parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=f"run-{self.name}-", dir=parent)


def all_guests():
    """Every file of guests/, in the order of their names; the host comes last."""
    found = []
    for path in sorted(DEFINITIONS.glob("*.toml"), key=lambda path: (path.stem == "host", path.stem)):
        found.append(Guest(name=path.stem, **tomllib.loads(path.read_text())))
    return found


def chosen(names):
    """The guests of these names, separated by commas; all if there is none. Unknown ones end the program."""
    guests = all_guests()
    if not names:
        return guests
    wanted = names.split(",")
    known = [guest.name for guest in guests]
    for name in wanted:
        if name not in known:
            raise SystemExit(f"vm.py: no guest {name!r}; there are: {', '.join(known)}")
    return [guest for guest in guests if guest.name in wanted]
