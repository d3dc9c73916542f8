"""What is shown of a file: bounded, and honest about what it leaves out."""

import time
from pathlib import Path

import pytest

from pages.parts import previews


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_text_is_read_in_the_encoding_that_its_mark_names(path: Path) -> None:
    marked = (("utf-8-sig", b""), ("utf-8", b""), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff"))
    for encoding, mark in marked:
        path.write_bytes(mark + "Zoë\n".encode(encoding))
        assert previews.text(path) == previews.Text("Zoë\n", whole=True)
    path.write_bytes(b"Zo\xeb")
    assert previews.text(path) == previews.Text("Zo\ufffd", whole=True)
    path.write_bytes(b"text\0")
    assert previews.text(path) is None, "what holds a NUL is no text"


def test_a_long_text_is_cut_behind_a_line(path: Path) -> None:
    path.write_text("0123456789\n" * 10)
    assert previews.text(path, 110) == previews.Text("0123456789\n" * 10, whole=True)
    assert previews.text(path, 109) == previews.Text("0123456789\n" * 9, whole=False)
    path.write_text("x" * 200)
    assert previews.text(path, 100) == previews.Text("x" * 100, whole=False)


def test_what_would_reorder_or_hide_text_is_made_visible(path: Path) -> None:
    path.write_text("if level \u202e// admin\u2066 {\x1b[2J\x08\t\r\n", newline="")
    assert previews.text(path) == previews.Text("if level \ufffd// admin\ufffd {\ufffd[2J\ufffd\t\r\n", whole=True)


def test_a_huge_file_is_read_only_at_its_beginning(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"a,b\n1,2\n")
        file.truncate(2**40)
    found = previews.text(path, 8)
    assert found == previews.Text("a,b\n1,2\n", whole=False)
    assert previews.patch(path).whole is False


def test_json_is_laid_out_where_it_can_be() -> None:
    for text, shown in (
        ('{"a": [1, "é"]}', '{\n  "a": [\n    1,\n    "é"\n  ]\n}'),
        (r'{"a":[{ },[],"{[,:]}\"\\"]}', '{\n  "a": [\n    { },\n    [],\n    "{[,:]}\\"\\\\"\n  ]\n}'),
        *((same, same) for same in ('{\n"a": 1}', '{"a": ', "[" * 100_000, "9" * 5_000, "")),
    ):
        assert previews.laid_out(text) == shown, text[:20]


def test_json_that_is_laid_out_keeps_each_value_as_it_was_written() -> None:
    values = (r'"\u202e"', r'"\ud800"', r'"\u00e9\/"', "1e400", "1.00000000000000000001", "-0", "NaN", "9" * 4_000)
    text = ",".join(f'"same key": {value}' for value in values)
    lines = ",\n  ".join(f'"same key": {value}' for value in values)
    assert previews.laid_out(f"{{{text}}}") == f"{{\n  {lines}\n}}"


def test_json_that_would_become_too_long_stays_as_it_is() -> None:
    for depth in (10, 300, 900):
        text = "[" * depth + "0," * 99_000 + "0" + "]" * depth
        assert previews.laid_out(text) == text


@pytest.mark.parametrize(
    ("written", "columns", "rows"),
    [
        ("a,b\n1,2\n", ["a", "b"], [["1", "2"]]), ("a;b\r\n1,5;2\r\n", ["a", "b"], [["1,5", "2"]]),
        ("a\tb\n1\t2", ["a", "b"], [["1", "2"]]), ("only a header\n", ["only a header"], []),
        ("a,b\n1\n1,2,3\n\n", ["a", "b", "column 3"], [["1", "", ""], ["1", "2", "3"]]),
        ("a,a,\n1,2,3\n", ["a", "a (column 2)", "column 3"], [["1", "2", "3"]]),
        ("a,a (column 3),a\n1,2,3\n", ["column 1", "column 2", "column 3"], [["1", "2", "3"]]),
        ('"a\nb","c"\n"=cmd()",NaN\n', ["a\nb", "c"], [["=cmd()", "NaN"]]),
        ('a,b\n"never closed,1\n2,3\n', ["a", "b"], [["never closed,1\n2,3\n", ""]]),
    ],
)  # fmt: skip
def test_a_table_is_rows_of_equal_length(path: Path, written: str, columns: list[str], rows: list[list[str]]) -> None:
    path.write_text(written, newline="")
    assert previews.table(path) == previews.Table(columns, rows, whole=True)


def test_a_table_is_bounded_in_every_direction(path: Path) -> None:
    path.write_text("\n".join(",".join(["x" * 2_000] * 150) for _ in range(3)))
    found = previews.table(path)
    assert found and not found.whole
    assert (len(found.columns), {len(cell) for row in found.rows for cell in row}) == (100, {500})
    for count in (1_000, 1_001):
        path.write_text("id\n" + "1\n" * count)
        found = previews.table(path)
        assert found and found.whole is (count == 1_000) and len(found.rows) == 1_000


def test_what_is_no_table_is_none(path: Path) -> None:
    for written in (b"", b"\n\n", b"PAR1\0\0", b'a,b\n"' + b"x" * 200_000 + b'"\n'):
        path.write_bytes(written)
        assert previews.table(path) is None


GIT = """diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -1,3 +1,3 @@ def f():
 same
--- not a header
+++ nor this
 same
@@ -10 +10,2 @@
-x
+y
+z
\\ No newline at end of file
diff --git a/image.png b/image.png
Binary files a/image.png and b/image.png differ
"""


def test_a_patch_is_summed_up_by_its_hunks(path: Path) -> None:
    for written, sums in (
        *((GIT, (2, 3, 2)), ("--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n", (1, 1, 1)), ("", (0, 0, 0))),
        *(("no patch at all\n+++ b\n+x\n-y\n", (1, 0, 0)), (f"+++ b\n@@ -1,{'9' * 5_000} +1 @@\n-x\n", (1, 0, 0))),
    ):
        path.write_text(written)
        assert previews.patch(path) == previews.Patch(*sums, whole=True), written[:50]


def test_only_the_beginning_of_a_long_patch_is_summed_up(path: Path) -> None:
    path.write_bytes(b"+++ b\n@@ -0,0 +1,99999999 @@\n" + b"+\n" * 2**21)
    found = previews.patch(path)
    assert (found.files, found.whole) == (1, False)
    assert 1_000_000 < found.added < 2**20


ELSEWHERE = "(http://evil.example/p.png)"


def test_pictures_of_the_task_are_shown_and_all_others_become_links() -> None:
    pictures = {"charts/a b.svg": "/api/1", "c.png": "/api/2"}
    for written, shown in (
        ("![x](charts/a%20b.svg)", "![x](/api/1)"), ("![x](./c.png) and ![](c.png)", "![x](/api/2) and ![](/api/2)"),
        ("![x](//evil.example/c.png)", "!\\[x](//evil.example/c.png)"), (f"![x]{ELSEWHERE}", f"!\\[x]{ELSEWHERE}"),
        ('![x](c.png "title")', '!\\[x](c.png "title")'), ("`vec![1]`", "`vec!\\[1]`"),
        ("![x][ref] ![ref]\n\n[ref]: https://evil.example", "!\\[x][ref] !\\[ref]\n\n[ref]: https://evil.example"),
        ("[![x](https://evil.example)](/a)", "[!\\[x](https://evil.example)](/a)"),
    ):  # fmt: skip
        assert previews.markdown(written, pictures) == shown


def test_nothing_that_looks_like_code_or_like_our_own_picture_hides_one_from_elsewhere() -> None:
    for written in (
        *(rf"\`![x]{ELSEWHERE}`", f"`` ` `` ![x]{ELSEWHERE} `", f"``` a`b\n![x]{ELSEWHERE}\n```"),
        *(f"````text\n```\n````\n![x]{ELSEWHERE}\n```\n", f"~~~\n```\n~~~\n![x]{ELSEWHERE}\n\n```\n"),
        *(rf"![x\](c.png)]{ELSEWHERE}", f"![`x](c.png)`]{ELSEWHERE}", f"![<http:x](c.png)>]{ELSEWHERE}"),
        f"![$x](c.png)$]{ELSEWHERE}",
    ):
        assert "![" not in previews.markdown(written, {"c.png": "/api/2"}), written


@pytest.mark.parametrize("part", ["![", "`", "```\n", "![](", "![a", "![a](b", "!"])
def test_hostile_markdown_takes_no_more_than_its_length(part: str) -> None:
    def taken(count: int) -> float:
        """Seconds of this process alone, so that no other one counts; the least of some, as caches differ."""
        times = []
        for _ in range(3):
            began = time.process_time()
            previews.markdown("![" + part * count, {})
            times.append(time.process_time() - began)
        return min(times)

    assert taken(40_000) < 8 * taken(10_000) + 0.05  # four times as much; were it quadratic, sixteen times
