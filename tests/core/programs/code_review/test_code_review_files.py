"""Which files are reviewed."""

from pathlib import Path

import pytest

from core.programs.code_review import files
from core.programs.code_review.files import Project, find, project


def test_over_the_limit_files_are_named_and_can_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILES", 2)
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"{name}.py").touch()
    folder = find(tmp_path, "")
    assert [file.name for file in folder.files] == ["a.py", "b.py"]
    assert [name for name, _ in folder.refused] == ["c.py", "d.py"]
    folder = find(tmp_path, "only d.py")
    assert ([file.name for file in folder.files], folder.refused) == (["d.py"], [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[project]\nrequires-python = ">=3.9"', Project(9)),
        ('[project]\nrequires-python = ">3.8"', Project(8)),
        ('[project]\nrequires-python = ">=3.2"', Project(7)),
        ('[project]\nrequires-python = ">=3.999999999999999999"', Project(15)),
        ('[project]\nrequires-python = "~=3.9"', Project()),
        ("[project]\nrequires-python = 3.9", Project()),
        ("[project]\nrequires-python = '>=3.9'\nnot toml [", Project()),
        ("[other]\nrequires-python = '>=3.9'", Project()),
        ("\udcff", Project()),
        (f"x = {'[' * 100_000}", Project()),
        (f"x = {'9' * 10_000}", Project()),
        ('project.requires-python = ">=3.9"\n' + "#" * 2**20, Project()),  # too large to be looked at
        ("[tool.ruff]\nline-length = 120", Project(None, 120)),
        ("[tool]\nruff = { line-length = 100 }", Project(None, 100)),
        ("[tool.ruff]\nline-length = 999", Project(None, 320)),
        ("[tool.ruff]\nline-length = -1", Project(None, 1)),
        ("[tool.ruff]\nline-length = '--fix'", Project()),
        ("[tool.ruff]\nline-length = true", Project()),
        ("line-length = 120", Project()),
        ("tool = 7", Project()),
    ],
)
def test_a_project_says_its_oldest_python_and_its_length_of_line(text: str, said: Project, tmp_path: Path) -> None:
    assert project(tmp_path) == Project()  # without a file
    path = tmp_path / "pyproject.toml"
    path.write_text(text, errors="surrogateescape")
    assert project(tmp_path) == said
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert project(tmp_path) == Project()  # no link is followed
