"""The whole program as the runner starts it: a process with a bare environment."""

import json
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from tests.core.programs.shared import running
from tests.core.programs.shared.running import Run

FILES = ["report.html", "report.md", "summary.json"]

run = partial(running.run, "data_processor")


def check_is_complete(done: Run) -> None:
    assert (done.code, done.errors) == (0, "")
    assert sorted(path.name for path in done.output.iterdir()) == FILES
    for event in done.events:
        assert event["type"] == "progress" or (event["message"] and event["message"].isprintable())
    steps = [one for one in done.events if one["type"] == "progress"]
    assert steps[0]["done"] == 0
    assert steps[-1]["done"] == steps[-1]["total"]
    assert done.events[-1]["type"] == "success"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    return folder


def test_sample(tmp_path: Path) -> None:
    done = run(tmp_path, prompt="Wie läuft <b>es</b>?".encode())
    check_is_complete(done)
    assert done.messages("success") == ["Report ready: 1 file, 10,000 rows, 10 columns"]
    assert done.messages("info")[0] == ("No repository was given: working on generated sample data.")
    assert "Sample data, generated; not yours." in "".join(done.text("report.md").splitlines()[:4])
    assert "Sample data, generated; not yours." in done.text("report.html")
    assert "Wie läuft &lt;b&gt;es&lt;/b&gt;?" in done.text("report.html")
    summary = json.loads(done.text("summary.json"))
    assert summary["sample"] is True
    missing = {one["name"]: one["missing"] for one in summary["files"][0]["columns"]}
    assert missing["discount"] > 0
    assert missing["order_id"] == 0


def test_two_runs_are_alike(tmp_path: Path) -> None:
    first, second = run(tmp_path, output="1"), run(tmp_path, output="2")
    for name in FILES:
        assert first.text(name) == second.text(name)


def test_repository_with_files_of_every_kind(tmp_path: Path, repository: Path) -> None:
    (repository / "orders.csv").write_text("id,when\n" + "1,2024-01-02\n2,2024-01-03\n" * 50)
    (repository / "ragged.csv").write_text("a,b\n1,2\n3\n")
    (repository / "bad\nname.csv").write_text("a,b\n1\n")
    (repository / "package.json").write_text('{"name": "x", "scripts": {}}')
    (repository / "rows.ndjson").write_text('{"x": NaN}\n{"x": 2}\n')
    (repository / "broken.parquet").write_bytes(b"PAR1")
    (repository / "link.csv").symlink_to("/etc/passwd")
    (repository / ".git").mkdir()
    (repository / ".git" / "x.csv").write_text("a\n1\n")
    pl.DataFrame({"a": [1, 2, 3]}).write_parquet(repository / "good.parquet")
    done = run(tmp_path, "--input", str(repository))
    check_is_complete(done)
    assert done.messages("success") == ["Report ready: 3 files, 105 rows, 4 columns; 5 files could not be read"]
    assert sorted(done.messages("error")) == [
        "bad\\nname.csv: Line 2 has 1 field; the header has 2.",
        "broken.parquet: It is not a valid Parquet file.",
        "link.csv: It is a symbolic link, and links are not followed.",
        "package.json: It is not a table: it is one object, and “scripts” in it is nested.",
        "ragged.csv: Line 3 has 1 field; the header has 2.",
    ]
    assert any(one.startswith("orders.csv: 100 rows, 2 columns read in ") for one in done.messages("info"))
    summary = json.loads(done.text("summary.json"))
    assert [one["path"] for one in summary["files"]] == [
        "good.parquet", "orders.csv", "rows.ndjson",
    ]  # fmt: skip
    assert len(summary["unreadable"]) == 5
    for name in ("report.html", "report.md"):
        assert "Files that could not be read" in done.text(name)
        assert "Sample data" not in done.text(name)
        assert "root:" not in done.text(name)


def test_damaged_parquet_is_never_fatal(tmp_path: Path, repository: Path) -> None:
    (repository / "good.csv").write_text("a\n1\n")
    pl.DataFrame({"a": range(1000), "b": ["x", "y"] * 500}).write_parquet(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for place in range(8, len(whole) - 8, len(whole) // 25):
        data = bytearray(whole)
        data[place : place + 3] = b"\xff\x00\xff"
        (repository / f"{place:05}.parquet").write_bytes(data)
    done = run(tmp_path, "--input", str(repository))
    assert done.code == 0
    summary = json.loads(done.text("summary.json"))
    assert "good.csv" in [one["path"] for one in summary["files"]]
    assert summary["unreadable"]


def test_progress_moves_within_one_file(tmp_path: Path, repository: Path) -> None:
    with (repository / "big.csv").open("w") as file:
        file.write("id,name,value\n")
        for start in range(0, 1_200_000, 1000):
            file.writelines(f"{i},name {i % 7},{i / 7:.6f}\n" for i in range(start, start + 1000))
    done = run(tmp_path, "--input", str(repository))
    check_is_complete(done)
    read_at = next(i for i, one in enumerate(done.events) if "read in" in one.get("message", ""))
    steps = [one["done"] for one in done.events[:read_at] if one["type"] == "progress"]
    assert len(steps) >= 6


def test_no_data_files(tmp_path: Path, repository: Path) -> None:
    (repository / "README.md").write_text("# Hi")
    done = run(tmp_path, "--input", str(repository))
    assert (done.code, done.errors) == (1, "")
    assert done.events[-1]["type"] == "error"
    assert done.events[-1]["message"].startswith("There are no data files in the repository")
    assert ".parquet" in done.events[-1]["message"]
    assert not done.output.exists()


def test_no_readable_file(tmp_path: Path, repository: Path) -> None:
    (repository / "a.csv").write_text("a,b\n1\n")
    (repository / "b.csv").touch()
    done = run(tmp_path, "--input", str(repository))
    assert (done.code, done.errors) == (1, "")
    assert done.events[-1]["type"] == "error"
    assert done.events[-1]["message"].startswith(
        "2 data files found, but none could be read: a.csv: Line 2 has 1 field; the header has 2."
    )
    assert "b.csv: The file is empty." in done.messages("error")
    assert not done.output.exists()


@pytest.mark.parametrize("arguments", [["--input", "/no/such/folder"], ["--nonsense"]])
def test_wrong_usage(tmp_path: Path, arguments: list[str]) -> None:
    done = run(tmp_path, *arguments)
    assert done.code == 2
    assert done.events == []


def test_a_prompt_is_only_quoted(tmp_path: Path) -> None:
    prompt = "__import__('os').system('id')\n" + "x" * 30_000
    done = run(tmp_path, prompt=prompt.encode() + b"\xff")
    check_is_complete(done)
    assert done.text("report.html").count("x" * 19_970) == 1
    assert "x" * 20_001 not in done.text("report.html")
