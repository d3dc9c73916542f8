"""Assignments as a runner makes them, on folders that are there."""

from pathlib import Path

from core.agents.base import Assignment
from core.sandbox.command import ResourceLimits, Sandbox


def assignment(root: Path, prompt: str = "Count", model: str | None = None, *, repository: bool = True) -> Assignment:
    """An assignment in the folder ``root``; with a repository unless told otherwise."""
    places = {name: root / name for name in ("repository", "output", "home")}
    for place in places.values():
        place.mkdir(exist_ok=True)
    sandbox = Sandbox(
        writable=tuple(places.values()), readable=(root / "endpoint",), limits=ResourceLimits(memory=2**28), user=60_001
    )
    url = "https://git.example.org/team/shop" if repository else None
    given = places["repository"] if repository else None
    return Assignment(prompt, model, given, url, places["output"], places["home"], sandbox)


def program(path: Path, code: str = "#!/bin/sh\n", mode: int = 0o755) -> Path:
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)
    path.chmod(mode)
    return path
