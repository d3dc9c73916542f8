"""The words that start a command in bubblewrap.

Where the server is root, bubblewrap makes the mounts as root, so that folders in root's private places can be reached,
and the program runs as a user of its own without any right. Otherwise both run in a user namespace.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import core
from core.config import settings
from core.sandbox.command import Command, ResourceLimits, Sandbox

#: Who a program is that was given no user of its own, where the server is root; and where the server is not.
NOBODY, ANYBODY = 65_534, 1_000

_ALONE = (
    *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox"),
    *("--die-with-parent", "--new-session"),
)
#: CAP_DAC_READ_SEARCH: to begin in a folder that only the task's user may enter.
_ROOT_CAPABILITIES = ("CAP_DAC_READ_SEARCH", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
_ROOT = ("--cap-drop", "ALL", *(word for name in _ROOT_CAPABILITIES for word in ("--cap-add", name)))
_USER = ("--unshare-user", "--disable-userns", "--uid", f"{ANYBODY}", "--gid", f"{ANYBODY}", "--cap-drop", "ALL")

HIDDEN_BYTES = 2**16  # of what lies over the data folder, which nobody can write to

#: Harmless ones, as far as the machine has them.
_ETC = (
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime"),
    *("/etc/fonts", "/etc/mime.types", "/etc/nsswitch.conf", "/etc/pki/ca-trust", "/etc/pki/tls/certs"),
    *("/etc/ssl/certs", "/etc/ssl/openssl.cnf"),
)
_ETC_OF_NETWORK = ("/etc/gai.conf", "/etc/host.conf", "/etc/hosts", "/etc/resolv.conf", "/etc/services")


def argv(program: str, command: Command, *, as_root: bool) -> list[str]:
    """How ``program``, which is bubblewrap, starts this command. ``as_root``: the server is root."""
    sandbox = command.sandbox
    user = user_of(sandbox, as_root=as_root)
    return [
        *(program, *(_ROOT if as_root else _USER), *_ALONE),
        *(() if sandbox.network == "open" else ("--unshare-net",)),
        *_system(sandbox.limits),
        *_places(sandbox, command.cwd),
        *("--remount-ro", "/", "--chdir", str(command.cwd), "--"),
        *(_become(user) if as_root else ()),
        # Counted by user: of the namespace where there is one, else of the task's own. So bubblewrap is not counted.
        *("prlimit", f"--nproc={sandbox.limits.processes}:{sandbox.limits.processes}", "--"),
        *command.argv,
    ]


def files(sandbox: Sandbox, *, as_root: bool) -> dict[str, str]:
    """Files that are made for the sandbox: path and content."""
    user = user_of(sandbox, as_root=as_root)
    made = {
        "/etc/passwd": f"task:x:{user}:{user}::/:/bin/sh\nroot:x:0:0::/:/bin/false\n",
        "/etc/group": f"task:x:{user}:\nroot:x:0:\n",
    }
    return made if sandbox.network == "open" else made | {"/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n"}


def user_of(sandbox: Sandbox, *, as_root: bool) -> int:
    """The number that a program in the sandbox has."""
    return ANYBODY if not as_root else NOBODY if sandbox.user is None else sandbox.user


def path() -> str:
    """Where a program in the sandbox looks for others."""
    return f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin"


def _become(user: int) -> tuple[str, ...]:
    who = ("--reuid", str(user), "--regid", str(user), "--clear-groups")
    return ("setpriv", *who, "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--")


def _system(limits: ResourceLimits) -> Iterator[str]:
    """What every program needs of a machine."""
    yield from ("--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev")
    for place in map(Path, ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")):
        if place.is_symlink():
            yield from ("--symlink", os.readlink(place), str(place))
        elif place.is_dir():
            yield from ("--ro-bind", str(place), str(place))
    for folder, size in (("/tmp", limits.tmp), ("/dev/shm", limits.shared_memory)):  # noqa: S108  its own
        yield from ("--perms", "1777", "--size", str(size), "--tmpfs", folder)


def _places(sandbox: Sandbox, cwd: Path) -> Iterator[str]:
    """The folders and files of the machine, the outer before the inner ones."""
    etc = _ETC + (_ETC_OF_NETWORK if sandbox.network == "open" else ())
    readable = [*map(Path, (*etc, *_python(), *core.__path__)), *sandbox.readable]
    data = settings().data.absolute()  # nobody's to read, if it lies in a folder that is
    mounts: list[tuple[Path, tuple[str, ...]]] = [
        (data, ("--perms", "0555", "--size", str(HIDDEN_BYTES), "--tmpfs", str(data)))
    ]
    mounts += [(path, ("--ro-bind-try", str(path), str(path))) for path in readable]
    mounts += [(path, ("--bind", str(path), str(path))) for path in sandbox.writable]
    mounts.sort(key=lambda mount: len(mount[0].parts))
    made = {Path("/"), Path("/usr")}
    for place, words in (*mounts, (cwd / "x", ())):
        for folder in reversed(place.parents):
            if folder not in made:  # bubblewrap would make it readable by nobody
                made.add(folder)
                yield from ("--perms", "0755", "--dir", str(folder))
        yield from words


def _python() -> Iterator[str]:
    """Where the Python lies that runs this; of a virtual environment only what is Python's, there may be more in it."""
    yield sys.base_prefix
    if sys.prefix != sys.base_prefix:
        yield from (f"{sys.prefix}/{part}" for part in ("bin", "lib", "lib64", "pyvenv.cfg", "share"))
