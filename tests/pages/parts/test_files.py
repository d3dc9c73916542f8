"""The files of a task on its page."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.config import settings
from core.database.models import EndReason
from core.database.ownership import Actor
from core.runner import claims
from core.sandbox.output import StoredArtifact, media_type
from core.tasks import commands
from tests.pages.conftest import Open
from tests.pages.widgets import captions, html, texts

PATCH = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,3 @@\n-old\n+new\n+more\n same\n"

OpenTask = Callable[..., AppTest]


@pytest.fixture
def open_task(open_app: Open, ada: Actor) -> OpenTask:
    """Open the page of a completed task with these files; None is one whose content is lost."""

    def open_(**files: str | bytes | None) -> AppTest:
        commands.create(ada, prompt="Profile the data")
        held = claims.claim("runner", 30)
        assert held
        kept = []
        for name, content in files.items():
            written = content.encode() if isinstance(content, str) else content
            if written is not None:
                path = settings().artifacts / str(held.task_id) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(written)
            kept.append(StoredArtifact(name, len(written or b""), "0" * 64, media_type(name)))
        claims.finish(held, EndReason.COMPLETED, artifacts=kept)
        app = open_app(ada, "tasks/detail", id=str(held.task_id))
        assert not app.exception
        return app

    return open_


def links(app: AppTest) -> dict[str, str]:
    return {link.proto.label: link.proto.url for link in app.get("link_button")}


def codes(app: AppTest) -> list[tuple[str, str]]:
    return [(code.language, code.value) for code in app.code]


def pick(app: AppTest, name: str) -> AppTest:
    """Choose one of few files."""
    return next(group for group in app.button_group if (group.key or "").startswith("file-")).select(name).run()


def test_no_files_are_no_section_and_a_single_one_is_shown_and_can_be_taken(open_task: OpenTask) -> None:
    assert "Files" not in texts(open_task())
    app = open_task(**{"notes/report.md": "# All is well"})
    assert "# All is well" in [element.value for element in app.markdown]
    assert links(app) == {"Download (13 bytes)": "/api/tasks/2/artifacts/notes/report.md?download=true"}
    assert not app.selectbox


def test_few_files_stand_side_by_side_and_all_can_be_taken_at_once(open_task: OpenTask) -> None:
    app = open_task(**{"a.txt": "first", "b c.txt": "second" * 1_000})
    assert not app.selectbox
    assert codes(app) == [("plaintext", "first")]
    assert links(app)["Download all 2 as zip (6.0 kB)"] == "/api/tasks/1/artifacts.zip"
    pick(app, "b c.txt")
    assert links(app)["Download (6.0 kB)"] == "/api/tasks/1/artifacts/b%20c.txt?download=true"


def test_many_files_are_a_list_to_search(open_task: OpenTask) -> None:
    app = open_task(**{f"charts/{number:03}.txt": f"chart {number}" for number in range(199)}, **{"report.md": "# Hi"})
    (chooser,) = app.selectbox
    assert (chooser.label, len(chooser.options), chooser.value) == ("200 files", 200, "report.md")
    assert chooser.options[0] == "charts/000.txt · 7 bytes"
    chooser.set_value("charts/150.txt").run()
    assert codes(app) == [("plaintext", "chart 150")]


def test_what_somebody_looks_for_first_is_shown_first(open_task: OpenTask) -> None:
    orders = (
        "report.html a.txt changes.patch report.md",
        "report.md a.txt changes.patch",
        "changes.patch a.txt",
        "b.txt c.txt",
    )
    for number, names in enumerate(map(str.split, orders), start=1):
        shown = links(open_task(**dict.fromkeys(sorted(names), PATCH)))
        assert f"/api/tasks/{number}/artifacts/{names[0]}?download=true" in shown.values()


def test_a_patch_is_summed_up_and_coloured_and_a_table_is_text_in_cells_formulas_too(open_task: OpenTask) -> None:
    app = open_task(**{"changes.patch": PATCH, "orders.csv": "id,note\n1,=cmd()\n2,<b>x\n"})
    assert codes(app) == [("diff", PATCH.strip())]
    assert "1 file changed, :green[**+2**] :red[**\N{MINUS SIGN}1**] lines" in [one.value for one in app.markdown]
    (frame,) = pick(app, "orders.csv").dataframe
    assert frame.value.to_dict("list") == {"id": ["1", "2"], "note": ["=cmd()", "<b>x"]}


@pytest.mark.attack(85)
def test_a_page_or_drawing_of_an_agent_is_only_ever_embedded(open_task: OpenTask) -> None:
    evil = "<script>fetch('/api/tasks')</script>"
    app = open_task(**{"report.html": evil, "x'.svg": f"<svg xmlns='http://www.w3.org/2000/svg'>{evil}</svg>"})
    (frame,) = app.get("iframe")
    assert (frame.proto.src, frame.proto.srcdoc) == ("/api/tasks/1/artifacts/report.html", "")
    pick(app, "x'.svg")
    shown = html(app)
    assert '<img class="td-picture" src="/api/tasks/1/artifacts/x%27.svg" alt="x&#x27;.svg">' in shown
    assert "<script" not in shown and "<svg" not in shown and not app.get("iframe")


def test_what_is_long_is_shown_in_part_and_says_so(open_task: OpenTask) -> None:
    app = open_task(**{"a.txt": "line\n" * 100_000, "orders.csv": "id\n" + "1\n" * 5_000})
    ((_, text),) = codes(app)
    assert 190_000 < len(text) <= 200_000
    assert "This is the beginning: download the file for all of it." in captions(app)
    pick(app, "orders.csv")
    assert len(app.dataframe[0].value) == 1_000
    assert "The first 1,000 rows: download the file for all of it." in captions(app)


def test_what_cannot_be_shown_says_so(open_task: OpenTask) -> None:
    no_preview, empty = "There is no preview for this kind of file: download it.", "The file is empty."
    said = {"model.bin": no_preview, "book.parquet": no_preview, "a.txt": empty, "a.csv": empty}
    app = open_task(**dict.fromkeys(said, b"") | {"model.bin": b"\x00\x01", "book.parquet": b"PAR1\x00"})
    for name, sentence in said.items():
        assert sentence in captions(pick(app, name)), name


def test_what_a_file_holds_breaks_nothing_of_the_page(open_task: OpenTask) -> None:
    endless = f"--- a\n+++ b\n@@ -1,{'9' * 5_000} +1 @@\n+x"
    half = (r'{"a": "\ud800\u202e"}', '{\n  "a": "\\ud800\\u202e"\n}')  # half a sign, and an override
    for name, content, shown in (("changes.patch", endless, endless), ("a.json", *half)):
        app = open_task(**{name: content})
        assert [text for _, text in codes(app)] == [shown]
        assert "Started after waiting" in html(app)


def test_a_picture_in_a_report_is_not_fetched_from_elsewhere(open_task: OpenTask) -> None:
    app = open_task(**{"report.md": "![you](https://tracker.example/pixel.png) ![chart](a.svg)", "a.svg": "<svg/>"})
    written = [element.value for element in app.markdown]
    assert r"!\[you](https://tracker.example/pixel.png) ![chart](/api/tasks/1/artifacts/a.svg)" in written


def test_a_file_that_is_gone_leaves_the_other_files_and_the_rest_of_the_page(open_task: OpenTask) -> None:
    app = open_task(**{"report.md": None, "b.txt": "still there"})
    assert "not in the data folder any more" in app.warning[0].value and "Started after waiting" in html(app)
    assert codes(pick(app, "b.txt")) == [("plaintext", "still there")] and not app.warning


@pytest.mark.attack(84)
def test_a_name_is_never_markup(open_task: OpenTask) -> None:
    name = "**bold** <b> :red[x].txt"
    app = open_task(**{name: "x"})
    assert r"**\*\*bold\*\* \<b\> \:red\[x\]\.txt**" in [element.value for element in app.markdown]
