"""The types of columns, found from all of their values."""

import pytest

from tests.core.programs.data_processor.conftest import Read, content, kinds


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", " 2", "NA", "-3"], "integer", ["1", "2", "None", "-3"]),
        (["1", "2.5", "1e3"], "number", ["1.0", "2.5", "1000.0"]),
        (["9223372036854775808", "1"], "number", ["9.223372036854776e+18", "1.0"]),
        (["1,234.5", "2"], "number", ["1234.5", "2.0"]),
        (["007", "123"], "text", ["007", "123"]),
        (["True", "false", "null"], "true/false", ["True", "False", "None"]),
        (["1", "x"], "text", ["1", "x"]),
        (["NA", "x"], "text", ["NA", "x"]),
        (["=cmd()", "+1+1"], "text", ["=cmd()", "+1+1"]),
        (["2024-02-13", ""], "date", ["2024-02-13", "None"]),
        (["13.02.2024"], "date", ["2024-02-13"]),
        (["01/02/2024", "13/02/2024"], "date", ["2024-02-01", "2024-02-13"]),
        (["02/13/2024"], "date", ["2024-02-13"]),
        (["2024-02-13T04:05:06.5"], "date and time", ["2024-02-13 04:05:06.500000"]),
        (["2024-02-13 04:05"], "date and time", ["2024-02-13 04:05:00"]),
        (["2024-02-13T04:05:06+02:00"], "date and time", ["2024-02-13 02:05:06"]),
        (["0000-01-01"], "text", ["0000-01-01"]),
        (["01/02/2024", "03/04/2024"], "text", ["01/02/2024", "03/04/2024"]),  # of day or month, nobody knows
    ],
)
def test_types_come_from_all_values(read: Read, cells: list[str], kind: str, values: list[str]) -> None:
    table = read("a.csv", "n|c\n" + "".join(f"0|{cell}\n" for cell in cells))
    assert (kinds(table)[1], [*map(str, content(table)["c"])]) == (kind, values)
    is_ambiguous = cells[-1] == "03/04/2024"
    note = "c: kept as text: its dates could be day/month or month/day."
    assert (note in table.notes) == is_ambiguous


def test_one_late_value_makes_a_column_text(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.programs.data_processor.text.BLOCK_BYTES", 1_000)
    table = read("a.csv", "a\n" + "1\n" * 2_500 + "x\n" + "1\n" * 2_500)
    assert (kinds(table), sorted(set(content(table)["a"]))) == (["text"], ["1", "x"])
    assert content(read("b.csv", "a;b\n1,5;x\n2;y\n"))["a"] == [1.5, 2.0]  # a decimal comma beside semicolons
