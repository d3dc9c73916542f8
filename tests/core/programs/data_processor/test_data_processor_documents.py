"""JSON and NDJSON files, and each way they can be no table."""

import json

import pytest

from core.programs.data_processor import limits
from core.programs.data_processor.files import Unreadable
from tests.core.programs.data_processor.conftest import Read, content, kinds


def test_reads_json_tables_whose_columns_may_appear_late(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"a": 1, "b": {"c": "x"}}, {"a": None, "d": [1, 2]}]
    expected = {"a": [1, None], "b.c": ["x", None], "d": [None, "[1, 2]"]}
    assert content(read("a.json", json.dumps(rows))) == expected
    assert content(read("b.json", json.dumps({"n": 2, "rows": rows}))) == expected
    lines = "\n".join(map(json.dumps, rows))
    assert content(read("c.ndjson", lines)) == expected
    assert content(read("d.JSONL", lines + "\r\n\r\n")) == expected
    assert content(read("e.json", '{"a": true, "b": 2}')) == {"a": [True], "b": [2]}
    monkeypatch.setattr("core.programs.data_processor.text.BLOCK_BYTES", 16)
    table = read("late.ndjson", '{"a": 1}\n' * 9 + '{"b": "x", "a": 2}\n')
    assert content(table) == {"a": [1] * 9 + [2], "b": [None] * 9 + ["x"]}


@pytest.mark.attack(99)
def test_json_may_hold_what_is_no_number_and_half_a_character(read: Read) -> None:
    rows = ['{"x": NaN}', '{"x": Infinity}', '{"x": 1e400}', '{"x": 1}']
    for table in (read("a.json", f"[{','.join(rows)}]"), read("b.ndjson", "\n".join(rows))):
        assert (kinds(table), str(content(table)["x"])) == (["number"], "[nan, inf, inf, 1.0]")
    assert content(read("c.json", '{"\\ud800": "\\udfff!"}')) == {"?": ["?!"]}


@pytest.mark.attack(99)
@pytest.mark.parametrize(("name", "text", "reason"), [
    ("a.json", "{", "The file is not valid JSON."),
    ("a.json", '[{"a": 1},\n{]', "The file is not valid JSON (line 2)."),
    ("a.json", "3", "It is not a table: it holds a single value."),
    ("a.json", "[1, 2]", "It is not a table: its array holds more than objects."),
    ("a.json", "[]", "It holds no rows."), ("a.json", "{}", "It holds no rows."),
    ("a.json", '{"a": [{}], "b": [{}]}', "It is not one table: it holds 2 arrays of objects."),
    ("a.ndjson", '{"a": 1}\n[2]\n', "Line 2 is not a JSON object."),
    ("a.ndjson", '{"a": 1}\n\n{"a"\n', "Line 3 is not valid JSON."), ("a.ndjson", "\n\n", "It holds no rows."),
])  # fmt: skip
def test_names_what_is_wrong_with_json(read: Read, name: str, text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as error:
        read(name, text)
    assert str(error.value) == reason


def test_limits_the_fields_of_json(read: Read) -> None:
    text = "".join(json.dumps({f"k{i}": i}) + "\n" for i in range(limits.MAX_COLUMNS + 1))
    with pytest.raises(Unreadable, match="over 1,000 fields"):
        read("a.ndjson", text)
