"""Containers without a container engine: an image made by the steps of a Containerfile, run in a network of its own.

The base is this machine's Debian with the interpreter that runs the tests, below an overlay: nothing of what the steps
and the containers write is written here. It takes root.
"""

import ctypes
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

LIBRARIES = "/opt/libraries"
_OWN_NETWORK = "/proc/thread-self/ns/net"
_NETWORK = 0x40000000  # CLONE_NEWNET
# Ends with the tests, however they end; and the network with it.
_MACHINE = ["setpriv", "--pdeathsig=KILL", "unshare", "--net", "--mount", "--propagation=private"]
_MACHINE += ["/bin/sh", "-c", 'mount --bind "$1" /etc/hosts && echo it is there && exec sleep infinity', "sh"]
_ENTER = """
set -e
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$UPPER,workdir=$WORK" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
for pair in $BINDS; do
  mkdir -p "$ROOT${pair#*:}" 2>/dev/null || touch "$ROOT${pair#*:}"
  mount --bind "${pair%%:*}" "$ROOT${pair#*:}"
  mount -o remount,ro,bind "$ROOT${pair#*:}"
done
exec chroot --userspec="$USER_ID:$USER_ID" "$ROOT" /usr/bin/env -i "$@"
"""


@dataclass
class Network:
    """A network with machines by name, each with its own address, like the network of a compose file.

    It has no name and is seen from the thread that makes it only: any number of them are there at once.
    """

    gateway: str
    machines: Mapping[str, str]
    folder: Path
    _ids: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def up(self) -> Iterator[None]:
        """Make it, and have this thread in it meanwhile, as the machine that the others reach at `gateway`."""
        lines = "".join(f"{address} {name}\n" for name, address in self.machines.items())
        self.hosts.write_text(f"127.0.0.1 localhost\n{lines}")
        with _network_of_this_thread(), ExitStack() as machines:
            _run("ip", "link", "set", "lo", "up")
            _run("ip", "link", "add", "bridge", "type", "bridge")
            _run("ip", "address", "add", f"{self.gateway}/24", "dev", "bridge")
            _run("ip", "link", "set", "bridge", "up")
            for name, address in self.machines.items():
                machine = machines.enter_context(subprocess.Popen([*_MACHINE, self.hosts], stdout=subprocess.PIPE))
                machines.callback(machine.kill)
                assert machine.stdout is not None
                assert machine.stdout.readline() == b"it is there\n"
                self._ids[name] = machine.pid
                _run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(machine.pid))
                _run("ip", "link", "set", name, "master", "bridge", "up")
                for command in (f"address add {address}/24 dev eth0", "link set eth0 up", "link set lo up"):
                    _run(*self.on(name, "ip", *command.split()))
            yield

    @property
    def hosts(self) -> Path:
        """The names of all machines."""
        return self.folder / "hosts"

    def on(self, machine: str, *command: str) -> list[str]:
        """Return the command that runs another one on a machine."""
        spaces = f"/proc/{self._ids[machine]}/ns"
        return ["nsenter", f"--net={spaces}/net", f"--mount={spaces}/mnt", *command]


@contextmanager
def _network_of_this_thread() -> Iterator[None]:
    """Have this thread, and what it starts, in a network of their own."""
    system = ctypes.CDLL(None, use_errno=True)  # Python has these calls from 3.12 on
    before = os.open(_OWN_NETWORK, os.O_RDONLY)
    try:
        assert system.unshare(_NETWORK) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert system.setns(before, _NETWORK) == 0, os.strerror(ctypes.get_errno())
    finally:
        os.close(before)


