"""Which recipe of a repository deploys it."""

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = "deploy.sh"
MAKEFILES = ("GNUmakefile", "makefile", "Makefile")  # in the order that make looks for them

TEXT_BYTES = 2**20  # of a makefile or script that is read

#: A rule's targets. The text is read, for make itself runs commands of a makefile while it reads it, also with -n.
_TARGETS = re.compile(r"^([^\s#:=][^#:=\n]*):(?!=|:=)", re.MULTILINE)


@dataclass(frozen=True)
class Recipe:
    """The command that deploys, in the repository's folder."""

    argv: Sequence[str]
    is_repositorys: bool  # else the administrator's

    @property
    def shown(self) -> str:
        """Return it as one line, for reading."""
        return " ".join(self.argv)


def choose(repository: Path, environment: str, command: Sequence[str]) -> Recipe | None:
    """Return the administrator's command, if there is one, else the repository's own recipe, or None."""
    if command:
        return Recipe(tuple(command), is_repositorys=False)
    script = repository / SCRIPT
    if os.path.isfile(script):  # Path.is_file raises for a link to a name that is too long
        starts_itself = script.stat().st_mode & stat.S_IXUSR and text_of(script).startswith("#!")
        start = (f"./{SCRIPT}",) if starts_itself else ("sh", SCRIPT)
        return Recipe((*start, environment), is_repositorys=True)
    targets = _targets(repository)
    if f"deploy-{environment}" in targets:
        return Recipe(("make", f"deploy-{environment}"), is_repositorys=True)
    if "deploy" in targets:
        return Recipe(("make", "deploy", f"ENV={environment}"), is_repositorys=True)
    return None


def looked_for(environment: str) -> str:
    """Return what a repository could have, as the middle of a sentence."""
    return f"{SCRIPT}, and for deploy-{environment} or deploy in its Makefile"


def text_of(path: Path) -> str:
    """Return the beginning of a file's text, or nothing for what is no file."""
    if not os.path.isfile(path):
        return ""
    with path.open("rb") as file:
        return file.read(TEXT_BYTES).decode("utf-8", "replace")


def _targets(repository: Path) -> set[str]:
    for name in MAKEFILES:
        if text := text_of(repository / name):
            return {target for rule in _TARGETS.findall(text) for target in rule.split()}
    return set()
