"""The review of real repositories: what is found, where, and what is left out."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.agents.base import Assignment, LogLine
from core.agents.registry import agents
from core.programs.code_review import run
from core.programs.code_review.files import Source
from core.programs.code_review.limits import BATCH_FILES
from core.sandbox import folders, isolation
from core.sandbox.command import Sandbox
from core.sandbox.process import Process
from tests.core.programs.code_review.conftest import FILES, found, review, write
from tests.core.programs.shared import running
from tests.core.programs.shared.running import Run, check_is_complete

BAD = "import os\n\n\ndef f(a=[]):\n    return eval(a) if a else x\n"


def overview(done: Run) -> Iterator[tuple[str, str]]:
    """The headline figures of report.md."""
    lines = done.text("report.md").split("## Overview\n\n")[1].splitlines()
    return zip(lines[0].strip("| ").split(" | "), lines[2].strip("| ").split(" | "), strict=True)


def test_a_repository_is_reviewed_and_what_was_found_is_no_failure(tmp_path: Path, repository: Path) -> None:
    write(repository, {"src/api/a.py": BAD, "src/clean.py": '"""Clean."""\n', "broken.py": "def (:\n"})
    write(repository, {"stub.pyi": "def f(): ...\n", "README.md": "import os\n", "env/pyvenv.cfg": ""})
    write(repository, {f"{folder}/theirs.py": BAD for folder in (".git", "node_modules", "env")})
    (repository / "latin.py").write_bytes(b"x = '\xff'\n")
    done = running.run("code_review", tmp_path, "--input", str(repository), prompt=b"Is <b>this</b> good?")
    check_is_complete(done, FILES)
    assert found(done) == {
        "broken.py": {"invalid-syntax"}, "latin.py": {"E902"}, "src/api/a.py": {"B006", "F401", "F821", "S307"},
    }  # fmt: skip
    assert done.messages("info") == ["5 Python files to review.", "Left out as others’ code: env and node_modules."]
    (last,) = done.messages("success")
    assert last.startswith("Review ready: 5 files, 9 lines, ")
    for name in ("report.html", "report.md"):
        assert "Is " in done.text(name) and "F821" in done.text(name)
        assert not [one for one in ("<b>", "theirs", "1 errors") if one in done.text(name).replace("\\<", "")]
    assert "&gt; 4 | def f(a=[]):" in done.text("report.html")
    assert "> 4 | def f(a=[]):" in done.text("report.md") and "Use instead:" in done.text("report.md")
    for shown in (
        '<h3 id="f401-unused-import">',
        '<a href="#f401-unused-import">F401</a>',
        '<p role="heading" aria-level="3"><strong class="severity error">Error</strong> line 5',
        "Undefined name <code>x</code>",
        "https://docs.astral.sh/ruff/rules/unused-import/",
    ):
        assert shown in done.text("report.html")


@pytest.mark.attack(102)
@pytest.mark.parametrize(("name", "text"), [
    ("ruff.toml", 'extend = "/etc/passwd"\n'), (".ruff.toml", 'extend-exclude = ["*.py"]\n[lint]\nignore = ["ALL"]\n'),
    ("pyproject.toml", '[tool.ruff.lint.per-file-ignores]\n"*" = ["ALL"]\n[tool.ruff]\ncache-dir = "/tmp/ruff"\n'),
    ("pyproject.toml", "not toml ["), ("src/ruff.toml", "[lint]\nselect = []\n"),
])  # fmt: skip
def test_settings_in_the_repository_change_none(
    name: str, text: str, repository: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(repository, {"src/a.py": BAD, ".gitignore": "*\n", name: text})
    monkeypatch.setenv("RUFF_OUTPUT_FORMAT", "junit")
    done = review(repository, output)
    check_is_complete(done, FILES)
    assert found(done) == {"src/a.py": {"B006", "F401", "F821", "S307"}}
    assert not list(repository.rglob(".ruff_cache"))
    assert not [one for one in FILES if "root:" in done.text(one)]


@pytest.mark.attack(102)
def test_odd_names_links_and_large_files_are_named_and_nothing_outside_is_read(
    tmp_path: Path, repository: Path, output: Path, dig: Callable[..., None]
) -> None:
    write(tmp_path / "outside", {"secret.py": "import os  # top secret\n"})
    names = ("a|b.py", "<script>.py", "new\nline.py", "-x.py", "@args.py", "ünï.py", "a b%20c.py")
    write(repository, dict.fromkeys(names, "import os\n"))
    dig(repository, 30, "deeper.py", name="e" * 200)  # than a path can name
    (repository / os.fsdecode(b"\xff.py")).write_text("import os\n")
    (repository / "link.py").symlink_to(tmp_path / "outside" / "secret.py")
    (repository / "folder").symlink_to(tmp_path / "outside")
    os.mkfifo(repository / "fifo.py")
    with (repository / "large.py").open("wb") as file:
        file.truncate(50 * 2**20)
    done = review(repository, output)
    check_is_complete(done, FILES)
    assert set(found(done)) == {
        "a%7Cb.py", "%3Cscript%3E.py", "new%0Aline.py", "-x.py", "%40args.py", "%C3%BCn%C3%AF.py", "a%20b%2520c.py",
    }  # fmt: skip
    *named, deep = sorted(done.messages("error"), key=lambda one: (one.startswith("eee"), one))
    assert deep.endswith("/: The folder could not be opened.")
    assert named == [
        "\\udcff.py: Its name is not valid UTF-8, so no finding could be told to be its own.",
        "fifo.py: It is not a regular file.",
        "large.py: The file is over 1 MiB, the most that is reviewed.",
        "link.py: It is a symbolic link, and links are not followed.",
    ]
    page, text = done.text("report.html"), done.text("report.md")
    assert "top secret" not in page + text + done.text("review.sarif")
    assert "<script>" not in page and "&lt;script&gt;.py" in page
    assert "\\<script\\>.py" in text and "a\\|b.py" in text


def test_many_files_are_reviewed_in_steps_and_of_many_findings_few_are_shown(
    repository: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "STEPS", 8)
    monkeypatch.setattr(run, "BATCH_FILES", 20)
    write(repository, {f"p{number % 50}/m{number}.py": "import os\nx = eval('1')\n" for number in range(250)})
    write(repository, {"many.py": "x = 1;\n" * 3_000 + "y = z\n"})
    done = review(repository, output)
    check_is_complete(done, FILES)
    assert len(done.steps) > 250 / 20
    assert done.messages("success") == ["Review ready: 251 files, 3,501 lines, 1 error, 500 warnings, 3,000 notes"]
    for said in ("201 more files with 402 findings", "2,981 more findings in this file."):
        assert said in done.text("report.md")
    assert sum((output / name).stat().st_size for name in ("report.html", "report.md")) < 200_000
    sarif: Any = json.loads(done.text("review.sarif"))["runs"][0]
    assert sarif["properties"] == {"findings": 3_501, "leftOut": 2_901}
    assert sarif["results"][0]["ruleId"] == "F821"  # the gravest is kept, though it comes last


def test_a_batch_is_small_enough_to_tell_progress_by_it() -> None:
    sources = [Source(Path("a.py"), "a.py", size) for size in (1, 2**20, 2**20, 2**20, *[1] * 8_000)]
    sizes = [len(batch) for batch in run._batches(sources)]
    assert (sizes[0], max(sizes), sum(sizes)) == (2, BATCH_FILES, len(sources))
    assert {len(batch) for batch in run._batches(sources[4:84])} == {2}  # 40 steps


@pytest.mark.parametrize(("prompt", "files", "left"), [
    ("review src/api", {"src/api/a.py"}, 3), ("Please review `./src/api/`, thanks.", {"src/api/a.py"}, 3),
    ("review src/b.py and tests", {"src/b.py", "tests/t.py"}, 2), ("check “src”.", {"src/api/a.py", "src/b.py"}, 2),
    ("review ../repository/src /etc src/nope and/or all", {"src/api/a.py", "src/b.py", "tests/t.py", "z.py"}, 0),
    ("", {"src/api/a.py", "src/b.py", "tests/t.py", "z.py"}, 0),
])  # fmt: skip
def test_a_path_in_the_prompt_restricts_the_review_and_the_log_says_so(
    prompt: str, files: set[str], left: int, repository: Path, output: Path
) -> None:
    write(repository, dict.fromkeys(("src/api/a.py", "src/b.py", "tests/t.py", "z.py"), "import os\n"))
    done = review(repository, output, prompt)
    check_is_complete(done, FILES)
    assert set(found(done)) == files
    said = [one for one in done.messages("info") if one.startswith("Only ")]
    assert len(said) == (left > 0)
    if left:
        assert said[0].endswith(f", as the request says; {left} other Python files left out.")
        assert f"{left} other Python files of the repository left out." in done.text("report.md")


def test_of_the_settings_the_oldest_python_and_the_length_of_line_count(repository: Path, output: Path) -> None:
    write(repository, {"a.py": f"from typing import Optional\n\nx: Optional[int] = None\ny = [{'100, ' * 19}100]\n"})
    write(repository, dict.fromkeys(("tests/unit/a.py", "src/test_a.py", "src/a.py"), "assert print\n"))
    write(repository, {"odd.py": "x=1\n", "broken.py": "def (:\n"})
    syntax = {"broken.py": {"invalid-syntax"}, "src/a.py": {"S101"}}  # tests may assert
    done = review(repository, output)
    assert (found(done), dict(overview(done))["Unformatted files"]) == (syntax | {"a.py": {"UP045"}}, "2")
    write(repository, {"pyproject.toml": '[project]\nrequires-python = ">=3.9,<4"\n[tool.ruff]\nline-length = 120\n'})
    done = review(repository, output)
    assert found(done) == syntax
    assert "as Python 3.9 or newer" in done.text("report.html")
    assert dict(overview(done))["Unformatted files"] == "1"


def test_where_nothing_is_found_or_can_be_reviewed_it_says_so(repository: Path, output: Path, tmp_path: Path) -> None:
    (repository / "main.go").touch()
    nothing, none = review(repository, output), review(None, output, "review it")
    (repository / "a.py").symlink_to("/etc/passwd")
    refused = review(repository, output)
    assert (nothing.code, none.code, refused.code, output.exists()) == (1, 1, 1, False)
    assert nothing.messages("error")[-1].startswith("There is nothing to review: looked for .py and .pyi files outside")
    assert none.messages("error")[-1].startswith("There is nothing to review: the task names no repository")
    assert refused.messages("error")[-1] == (
        "1 Python file found, but none could be reviewed: a.py: It is a symbolic link, and links are not followed."
    )
    write(tmp_path / "clean", {"clean.py": "x = 1\n", "empty.py": ""})
    clean = review(tmp_path / "clean", output)
    assert clean.messages("success") == ["Review ready: 2 files, 1 line, 0 errors, 0 warnings, 0 notes"]
    assert "Nothing was found." in clean.text("report.md")


@pytest.mark.attack(102)
def test_in_its_sandbox_the_agent_reviews_and_reads_nothing_else(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("repository", "output", "home")]
    repository, output, home = places
    for folder in places:
        folder.mkdir()
    (repository / "a.py").write_text(BAD)
    (repository / "ruff.toml").write_text('extend = "/etc/passwd"\n')
    user = isolation.user_for(8)
    for folder in places:
        folders.chown_tree(folder, user)
    agent = agents()["code-review"]
    place = Sandbox((output, home), (repository,), "none", agent.info.limits, user)
    assignment = Assignment("review it", None, repository, "https://h/x", output, home, place)
    assert agent.why_not_accepted("review it", "https://h/x") is None
    assert agent.why_not_accepted("review it", None) is not None
    parser, lines, deadline = agent.output_parser(assignment), [], time.monotonic() + 30
    with Process(agent.command(assignment), 30) as process:
        while not process.ended:
            assert time.monotonic() < deadline
            lines += process.read(0.1)
        assert process.exit_status == 0, lines
    entries = [entry for line, _ in lines for entry in parser.feed(line)]
    assert entries[-1] == LogLine("success", "Review ready: 1 file, 5 lines, 1 error, 3 warnings, 0 notes")
    assert [entry for entry in entries if isinstance(entry, LogLine) and entry.type == "error"] == []
    assert sorted(path.name for path in output.iterdir()) == FILES