@dataclass
class Image:
    """What a Containerfile makes. `folder` lies in memory: an overlay cannot lie on itself."""

    folder: Path
    source: Path
    network: Network
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0"
    workdir: str = "/"
    entrypoint: list[str] = field(default_factory=list)

    def build(self, containerfile: Path) -> None:
        """Take every step. The second stage copies from the first, which is the same folder here."""
        self._base()
        for step in containerfile.read_text().replace("\\\n", " ").splitlines():
            word, _, rest = step.strip().partition(" ")
            if word == "RUN":
                done = self.run("build", "/bin/sh", "-c", rest, keep=True, user="0")
                assert done.returncode == 0, done.stdout + done.stderr
            elif word == "COPY" and rest.split()[0] == ".":
                self._copy(self.folder / "image" / rest.split()[1].strip("/"))
            else:
                self._note(word, rest)
        packages = next((self.folder / "image/opt/reconciler/lib").glob("python*/site-packages"))
        assert (packages / "reconciler" / "__init__.py").exists()
        (packages / "tests.pth").write_text(f"{self.environment.pop('PYTHONPATH')}\n")
        self.environment["HOME"] = "/var/lib/reconciler"

    def _copy(self, target: Path) -> None:
        command = ["git", "-C", str(self.source), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
        for name in filter(None, listed):
            if (self.source / name).is_file():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.source / name, target / name)

    def _note(self, word: str, rest: str) -> None:
        """Take a step that says how the image is run; what means nothing without an engine is left out."""
        match word:
            case "ENV":
                for pair in shlex.split(rest):
                    name, _, value = pair.partition("=")
                    self.environment[name] = value.replace("$PATH", self.environment["PATH"])
            case "USER":
                self.user = rest
            case "WORKDIR":
                self.workdir = rest
                (self.folder / "image" / rest.strip("/")).mkdir(parents=True, exist_ok=True)
            case "ENTRYPOINT":
                self.entrypoint = json.loads(rest)
            case _:
                return

    def _base(self) -> None:
        """Lay what the base image has: an interpreter called python that everybody may run."""
        binaries = self.folder / "image/usr/local/bin"
        binaries.mkdir(parents=True)
        # No link: an interpreter looks for its libraries beside what it is called by.
        interpreter = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
        (binaries / "python").write_text(f'#!/bin/sh\nexec {interpreter} "$@"\n')
        (binaries / "python").chmod(0o755)
        self.environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root"}
        self.environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        # Libraries that the tests have are not fetched once more: 300 MB of them.
        libraries = self.folder / "image" / LIBRARIES.strip("/")
        libraries.mkdir(parents=True)
        for there in Path(sysconfig.get_path("purelib")).iterdir():
            if not there.name.startswith(("pip", "setuptools", "reconciler", "__editable__", "_editable")):
                (libraries / there.name).symlink_to(there)
        self.environment |= {"PYTHONPATH": LIBRARIES}
        opened = {parent for path in (sys.base_prefix, sys.prefix) for parent in Path(path).parents}
        script = " ".join(shlex.quote(str(path)) for path in sorted(opened) if path.stat().st_mode & 0o005 != 0o005)
        if script:
            assert self.run("build", "/bin/sh", "-c", f"chmod o+rx {script}", keep=True, user="0").returncode == 0

    def start(
        self,
        container: str,
        *command: str,
        on: str = "",
        user: str | None = None,
        binds: Mapping[str, str] | None = None,
        more: Mapping[str, str] | None = None,
        keep: bool = False,
    ) -> list[str]:
        """Return the command that runs another one in a new container, with more of an environment than the image's.

        `binds` are files and folders of this machine with where they are to be read there; with `keep`, what the
        command writes becomes part of the image.
        """
        upper = self.folder / ("image" if keep else container)
        work, root = self.folder / f"{container}.work", self.folder / f"{container}.root"
        for folder in (upper, work, root):
            folder.mkdir(exist_ok=True)
        lower = "/" if keep else f"{self.folder / 'image'}:/"
        variables = {
            "LOWER": lower,
            "UPPER": str(upper),
            "WORK": str(work),
            "ROOT": str(root),
            "USER_ID": user or self.user,
            "BINDS": " ".join(f"{source}:{target}" for source, target in (binds or {}).items()),
        }
        inside = [f"--chdir={self.workdir}", *(f"{k}={v}" for k, v in {**self.environment, **(more or {})}.items())]
        entering = ["/usr/bin/env", *(f"{name}={value}" for name, value in variables.items())]
        entering += ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", _ENTER, "sh"]
        whole = [*entering, *inside, *command]
        return self.network.on(on, *whole) if on else whole

    def run(self, container: str, *command: str, **more: object) -> "subprocess.CompletedProcess[str]":
        """Run a command in a container and wait for it."""
        return subprocess.run(
            self.start(container, *command, **more),  # type: ignore[arg-type]  # as `start` takes them
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
