"""The three forms of the report: complete, strict, and safe whatever the data holds."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from markdown_it import MarkdownIt

from core.programs.data_processor import charts, limits, profile, tables
from core.programs.data_processor.markdown import markdown
from core.programs.data_processor.page import page
from core.programs.data_processor.report import Report
from core.programs.data_processor.summary import summary
from core.programs.shared import words
from tests.core.programs.shared.hostile import HOSTILE, Elements


def of(*frames: pl.DataFrame, request: str = "", unreadable: Any = (), names: Any = None) -> Report:
    names = names or [f"f{number}.csv" for number in range(len(frames))]
    shown = [
        profile.of(tables.of_frame(name, frame, 10), lambda done, total: None)
        for name, frame in zip(names, frames, strict=True)
    ]
    return Report(request, False, shown, list(unreadable))


def html(report: Report) -> str:
    return page(report, lambda done, total: None)


@pytest.fixture(scope="module")
def hostile() -> Report:
    rows = 60
    columns: dict[str, list[Any]] = {
        name: [HOSTILE[row % len(HOSTILE) : row % len(HOSTILE) + 1][0] for row in range(rows)] for name in HOSTILE[:10]
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
def test_page_holds_no_element_of_the_data(hostile: Report) -> None:
    elements = Elements(html(hostile))
    assert {tag for tag, _ in elements.found} <= {
        "html", "head", "meta", "title", "style", "body", "main", "header", "h1", "h2", "h3", "p",
        "strong", "blockquote", "dl", "div", "dt", "dd", "nav", "ul", "li", "a", "span", "section",
        "table", "thead", "tbody", "tr", "th", "td", "i", "figure", "figcaption", "svg", "g",
        "path", "text", "defs", "use", "clippath", "rect", "tspan",
    }  # fmt: skip
    for text in HOSTILE[:6]:
        assert text in elements.text


def test_page_loads_nothing(hostile: Report) -> None:
    for tag, attributes in Elements(html(hostile)).found:
        assert not {name for name in attributes if name.startswith("on")}
        for name in ("href", "src", "xlink:href", "srcset", "action", "data", "poster"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
        for name in ("style", "clip-path", "fill"):
            assert set(re.findall(r"url\((.)", attributes.get(name) or "")) <= {"#"}


def test_page_is_sound_to_read_aloud(hostile: Report) -> None:
    elements = Elements(html(hostile))
    assert elements.named("html") == [{"lang": "en"}]
    assert len(elements.named("title")) == len(elements.named("h1")) == 1
    assert all(one.get("scope") in ("col", "row") for one in elements.named("th"))
    images = [one for one in elements.named("div") if one.get("role") == "img"]
    assert len(images) == len(elements.named("figure")) == len(elements.named("svg")) > 5
    assert all(one["aria-label"] for one in images)
    ids = [one["id"] for _, one in elements.found if "id" in one]
    assert len(ids) == len(set(ids))
    links = {one["href"] for one in elements.named("a")} | {one.get("href") for one in elements.named("use")}
    assert links <= {f"#{one}" for one in ids}


@pytest.mark.attack(99)
def test_markdown_holds_no_markup_of_the_data(hostile: Report) -> None:
    text = markdown(hostile)
    tokens = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(text)
    inline = [child for one in tokens for child in one.children or []]
    assert {one.type for one in tokens + inline} <= {
        "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "text",
        "text_special", "blockquote_open", "blockquote_close", "hardbreak", "softbreak",
        "table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close",
        "tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close", "bullet_list_open",
        "bullet_list_close", "list_item_open", "list_item_close",
    }  # fmt: skip
    assert "![" not in text
    assert "<script" not in text.replace("\\<", "")


@pytest.mark.attack(99)
def test_tables_of_markdown_have_even_rows(hostile: Report) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", markdown(hostile), re.MULTILINE):
        bars = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(bars) == 1


@pytest.mark.attack(99)
def test_summary_is_strict_and_complete() -> None:
    frame = pl.DataFrame(
        {
            "x": [1.0, float("nan"), float("inf"), None],
            "big": [1.7e308, 1.7e308, -1.7e308, 0.0],
            "when": ["2024-01-02", "2024-01-03", None, "2024-01-03"],
            "name": ["a", "a", "b", None],
        }
    ).with_columns(pl.col("when").str.to_date())

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = summary(of(frame, unreadable=[("b.csv", "The file is empty.")]))
    found = json.loads(text, parse_constant=refuse)
    assert found["sample"] is False
    assert found["unreadable"] == [{"path": "b.csv", "reason": "The file is empty."}]
    assert found["totals"] == {
        "files": 1, "unreadable": 1, "rows": 4, "columns": 4, "cells": 16, "missing": 3,
        "duplicates": 0,
    }  # fmt: skip
    (file,) = found["files"]
    x, big, when, name = file["columns"]
    assert (x["non_finite"], x["min"], x["max"], x["mean"]) == (2, 1.0, 1.0, 1.0)
    assert (big["max"], big["mean"], big["std"]) == (1.7e308, None, None)
    assert (when["type"], when["min"], when["max"]) == ("date", "2024-01-02", "2024-01-03")
    assert name["top"] == [{"value": "a", "count": 2}, {"value": "b", "count": 1}]


def test_what_is_left_out_is_said() -> None:
    wide = pl.DataFrame({f"column {i}": [i] for i in range(limits.SHOWN_COLUMNS + 5)})
    small = pl.DataFrame({"a": [1]})
    bad = [(f"bad {i}.csv", "The file is empty.") for i in range(limits.SHOWN_UNREADABLE + 3)]
    report = of(wide, *[small] * limits.SHOWN_FILES, unreadable=bad)
    for text in (html(report), markdown(report)):
        assert "The first 40 of 45 columns are shown; summary.json has all of them." in text
        assert "The first 50 of 51 files are described in detail" in text
        assert "column 39" in text
        assert "column 40" not in text
        assert "3 more files in summary.json." in text
        assert f"bad {limits.SHOWN_UNREADABLE}.csv" not in text
    found = json.loads(summary(report))
    assert (len(found["files"]), len(found["unreadable"])) == (51, 203)


def test_charts_suit_the_data_and_are_few() -> None:
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
    assert charts.of(of(pl.DataFrame({"a": [[1]]})).tables[0]) == []


def test_a_chart_is_the_same_on_every_call(hostile: Report) -> None:
    for chart in charts.of(hostile.tables[0]):
        assert chart.svg("a") == chart.svg("a")


def test_output_names_no_other_file(tmp_path: Path) -> None:
    text = html(of(pl.DataFrame({"a": range(50), "b": [i % 7 for i in range(50)]})))
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", text).replace("http-equiv", "")
