"""The three forms of the report: complete, strict, and safe whatever the data holds."""

import json
import math
import re
from typing import Any

import polars as pl
import pytest

from core.programs.data_processor import charts, limits, profile, tables
from core.programs.data_processor.document import document
from core.programs.data_processor.report import Report
from core.programs.data_processor.summary import summary
from core.programs.shared import words
from core.programs.shared.document import markdown
from core.programs.shared.page import page
from tests.core.programs.shared.hostile import HOSTILE, check_markdown, check_page


def of(*frames: pl.DataFrame, request: str = "", unreadable: Any = (), names: Any = None) -> Report:
    names = names or [f"f{number}.csv" for number in range(len(frames))]
    read = [tables.of_frame(name, frame, 10) for name, frame in zip(names, frames, strict=True)]
    return Report(request, False, [profile.of(one, lambda done, total: None) for one in read], list(unreadable))


def written(report: Report) -> tuple[str, str]:
    """report.html and report.md."""
    made = document(report, lambda done, total: None)
    return page(made), markdown(made)


@pytest.fixture(scope="module")
def hostile() -> Report:
    rows = 60
    columns: dict[str, list[Any]] = {
        name: [HOSTILE[row % len(HOSTILE)] for row in range(rows)] for name in HOSTILE[:10]
    }
    columns |= {name: [float(row * place % 7 + row) for row in range(rows)] for place, name in enumerate(HOSTILE[10:])}
    columns["when <b>"] = [f"2024-01-{row % 28 + 1:02}" for row in range(rows)]
    frame = pl.DataFrame(columns).with_columns(pl.col("when <b>").str.to_date())
    return of(
        frame,
        request="\n".join(HOSTILE),
        names=[words.visible("<script>|![x](http://evil.example/a)\n.csv")],
        unreadable=[(words.visible(name), words.visible(name)) for name in HOSTILE],
    )


@pytest.mark.attack(99)
def test_neither_the_page_nor_the_markdown_holds_markup_of_the_data(hostile: Report) -> None:
    html, text = written(hostile)
    elements = check_page(html)
    assert len(elements.named("figure")) > 5
    for one in HOSTILE[:6]:
        assert one in elements.text
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"|>[^<]*<|aria-label="[^"]*"', "", html).replace("http-equiv", "")
    check_markdown(text)
    assert "![" not in text and "<script" not in text.replace("\\<", "")


@pytest.mark.attack(99)
def test_summary_is_strict_and_complete() -> None:
    x, big, name = [1.0, math.nan, math.inf, None], [1.7e308, 1.7e308, -1.7e308, 0.0], ["a", "a", "b", None]
    when = pl.Series(["2024-01-02", "2024-01-03", None, "2024-01-03"]).str.to_date()
    report = of(pl.DataFrame({"x": x, "big": big, "when": when, "name": name}), unreadable=[("b.csv", "Empty.")])
    found = json.loads(summary(report), parse_constant=pytest.fail)
    assert (found["sample"], found["unreadable"]) == (False, [{"path": "b.csv", "reason": "Empty."}])
    assert found["totals"] == {
        "files": 1, "unreadable": 1, "rows": 4, "columns": 4, "cells": 16, "missing": 3, "duplicates": 0,
    }  # fmt: skip
    columns = {column["name"]: column for column in found["files"][0]["columns"]}
    assert [columns["x"][key] for key in ("non_finite", "min", "max", "mean")] == [2, 1.0, 1.0, 1.0]
    assert [columns["big"][key] for key in ("max", "mean", "std")] == [1.7e308, None, None]
    assert [columns["when"][key] for key in ("type", "min", "max")] == ["date", "2024-01-02", "2024-01-03"]
    assert columns["name"]["top"] == [{"value": "a", "count": 2}, {"value": "b", "count": 1}]


def test_a_missing_cell_is_no_empty_text_and_a_file_is_reached_by_its_name() -> None:
    frame = pl.DataFrame({"key": ["a", "b"], "word": [None, ""]})
    html, text = written(of(frame, unreadable=[("b.csv", "The file is empty.")]))
    assert "| a | *empty* |\n| b |  |" in text
    assert "<td>a</td>\n<td><em>empty</em></td>" in html
    assert 'aria-label="First 2 rows"' in html
    assert '<a href="#section-1">f0.csv</a>' in html and '<section id="section-1">\n<h2>f0.csv</h2>' in html


def test_what_is_left_out_is_said() -> None:
    wide = pl.DataFrame({f"column {i}": [i] for i in range(limits.SHOWN_COLUMNS + 5)})
    small = pl.DataFrame({"a": [1]})
    bad = [(f"bad {i}.csv", "The file is empty.") for i in range(limits.SHOWN_UNREADABLE + 3)]
    report = of(wide, *[small] * limits.SHOWN_FILES, unreadable=bad)
    for text in written(report):
        assert "The first 40 of 45 columns are shown; summary.json has all of them." in text
        assert "The first 50 of 51 files are described in detail" in text
        assert "3 more files in summary.json." in text
        assert "column 39" in text and "column 40" not in text and f"bad {limits.SHOWN_UNREADABLE}.csv" not in text
    found = json.loads(summary(report))
    assert (len(found["files"]), len(found["unreadable"])) == (51, 203)


def test_charts_suit_the_data_are_few_and_the_same_on_every_call() -> None:
    rows = 100
    frame = pl.DataFrame(
        {f"n{i}": [(row * (i + 2)) % 17 for row in range(rows)] for i in range(20)}
        | {f"c{i}": [f"v{row % (i + 2)}" for row in range(rows)] for i in range(20)}
        | {"key": range(rows), "text": [f"t{row}" for row in range(rows)]}
    )
    found = charts.of(of(frame).tables[0])
    assert 3 < len(found) <= limits.SHOWN_CHARTS
    titles = [one.title for one in found]
    assert titles[-1] == "Correlations"
    assert not [one for one in titles if "key" in one or "text" in one]
    for chart in (found[0], found[-1]):
        assert chart.svg("a") == chart.svg("a")
    assert charts.of(of(pl.DataFrame({"a": [[1]]})).tables[0]) == []
