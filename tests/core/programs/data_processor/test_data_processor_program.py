"""The whole program: on sample data, on a folder full of hostile files and some good ones, and on nothing."""

import json
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import polars as pl
import pytest

from core.programs.data_processor import limits
from core.programs.data_processor.run import run
from tests.core.programs.shared import running
from tests.core.programs.shared.running import Run, check_is_complete, run_here

FILES = ["report.html", "report.md", "summary.json"]
PROMPT = "Wie läuft <b>es</b>?\n__import__('os').system('id')\n".encode() + b"x" * 30_000 + b"\xff"

#: What no report may take for more than text.
CELLS = ["=cmd()", "=HYPERLINK(1)", "+1", "@SUM(1)", "<script>alert(1)</script>", "![x](http://evil.example)", "a | b"]

#: Unreadable files, with the reason that is told.
UNREADABLE = {
    "bad\nname.csv": ("a,b\n1\n", "Line 2 has 1 field; the header has 2."),
    "wide.csv": (
        ",".join(f"c{number}" for number in range(10_000)) + "\n" + ",".join("1" * 10_000) + "\n",
        "It has 10,000 columns; tables up to 1,000 columns are read.",
    ),
    "binary.csv": ("a,b\n1,\0\n", "It holds binary data, not text."),
    "deep.json": ("[" * 200_000, "The file is not valid JSON: it is nested too deeply."),
    "long.json": ('[{"a": ' + "9" * 5_000 + "}]", "The file is not valid JSON: it holds a number that is too long."),
    "package.json": (
        '{"name": "x", "scripts": {}}', "It is not a table: it is one object, and “scripts” in it is nested.",
    ),
    "half.parquet": ("PAR1", "It is not a valid Parquet file."),
}  # fmt: skip


