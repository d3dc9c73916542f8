"""A repository of nothing but hostile data files, and one good one, given to the whole program."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import polars as pl
import pytest

from core.programs.data_processor import limits
from tests.core.programs.shared.running import ROOT

GOOD_ROWS = 100

#: What no report may take for more than text.
CELLS = ["=cmd()", "=HYPERLINK(1)", "+1", "@SUM(1)", "<script>alert(1)</script>", "![x](http://evil.example)", "a | b"]

UNREADABLE = {
    "ragged.csv": ("a,b\n1,2\n3\n", "Line 3 has 1 field; the header has 2."),
    "empty.csv": ("", "The file is empty."),
    "header.csv": ("a,b\n", "It holds no rows."),
    "wide.csv": (
        ",".join(f"c{number}" for number in range(10_000)) + "\n" + ",".join("1" * 10_000) + "\n",
        "It has 10,000 columns; tables up to 1,000 columns are read.",
    ),
    "binary.csv": ("a,b\n1,\0\n", "It holds binary data, not text."),
    "deep.json": ("[" * 200_000, "The file is not valid JSON: it is nested too deeply."),
    "long.json": ('[{"a": ' + "9" * 5_000 + "}]", "The file is not valid JSON: it holds a number that is too long."),
    "half.parquet": ("PAR1", "It is not a valid Parquet file."),
}


def fill(folder: Path) -> None:
    for name, (content, _) in UNREADABLE.items():
        (folder / name).write_text(content)
    # 20 million rows and one more, in less than 100 kB
    pl.select(x=pl.repeat(0, limits.MAX_ROWS + 1, dtype=pl.Int8)).write_parquet(folder / "bomb.parquet")
    (folder / "utf16.csv").write_bytes("name,total\nZoë,1\n".encode("utf-16"))
    (folder / "bom.csv").write_bytes("name,total\nZoë,2\n".encode("utf-8-sig"))
    rows = "".join(f'"{CELLS[number % len(CELLS)]}",{number}\n' for number in range(GOOD_ROWS))
    (folder / "formulas.csv").write_text("=cmd(),total\n" + rows)
    (folder / "numbers.csv").write_text("x\nNaN\nInfinity\n-inf\n1e400\n1\n2\n")
    (folder / "numbers.ndjson").write_text('{"x": NaN}\n{"x": Infinity}\n{"x": 1e400}\n{"x": 1}\n')


def refuse(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is not JSON")


@pytest.mark.attack(99)
def test_hostile_data_is_named_or_escaped_and_takes_little_memory(tmp_path: Path) -> None:
    folder, made, home = (tmp_path / name for name in ("repository", "made", "home"))
    folder.mkdir()
    home.mkdir()
    fill(folder)
    assert (folder / "bomb.parquet").stat().st_size < 100_000
    command = [sys.executable, "-m", "core.programs.data_processor", "--output", str(made), "--input", str(folder)]
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8"}
    with (tmp_path / "said").open("w+") as said:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        events = [json.loads(line, parse_constant=refuse) for line in said]
    assert process.returncode == 0
    assert used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) < 700 * 2**20

    summary = json.loads((made / "summary.json").read_text(), parse_constant=refuse)
    named = {one["path"]: one["reason"] for one in summary["unreadable"]}
    bomb = named.pop("bomb.parquet")
    assert bomb.startswith("It declares 20,000,001 rows")
    assert named == {name: reason for name, (_, reason) in UNREADABLE.items()}
    for name, reason in named.items():
        assert f"{name}: {reason}" in [event["message"] for event in events if event["type"] == "error"]
    files = {one["path"]: one for one in summary["files"]}
    assert set(files) == {"utf16.csv", "bom.csv", "formulas.csv", "numbers.csv", "numbers.ndjson"}
    assert [one["name"] for one in files["bom.csv"]["columns"]] == ["name", "total"]
    assert files["utf16.csv"]["columns"][0]["top"] == [{"value": "Zoë", "count": 1}]
    assert (files["numbers.ndjson"]["columns"][0]["non_finite"], files["numbers.ndjson"]["columns"][0]["max"]) == (3, 1)
    assert files["formulas.csv"]["columns"][0]["name"] == "=cmd()"

    page, text = (made / "report.html").read_text(), (made / "report.md").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "![" not in text and "<script" not in text.replace("\\<", "")
    for name in named:
        assert name in page
