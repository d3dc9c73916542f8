"""The lock files are what ``make lock`` would make now, as far as can be known without a network."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.no_database

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements", "requirements-dev")
HINT = 'run "make lock"'


def applies(requirement: Requirement, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def asked_for(name: str) -> list[Requirement]:
    """What the file names, with the files that it takes in, for this machine and this Python."""
    found = []
    for line in (ROOT / f"{name}.txt").read_text().splitlines():
        if line.startswith("-r "):
            found += asked_for(line.removeprefix("-r ").removesuffix(".txt"))
        elif applies(requirement := Requirement(line)):
            found.append(requirement)
    return found


def locked(name: str) -> dict[str, str]:
    """The version of each package that the lock holds for this machine and this Python."""
    pinned = re.findall(r"^([^\s#-].*?) \\$", (ROOT / f"{name}.lock").read_text(), re.M)
    return versions(requirement for requirement in map(Requirement, pinned) if applies(requirement))


def versions(requirements: Iterable[Requirement]) -> dict[str, str]:
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in requirements}


def needed(requirement: Requirement, seen: set[tuple[str, str]]) -> None:
    """Add the installed package and all that it needs to the pairs of name and extra."""
    name = canonicalize_name(requirement.name)
    for extra in ("", *requirement.extras):
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for line in requires(name) or []:
            further = Requirement(line)
            if applies(further, extra):
                needed(further, seen)


def imported(*folders: str) -> Iterator[str]:
    """The first word of every module that the code there imports."""
    for folder in folders:
        for path in [ROOT / folder] if folder.endswith(".py") else (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    yield from (alias.name.partition(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module.partition(".")[0]


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_pins_what_the_requirements_name(name: str) -> None:
    named, pinned = versions(asked_for(name)), locked(name)
    assert {package: pinned.get(package) for package in named} == named, HINT


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_pins_all_that_they_need_as_it_is_installed_and_nothing_else(name: str) -> None:
    seen: set[tuple[str, str]] = set()
    for requirement in asked_for(name):
        needed(requirement, seen)
    assert locked(name) == {package: version(package) for package, _ in seen}, HINT


def test_development_has_the_versions_that_run() -> None:
    assert locked("requirements").items() <= locked("requirements-dev").items(), HINT


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_its_hashes_and_no_host_is_named(name: str) -> None:
    text = (ROOT / f"{name}.lock").read_text()
    assert "://" not in text
    for pin in re.findall(r"^[^\s#-].*(?:\n +--hash.*)*", text, re.M):
        assert " --hash=sha256:" in pin, pin


@pytest.mark.parametrize(
    ("name", "folders"),
    [("requirements", ("core", "api", "pages", "migrations", "app.py")), ("requirements-dev", ("tests", "bench"))],
)
def test_every_package_that_is_imported_is_named(name: str, folders: tuple[str, ...]) -> None:
    distributions = packages_distributions()
    packages = {
        canonicalize_name(package)
        for module in set(imported(*folders)) - sys.stdlib_module_names
        for package in distributions.get(module, ())
    }
    assert not packages - versions(asked_for(name)).keys()
