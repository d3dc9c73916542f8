"""Where a repository comes from."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Remote:
    """A repository that may be cloned, and how it is reached."""

    address: str  #: https or file, without user name and password
    folder: Path | None = None  #: of a file address
    pin: str | None = None  #: HOST:PORT:ADDRESS,…: the checked addresses, which are not looked up a second time
    user: str = ""
    token: str | None = field(default=None, repr=False)
    push: bool = False  #: whether its host lets Taskdeck push branches there
