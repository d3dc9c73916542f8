"""The glossary has the product's words, and the code uses no word that was retired."""

import ast
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest

from core.database.models import Channel, EndReason, Role, TaskStatus
from core.log_text import LogType

ROOT = Path(__file__).parent.parent
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()

#: Each word with its meaning and the places where it lives.
ENTRIES = {
    word.strip("`"): (meaning, re.findall(r"`([^`]+)`", where))
    for word, meaning, where in re.findall(r"^\| (.+?) \| (.+) \| (.+) \|$", GLOSSARY, re.MULTILINE)[2:]
}

#: The kinds of fixed words, each with what an entry calls it.
KINDS: dict[str, type[StrEnum]] = {
    "status": TaskStatus,
    "end reason": EndReason,
    "log type": LogType,
    "role": Role,
    "channel": Channel,
}

#: Words that no name may have as a part, each with the one that is used instead.
RETIRED_WORDS = {
    "arrival": "origin",
    "arrive": "set_origin",
    "bell": "topic, notification",
    "bells": "topics, notifications",
    "box": "sandbox",
    "deafen": "unsubscribe",
    "door": "gateway endpoint",
    "farewell": "sign_out_token",
    "hear": "feed",
    "hurry": "interrupt_all",
    "insist": "write_until_done",
    "lend": "copy_git_dir_for_agent",
    "lent": "copied",
    "ring": "notification",
    "ripe": "batch_ready",
    "surroundings": "access",
    "wishes": "control",
}

#: Names that no function and no class may have; as parts of other names, or of values, their words are the field's.
RETIRED_NAMES = {
    "Bounds": "ResourceLimits",
    "Done": "Progress",
    "Kept": "StoredArtifact",
    "Listener": "OutputParser",
    "Said": "LogLine",
    "Way": "Channel",
    "announce": "publish",
    "distrust": "distrust_forwarded_headers",
    "give": "chown_tree",
    "give_back": "release",
    "leaks": "contains_secret",
    "look_away": "constant_time_delay",
    "made": "build_agents",
    "note": "record",
    "refusal": "why_not_accepted",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_fixed_word_has_an_entry_of_its_kind(kind: str) -> None:
    lacking = [word for word in KINDS[kind] if kind not in ENTRIES.get(word, ("", []))[0].lower()]
    assert lacking == [], f"docs/glossary.md does not say of each of these that it is a {kind}"


def test_every_entry_is_one_sentence() -> None:
    wrong = [word for word, (meaning, _) in ENTRIES.items() if not re.fullmatch(r"[A-Z][^.]*(\.\w[^.]*)*\.", meaning)]
    assert wrong == []


def test_the_words_are_in_alphabetical_order() -> None:
    words = [word.casefold() for word in ENTRIES]
    assert len(words) > 50
    assert words == sorted(words)


def test_no_word_has_two_entries() -> None:
    assert len(ENTRIES) == len(re.findall(r"^\| ", GLOSSARY, re.MULTILINE)) - 2


def test_every_place_in_the_glossary_exists() -> None:
    places = {place for _, where in ENTRIES.values() for place in where}
    gone = sorted(place for place in places if not (ROOT / place).exists())
    assert not gone, "docs/glossary.md names what is not there:\n" + "\n".join(gone)


def sources() -> Iterator[Path]:
    for package in ("core", "api", "pages"):
        yield from sorted((ROOT / package).rglob("*.py"))


def names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """What a module names itself, each with its line: functions, classes, arguments, variables and attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.arg(arg=name):
                yield name, node.lineno
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno


def words(name: str) -> set[str]:
    """The words of a name in either spelling: ``look_away``, ``GatewayEndpoint``."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_the_words_of_a_name_are_found_in_either_spelling() -> None:
    assert words("_give_BoxSpec") == {"give", "box", "spec"}
    assert words("HTTPDoor2") == {"http", "door"}


def test_no_name_has_a_retired_word() -> None:
    found = []
    for source in sources():
        place = source.relative_to(ROOT)
        parts = {word for part in place.with_suffix("").parts for word in words(part)}
        found += [f"{place}: {word}, use {RETIRED_WORDS[word]}" for word in sorted(parts & RETIRED_WORDS.keys())]
        for name, line in names(ast.parse(source.read_text())):
            for word in sorted(words(name) & RETIRED_WORDS.keys()):
                found.append(f"{place}:{line}: {name}, use {RETIRED_WORDS[word]}")
    assert not found, "\n".join(found)


def test_no_function_and_no_class_has_a_retired_name() -> None:
    found = []
    for source in sources():
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name in RETIRED_NAMES:
                place = f"{source.relative_to(ROOT)}:{node.lineno}"
                found.append(f"{place}: {node.name}, use {RETIRED_NAMES[node.name]}")
    assert not found, "\n".join(found)
