"""Which files are reviewed."""

from pathlib import Path

import pytest

from core.programs.code_review import files
from core.programs.code_review.files import Project, find, project


def test_over_the_limit_each_file_is_named_and_a_request_reaches_the_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_FILES", 2)
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"{name}.py").touch()
    folder = find(tmp_path, "")
    assert [file.name for file in folder.files] == ["a.py", "b.py"]
    assert [name for name, _ in folder.refused] == ["c.py", "d.py"]
    folder = find(tmp_path, "only d.py")
    assert [file.name for file in folder.files] == ["d.py"]
    assert folder.refused == []


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ('requires-python = ">=3.9"', 9),
        ('requires-python = ">3.8"', 8),
        ('requires-python = ">=3.2"', 7),
        ('requires-python = ">=3.999999999999999999"', 15),
        ('requires-python = "~=3.9"', None),
        ("", None),
        ("requires-python = 3.9", None),
        ("requires-python = '>=3.9'\nnot toml [", None),
        ("\udcff", None),
        (f"x = {'[' * 100_000}", None),
        (f"x = {'9' * 10_000}", None),
    ],
)
def test_the_oldest_python_is_that_of_the_project(text: str, minor: int | None, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[project]\n{text}", errors="surrogateescape")
    assert project(tmp_path).minor == minor


def test_a_project_file_that_is_a_link_or_huge_says_nothing(tmp_path: Path) -> None:
    assert project(tmp_path) == Project()
    (tmp_path / "elsewhere").write_text('project.requires-python = ">=3.9"')
    (tmp_path / "pyproject.toml").symlink_to(tmp_path / "elsewhere")
    assert project(tmp_path) == Project()
    (tmp_path / "pyproject.toml").unlink()
    (tmp_path / "pyproject.toml").write_text('project.requires-python = ">=3.9"\n' + "#" * 2**20)
    assert project(tmp_path) == Project()


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("[tool.ruff]\nline-length = 120", 120),
        ("[tool]\nruff = { line-length = 100 }", 100),
        ("[tool.ruff]\nline-length = 999", 320),
        ("[tool.ruff]\nline-length = -1", 1),
        ("[tool.ruff]\nline-length = '--fix'", None),
        ("[tool.ruff]\nline-length = true", None),
        ("line-length = 120", None),
        ("tool = 7", None),
    ],
)
def test_the_length_of_a_line_is_that_which_is_ruffs(text: str, length: int | None, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert project(tmp_path) == Project(None, length)
