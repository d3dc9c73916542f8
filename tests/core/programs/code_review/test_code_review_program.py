"""The review of real repositories: what is found, where, and what is left out."""

import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core.agents.base import Assignment, LogLine
from core.agents.registry import agents
from core.programs.code_review.__main__ import main
from core.sandbox import isolation
from core.sandbox.command import Sandbox
from core.sandbox.process import Process
from tests.core.programs.code_review.reviewing import FILES, check_is_complete, found, review
from tests.core.programs.shared import running

BAD = "import os\n\n\ndef f(a=[]):\n    return eval(a) if a else x\n"

run = partial(running.run, "code_review")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


def test_a_repository_is_reviewed_and_what_was_found_is_no_failure(tmp_path: Path, repository: Path) -> None:
    (repository / "src" / "api").mkdir(parents=True)
    (repository / "src" / "api" / "a.py").write_text(BAD)
    (repository / "src" / "clean.py").write_text('"""Clean."""\n')
    (repository / "broken.py").write_text("def (:\n")
    (repository / "latin.py").write_bytes(b"x = '\xff'\n")
    (repository / "stub.pyi").write_text("def f(): ...\n")
    (repository / "README.md").write_text("import os\n")
    for folder in (".git", "node_modules", "env"):
        (repository / folder).mkdir()
        (repository / folder / "theirs.py").write_text(BAD)
    (repository / "env" / "pyvenv.cfg").touch()
    done = run(tmp_path, "--input", str(repository), prompt=b"Is <b>this</b> good?")
    check_is_complete(done)
    assert found(done) == {
        "broken.py": {"invalid-syntax"},
        "latin.py": {"E902"},
        "src/api/a.py": {"B006", "F401", "F821", "S307"},
    }
    assert done.messages("info") == ["5 Python files to review.", "Left out as others’ code: env and node_modules."]
    (last,) = done.messages("success")
    assert last.startswith("Review ready: 5 files, 9 lines, ")
    for name in ("report.html", "report.md"):
        assert "Is " in done.text(name)
        assert "<b>" not in done.text(name).replace("\\<", "")
        assert "F821" in done.text(name)
        assert "theirs" not in done.text(name)
        assert "1 errors" not in done.text(name)
    assert "&gt; 4 | def f(a=[]):" in done.text("report.html")
    assert "> 4 | def f(a=[]):" in done.text("report.md")
    assert "Use instead:" in done.text("report.md")
    assert "https://docs.astral.sh/ruff/rules/unused-import/" in done.text("report.html")


def test_a_clean_repository_is_said_to_be_clean(repository: Path, output: Path) -> None:
    (repository / "clean.py").write_text("x = 1\n")
    (repository / "empty.py").touch()
    done = review(repository, output)
    check_is_complete(done)
    assert done.messages("success") == ["Review ready: 2 files, 1 line, 0 errors, 0 warnings, 0 notes"]
    assert "Nothing was found." in done.text("report.md")


@pytest.mark.attack(102)
@pytest.mark.parametrize(
    "settings",
    [
        {"ruff.toml": 'extend = "/etc/passwd"\n'},
        {".ruff.toml": 'extend-exclude = ["*.py"]\n[lint]\nignore = ["ALL"]\n'},
        {"pyproject.toml": '[tool.ruff.lint.per-file-ignores]\n"*" = ["ALL"]\n[tool.ruff]\ncache-dir = "/tmp/ruff"\n'},
        {"pyproject.toml": "not toml ["},
        {".gitignore": "*\n", "src/ruff.toml": "[lint]\nselect = []\n"},
    ],
)
def test_settings_in_the_repository_change_nothing(
    settings: dict[str, str], repository: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "src").mkdir()
    (repository / "src" / "a.py").write_text(BAD)
    for name, text in settings.items():
        (repository / name).write_text(text)
    monkeypatch.setenv("RUFF_OUTPUT_FORMAT", "junit")
    done = review(repository, output)
    check_is_complete(done)
    assert found(done) == {"src/a.py": {"B006", "F401", "F821", "S307"}}
    assert not list(repository.rglob(".ruff_cache"))
    for name in FILES:
        assert "root:" not in done.text(name)


