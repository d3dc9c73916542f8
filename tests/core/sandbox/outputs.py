"""A folder that a program wrote, and what is kept of it."""

from pathlib import Path

from core.sandbox import output


def write(path: Path, content: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def kept(made: Path, target: Path) -> list[str]:
    """The names of all files that were found and copied; what was copied is exactly that."""
    names, _ = output.find(made)
    assert [each.name for each in output.keep(names, made, target)] == names
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()) == sorted(names)
    assert not [path for path in target.rglob("*") if path.is_symlink() or not (path.is_file() or path.is_dir())]
    return names
