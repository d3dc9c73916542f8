"""Assignments as a runner makes them, on folders that are there, and what drivers make of a program's lines."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.agents.base import Assignment, LogLine, OutputParser
from core.sandbox.command import ResourceLimits, Sandbox

#: Makes an assignment.
Given = Callable[..., Assignment]

STREAMS = Path(__file__).with_name("streams")


def assignment(root: Path, prompt: str = "Count", model: str | None = None, *, repository: bool = True) -> Assignment:
    """An assignment in the folder ``root``; with a repository unless told otherwise."""
    places = {name: root / name for name in ("repository", "output", "home")}
    for place in places.values():
        place.mkdir(exist_ok=True)
    limits = ResourceLimits(memory=2**28)
    sandbox = Sandbox(writable=tuple(places.values()), readable=(root / "endpoint",), limits=limits, user=60_001)
    url = "https://git.example.org/team/shop" if repository else None
    folder = places["repository"] if repository else None
    return Assignment(prompt, model, folder, url, places["output"], places["home"], sandbox)


def program(path: Path, code: str = "#!/bin/sh\n", mode: int = 0o755) -> Path:
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)
    path.chmod(mode)
    return path


@dataclass(frozen=True)
class Parsed:
    """The entries, the shares of the work that was done, and the verdict."""

    entries: list[LogLine]
    shares: list[float]
    failure: Callable[[int], str | None]


def recorded(name: str) -> list[str]:
    """The lines that a real program printed, with its paths and numbers replaced."""
    return (STREAMS / f"{name}.jsonl").read_text().splitlines()


def parse(parser: OutputParser, lines: Iterable[str]) -> Parsed:
    meanings = [meaning for line in lines for meaning in parser.feed(line)]
    entries = [meaning for meaning in meanings if isinstance(meaning, LogLine)]
    return Parsed(entries, [each.share for each in meanings if not isinstance(each, LogLine)], parser.failure)


def says(*content: Any, kind: str = "assistant", **more: Any) -> str:
    """A line of Claude Code's."""
    return json.dumps({"type": kind, "message": {"content": content}, **more})


def item(kind: str, when: str = "completed", **more: Any) -> str:
    """A line of Codex's."""
    return json.dumps({"type": f"item.{when}", "item": {"type": kind, **more}})