def refuse(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is not JSON")


def summary(done: Run) -> Any:
    return json.loads(done.text("summary.json"), parse_constant=refuse)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run without a repository."""
    return running.run("data_processor", tmp_path_factory.mktemp("sample"), prompt=PROMPT)


def test_without_a_repository_it_reports_on_sample_data_each_time_alike(sample: Run, tmp_path: Path) -> None:
    check_is_complete(sample, FILES)
    assert sample.messages("success") == ["Report ready: 1 file, 10,000 rows, 10 columns"]
    assert sample.messages("info")[0] == ("No repository was given: working on generated sample data.")
    for name in ("report.html", "report.md"):
        assert "Sample data, generated; not yours." in sample.text(name)
    assert summary(sample)["sample"] is True
    missing = {one["name"]: one["missing"] for one in summary(sample)["files"][0]["columns"]}
    assert missing["discount"] > 0
    assert missing["order_id"] == 0
    page = sample.text("report.html")
    assert "Wie läuft &lt;b&gt;es&lt;/b&gt;?" in page, "a prompt is only quoted, and cut"
    assert page.count("x" * 19_900) == 1 and "x" * 20_001 not in page
    second = running.run("data_processor", tmp_path, prompt=PROMPT)
    assert [sample.text(name) for name in FILES] == [second.text(name) for name in FILES]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on unreadable and damaged files, links, a bomb, and some good ones."""
    tmp_path = tmp_path_factory.mktemp("mixed")
    folder = tmp_path / "repository"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "x.csv").write_text("a\n1\n")
    (folder / "link.csv").symlink_to("/etc/passwd")
    for name, (content, _) in UNREADABLE.items():
        (folder / name).write_text(content)
    # 20 million rows and one more, in less than 100 kB
    pl.select(x=pl.repeat(0, limits.MAX_ROWS + 1, dtype=pl.Int8)).write_parquet(folder / "bomb.parquet")
    assert (folder / "bomb.parquet").stat().st_size < 100_000
    pl.DataFrame({"a": range(1000), "b": ["x", "y"] * 500}).write_parquet(folder / "good.parquet")
    whole = (folder / "good.parquet").read_bytes()
    for place in range(8, len(whole) - 8, len(whole) // 25):
        damaged = bytearray(whole)
        damaged[place : place + 3] = b"\xff\x00\xff"
        (folder / f"damaged {place:05}.parquet").write_bytes(damaged)
    (folder / "utf16.csv").write_bytes("name,total\nZoë,1\n".encode("utf-16"))
    (folder / "bom.csv").write_bytes("name,total\nZoë,2\n".encode("utf-8-sig"))
    rows = "".join(f'"{CELLS[number % len(CELLS)]}",{number}\n' for number in range(100))
    (folder / "formulas.csv").write_text("=cmd(),total\n" + rows)
    (folder / "numbers.csv").write_text("x\nNaN\nInfinity\n-inf\n1e400\n1\n2\n")
    (folder / "numbers.ndjson").write_text('{"x": NaN}\n{"x": Infinity}\n{"x": 1e400}\n{"x": 1}\n')
    return running.run("data_processor", tmp_path, "--input", str(folder))


@pytest.mark.attack(99)
def test_hostile_files_are_named_with_their_reason_and_take_little_memory(mixed: Run) -> None:
    check_is_complete(mixed, FILES)
    assert mixed.memory < 700 * 2**20
    named = {one["path"]: one["reason"] for one in summary(mixed)["unreadable"]}
    assert [f"{name}: {reason}" for name, reason in sorted(named.items())] == sorted(mixed.messages("error"))
    damaged = {name: named.pop(name) for name in [*named] if name.startswith("damaged")}
    assert "It is not a valid Parquet file." in damaged.values()
    assert named.pop("bomb.parquet").startswith("It declares 20,000,001 rows")
    assert named.pop("link.csv") == "It is a symbolic link, and links are not followed."
    assert named == {name.replace("\n", "\\n"): reason for name, (_, reason) in UNREADABLE.items()}
    for name in ("report.html", "report.md"):
        assert "Files that could not be read" in mixed.text(name)
        assert not [one for one in ("Sample data", "root:") if one in mixed.text(name)]
        assert all(one in mixed.text(name).replace("\\\\n", "\\n") for one in named)


@pytest.mark.attack(99)
def test_the_good_files_beside_them_are_read_and_what_they_hold_is_only_text(mixed: Run) -> None:
    files = {one["path"]: one for one in summary(mixed)["files"] if not one["path"].startswith("damaged")}
    assert list(files) == ["bom.csv", "formulas.csv", "good.parquet", "numbers.csv", "numbers.ndjson", "utf16.csv"]
    assert any(one.startswith("good.parquet: 1,000 rows, 2 columns read in ") for one in mixed.messages("info"))
    assert [one["name"] for one in files["bom.csv"]["columns"]] == ["name", "total"]
    assert files["utf16.csv"]["columns"][0]["top"] == [{"value": "Zoë", "count": 1}]
    (numbers,) = files["numbers.ndjson"]["columns"]
    assert (numbers["non_finite"], numbers["max"]) == (3, 1)
    assert files["formulas.csv"]["columns"][0]["name"] == "=cmd()"
    page, text = mixed.text("report.html"), mixed.text("report.md")
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "![" not in text and "<script" not in text.replace("\\<", "")


def test_progress_moves_within_one_file(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.programs.data_processor.text.BLOCK_BYTES", 1_000)
    (root / "big.csv").write_text("id,name,value\n" + "".join(f"{i},name {i % 7},{i / 7:.6f}\n" for i in range(1_000)))
    done = run_here(partial(run, request="", source=root, output=tmp_path / "out"), tmp_path / "out")
    check_is_complete(done, FILES)
    read_at = next(i for i, one in enumerate(done.events) if "read in" in one.get("message", ""))
    steps = [one["done"] for one in done.events[:read_at] if one["type"] == "progress"]
    assert len(steps) >= 6


@pytest.mark.parametrize(
    ("files", "sentences"),
    [
        ({"README.md": "# Hi"}, ["There are no data files in the repository: looked for .csv, .tsv, .parquet, "]),
        (
            {"a.csv": "a,b\n1\n", "b.csv": ""},
            [
                "b.csv: The file is empty.",
                "a.csv: Line 2 has 1 field; the header has 2.",
                "2 data files found, but none could be read: a.csv: Line 2 has 1 field; the header has 2. Mend or ",
            ],
        ),
    ],
)
def test_who_reads_nothing_says_why(files: dict[str, str], sentences: list[str], root: Path, tmp_path: Path) -> None:
    for name, text in files.items():
        (root / name).write_text(text)
    done = run_here(partial(run, request="", source=root, output=tmp_path / "out"), tmp_path / "out")
    assert (done.code, done.events[-1]["type"]) == (1, "error")
    for sentence, told in zip(sentences, done.messages("error"), strict=True):
        assert told.startswith(sentence)
    assert not done.output.exists()
