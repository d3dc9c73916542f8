"""A process to start, and what it may touch and use, as data; ``bubblewrap`` and ``supervisor`` enforce it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

#: none: only what is in the sandbox. open: the machine's network, its own addresses too.
Network = Literal["none", "open"]


@dataclass(frozen=True)
class ResourceLimits:
    """What a process and all that it starts may use; time is bounded elsewhere. The only place of these numbers."""

    memory: int = 2 * 2**30  #: bytes, together
    address_space: int | None = None  #: bytes of each process; None where a program reserves more than it uses
    processes: int = 512
    cpu: int = 600  #: seconds of each process
    file: int = 256 * 2**20  #: bytes of one file
    disk: int = 2 * 2**30  #: bytes in the writable folders, together: a clone of the largest size, and its copy
    files: int = 50_000  #: in the writable folders, together
    depth: int = 200  #: of folders in folders; whoever comes to them afterwards may call itself for each
    open_files: int = 1024  #: of each process
    tmp: int = 64 * 2**20  #: bytes in /tmp, which is its own, in a sandbox
    shared_memory: int = 16 * 2**20  #: bytes in /dev/shm, as above


@dataclass(frozen=True)
class Sandbox:
    """What a process may touch: of the machine's files only the system's programs, read-only, and these folders.

    Paths are the same inside as outside. A sandbox belongs to one task: no other task runs as ``user``.
    """

    writable: Sequence[Path] = ()
    readable: Sequence[Path] = ()
    network: Network = "none"
    limits: ResourceLimits = ResourceLimits()
    user: int | None = None  #: the number it runs as where the server is root
    required: bool = False  #: whether the program never runs without one, unless the administrator wants none


@dataclass(frozen=True)
class Command:
    """A process to start: no shell, and no environment but ``env`` and the few names every process gets."""

    argv: Sequence[str]
    cwd: Path
    shown: str  #: how the log shows it; nothing for a step that is not worth an entry
    sandbox: Sandbox
    stdin: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class GatewayEndpoint:
    """The way to a model's API: a socket that reaches the gateway, and this task's own token instead of the key."""

    socket: Path
    token: str = field(repr=False)
    port: int  #: where a program in the sandbox finds the API: http://127.0.0.1:PORT


@dataclass(frozen=True)
class Upstream:
    """A model's API, as the gateway speaks to it."""

    url: str
    key: str = field(repr=False)
    header: Literal["x-api-key", "authorization"]  #: where the key goes; authorization: as a bearer
    paths: Sequence[str]  #: the only ones that may be asked