@pytest.mark.attack(102)
def test_folders_without_a_bottom_are_reviewed_as_far_as_a_path_can_name_them(
    repository: Path, output: Path, dig: Callable[..., None]
) -> None:
    dig(repository, 1_100, "a.py")
    dig(repository, 30, "b.py", name="e" * 200)
    done = review(repository, output)
    assert (done.code, done.errors) == (0, "")
    assert done.messages("success") == [
        "Review ready: 1 file, 1 line, 0 errors, 0 warnings, 0 notes; 1 file not reviewed"
    ]
    (said,) = done.messages("error")
    assert said.startswith("eee") and said.endswith("/: The folder could not be opened.")


@pytest.mark.attack(102)
def test_odd_names_links_and_large_files_are_named_and_nothing_outside_is_read(
    tmp_path: Path, repository: Path, output: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("import os  # top secret\n")
    names = ["a|b.py", "<script>.py", "new\nline.py", "-x.py", "@args.py", "ünï.py", "a b%20c.py"]
    for name in names:
        (repository / name).write_text("import os\n")
    (repository / os.fsdecode(b"\xff.py")).write_text("import os\n")
    (repository / "link.py").symlink_to(outside / "secret.py")
    (repository / "folder").symlink_to(outside)
    os.mkfifo(repository / "fifo.py")
    with (repository / "large.py").open("wb") as file:
        file.truncate(50 * 2**20)
    done = review(repository, output)
    check_is_complete(done)
    assert set(found(done)) == {
        "a%7Cb.py", "%3Cscript%3E.py", "new%0Aline.py", "-x.py", "%40args.py", "%C3%BCn%C3%AF.py", "a%20b%2520c.py",
    }  # fmt: skip
    assert sorted(done.messages("error")) == [
        "\\udcff.py: Its name is not valid UTF-8, so no finding could be told to be its own.",
        "fifo.py: It is not a regular file.",
        "large.py: The file is over 1 MiB, the most that is reviewed.",
        "link.py: It is a symbolic link, and links are not followed.",
    ]
    for name in FILES:
        assert "top secret" not in done.text(name)
    assert "<script>" not in done.text("report.html")
    assert "&lt;script&gt;.py" in done.text("report.html")
    assert "\\<script\\>.py" in done.text("report.md")
    assert "a\\|b.py" in done.text("report.md")


def test_five_thousand_files_are_reviewed_in_steps_and_the_report_stays_small(repository: Path, output: Path) -> None:
    for number in range(5_000):
        folder = repository / f"p{number % 50}"
        folder.mkdir(exist_ok=True)
        (folder / f"m{number}.py").write_text("import os\nx = eval('1')\n")
    done = review(repository, output)
    check_is_complete(done)
    assert len(done.steps) > 40
    assert done.messages("success")[0].startswith("Review ready: 5,000 files, 10,000 lines, 0 errors, 10,000 warnings")
    assert "4,950 more files with 9,900 findings" in done.text("report.md")
    assert sum(path.stat().st_size for path in done.output.iterdir()) < 8 * 2**20


def test_all_of_very_many_findings_are_counted_and_few_are_shown(repository: Path, output: Path) -> None:
    (repository / "many.py").write_text("x = 1;\n" * 20_000 + "y = z\n")
    done = review(repository, output)
    check_is_complete(done)
    assert done.messages("success") == ["Review ready: 1 file, 20,001 lines, 1 error, 0 warnings, 20,000 notes"]
    assert "19,981 more findings in this file." in done.text("report.html")
    sarif: Any = json.loads(done.text("review.sarif"))["runs"][0]
    assert sarif["properties"] == {"findings": 20_001, "leftOut": 19_901}
    assert sarif["results"][0]["ruleId"] == "F821"  # the gravest is kept, though it comes last


@pytest.mark.parametrize(
    ("prompt", "files", "left"),
    [
        ("review src/api", {"src/api/a.py"}, 3),
        ("Please review `./src/api/`, thanks.", {"src/api/a.py"}, 3),
        ("review src/b.py and tests", {"src/b.py", "tests/t.py"}, 2),
        ("check “src”.", {"src/api/a.py", "src/b.py"}, 2),
        ("review ../repository/src /etc src/nope and/or all", {"src/api/a.py", "src/b.py", "tests/t.py", "z.py"}, 0),
        ("", {"src/api/a.py", "src/b.py", "tests/t.py", "z.py"}, 0),
    ],
)
def test_a_path_in_the_prompt_restricts_the_review_and_the_log_says_so(
    prompt: str, files: set[str], left: int, repository: Path, output: Path
) -> None:
    for name in ("src/api/a.py", "src/b.py", "tests/t.py", "z.py"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("import os\n")
    done = review(repository, output, prompt)
    check_is_complete(done)
    assert set(found(done)) == files
    said = [one for one in done.messages("info") if one.startswith("Only ")]
    assert len(said) == (left > 0)
    if left:
        assert said[0].endswith(f", as the request says; {left} other Python files left out.")
        assert f"{left} other Python files of the repository left out." in done.text("report.md")


def test_the_oldest_python_of_the_repository_decides_what_is_advised(repository: Path, output: Path) -> None:
    (repository / "a.py").write_text("from typing import Optional\n\nx: Optional[int] = None\n")
    done = review(repository, output)
    assert found(done) == {"a.py": {"UP045"}}
    (repository / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.9,<4"\n')
    done = review(repository, output)
    assert found(done) == {}
    assert "as Python 3.9 or newer" in done.text("report.html")


def test_files_that_the_formatter_would_change_are_counted_by_the_repositorys_length_of_line(
    repository: Path, output: Path
) -> None:
    (repository / "long.py").write_text(f"x = [{', '.join(['100'] * 20)}]\n")
    (repository / "odd.py").write_text("x=1\n")
    (repository / "broken.py").write_text("def (:\n")
    assert "| 3 | 3 | 3 | 0 | 0 | 2 |" in review(repository, output).text("report.md")
    (repository / "pyproject.toml").write_text("[tool.ruff]\nline-length = 120\n")
    assert "| 3 | 3 | 3 | 0 | 0 | 1 |" in review(repository, output).text("report.md")


def test_tests_may_assert(repository: Path, output: Path) -> None:
    for name in ("tests/unit/a.py", "src/test_a.py", "src/a.py"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("assert print\n")
    assert found(review(repository, output)) == {"src/a.py": {"S101"}}


def test_without_python_files_it_says_what_it_looks_for(repository: Path, output: Path) -> None:
    (repository / "main.go").touch()
    done = review(repository, output)
    assert (done.code, done.errors) == (1, "")
    assert done.events[-1]["message"].startswith("There is nothing to review: looked for .py and .pyi files outside")
    assert not done.output.exists()


def test_without_a_file_that_can_be_reviewed_it_says_why(repository: Path, output: Path) -> None:
    (repository / "a.py").symlink_to("/etc/passwd")
    done = review(repository, output)
    assert (done.code, done.events[-1]["type"]) == (1, "error")
    assert done.events[-1]["message"] == (
        "1 Python file found, but none could be reviewed: a.py: It is a symbolic link, and links are not followed."
    )


def test_without_a_repository_there_is_nothing_to_review(output: Path) -> None:
    done = review(None, output, "review it")
    assert done.code == 1
    assert done.events[-1]["message"].startswith("There is nothing to review: the task names no repository")


@pytest.mark.parametrize("arguments", [["--input", "/no/such/folder"], ["--nonsense"], []])
def test_wrong_usage(arguments: list[str], output: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--output", str(output), *arguments] if arguments else [])
    assert caught.value.code == 2
    assert not output.exists()


@pytest.mark.attack(102)
def test_in_its_box_the_agent_reviews_and_reads_nothing_else(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("repository", "output", "home")]
    repository, output, home = folders
    for folder in folders:
        folder.mkdir()
    (repository / "a.py").write_text(BAD)
    (repository / "ruff.toml").write_text('extend = "/etc/passwd"\n')
    user = isolation.user_for(8)
    for folder in folders:
        isolation.chown_tree(folder, user)
    agent = agents()["code-review"]
    place = Sandbox((output, home), (repository,), "none", agent.info.limits, user)
    assignment = Assignment("review it", None, repository, "https://h/x", output, home, place)
    assert agent.why_not_accepted("review it", "https://h/x") is None
    assert agent.why_not_accepted("review it", None) is not None
    listener, lines, deadline = agent.output_parser(assignment), [], time.monotonic() + 30
    with Process(agent.command(assignment), 30) as process:
        while not process.ended:
            assert time.monotonic() < deadline
            lines += process.read(0.1)
        assert process.exit_status == 0, lines
    entries = [entry for line, _ in lines for entry in listener.feed(line)]
    assert entries[-1] == LogLine("success", "Review ready: 1 file, 5 lines, 1 error, 3 warnings, 0 notes")
    assert [entry for entry in entries if isinstance(entry, LogLine) and entry.type == "error"] == []
    assert sorted(path.name for path in output.iterdir()) == FILES
