import hashlib
import io
import zipfile
from urllib.parse import quote, urlsplit

import httpx
import pytest

from api import files
from core.config import settings
from core.database.models import Artifact
from core.database.ownership import Actor
from tests.api.calls import Caller, keep, same, sentence
from tests.api.conftest import MakeTask
from tests.support.databases import unguarded

ODD_NAMES = (
    *("charts/a b.svg", "bericht für Zoë/報告/a.md", "a/b/c.d/e/f.txt", "a b.html", "bericht für Zoë.md", "報告.csv"),
    *("what?.md", "a#b.txt", "100%.txt", "%2e%2e.md", "a+b&c=d.md", "'\".md"),
)
INLINE = (
    *("report.html", "report.md", "notes.txt", "summary.json", "chart.png", "x.svg", "photo.jpg", "p.jpeg", "a.gif"),
    *("data.csv", "a.tsv", "changes.patch", "a.diff"),
)
ATTACHED = (
    *("rows.ndjson", "paper.pdf", "run.sh", "no-end", "a.zip", "x.wasm", "a.mht", "page.xhtml", "style.css"),
    *("script.js", "feed.xml", "book.parquet"),
)


@pytest.fixture
def number(mine: MakeTask) -> int:
    """A completed task of Ada's."""
    return mine("completed")


def test_the_list_names_each_file_with_size_digest_and_kind(by_ada: Caller, ada: Actor, number: int) -> None:
    keep(ada, number, "summary.json", b"{}")
    keep(ada, number, "report.md", b"# Report")
    answer = by_ada.get(f"/tasks/{number}/artifacts/")
    assert answer.status_code == 200 and set(answer.json()) == {"artifacts"}
    report, summary = answer.json()["artifacts"]
    assert report == {
        "name": "report.md",
        "size": 8,
        "sha256": hashlib.sha256(b"# Report").hexdigest(),
        "media_type": "text/markdown",
        "url": f"/api/tasks/{number}/artifacts/report.md",
    }
    assert (summary["name"], summary["size"], summary["media_type"]) == ("summary.json", 2, "application/json")


def test_a_file_comes_whole_and_harmless_and_only_safe_kinds_are_shown(by_ada: Caller, ada: Actor, number: int) -> None:
    assert by_ada.get(f"/tasks/{number}/artifacts/").json() == {"artifacts": []}
    content = b"<script>fetch('/api/tasks')</script>\x00\xff"
    for name in (*INLINE, *ATTACHED):
        keep(ada, number, name, content)
        answer = by_ada.get(f"/tasks/{number}/artifacts/{name}")
        assert (answer.status_code, answer.content) == (200, content)
        policy = {part.strip() for part in answer.headers["content-security-policy"].split(";")}
        assert {"sandbox", "default-src 'none'", "frame-ancestors 'self'"} <= policy
        assert answer.headers["cross-origin-opener-policy"] == "unsafe-none", "browsers open no sandbox with another"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "no-store" in answer.headers["cache-control"]
        shown = "inline" if name in INLINE else "attachment"
        assert answer.headers["content-disposition"] == f'{shown}; filename="{name}"'
        if name in INLINE:
            assert answer.headers["content-type"].partition(";")[0] in files.SHOWN_AS.values()
        download = by_ada.get(f"/tasks/{number}/artifacts/{name}?download=true")
        assert download.content == content
        assert download.headers["content-disposition"] == f'attachment; filename="{name}"'


def test_a_name_that_looks_like_an_address_or_is_packed_is_never_shown(by_ada: Caller, ada: Actor, number: int) -> None:
    for name in ("data:text/html,x", "data:a漢/b,c", "page.html.gz", "a.csv.gz"):
        keep(ada, number, name, b"<script>")
        answer = by_ada.get(f"/tasks/{number}/artifacts/{quote(name)}")
        assert (answer.status_code, answer.content) == (200, b"<script>"), name
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment;")


def test_a_file_with_an_odd_name_is_reached_by_that_name_and_by_the_url_in_the_list(
    by_ada: Caller, ada: Actor, number: int
) -> None:
    for name in ODD_NAMES:
        keep(ada, number, name, name.encode())
    listed = by_ada.get(f"/tasks/{number}/artifacts/").json()["artifacts"]
    assert {file["name"] for file in listed} == set(ODD_NAMES)
    for file in listed:
        assert file["url"] == f"/api/tasks/{number}/artifacts/{quote(file['name'])}"
        last = file["name"].rpartition("/")[2]
        for address in (file["url"].removeprefix("/api"), f"/tasks/{number}/artifacts/{quote(file['name'], safe='')}"):
            answer = by_ada.get(address)
            assert (answer.status_code, answer.content) == (200, file["name"].encode()), address
            assert any(form in answer.headers["content-disposition"] for form in (quote(last, safe=""), last))
            assert "\n" not in answer.headers["content-disposition"]


@pytest.mark.attack(84)
def test_a_path_that_no_file_of_the_task_has_is_not_found_and_none_leads_out_of_its_folder(
    url: str, by_ada: Caller, ada: Actor, number: int, mine: MakeTask
) -> None:
    keep(ada, number, "report.md")
    keep(ada, number, "a/b.md")
    keep(ada, mine("completed"), "other.md")
    (settings().data / "secret").write_text("the signing secret")
    with unguarded() as session:
        row = {"name": "../../secret", "size": 1, "sha256": "0" * 64, "media_type": "text/plain"}
        session.add(Artifact(task_id=number, user_id=ada.id, **row))
    strange = (
        "%2e%2e", "%2e", "..%2f..%2fsecret", "..%2F..%2Ftaskdeck.db", "%2e%2e/%2e%2e/secret",
        "%2e%2e%2f%2e%2e%2fsecret", "..%5csecret", "../../secret", "/secret", "%2fetc%2fpasswd", "//etc/passwd",
        "%2f%2fetc%2fpasswd", "a/../report.md", "a/%2e%2e/report.md", "%00", "report.md%00.txt", "report.md%00",
        "REPORT.MD", "report.md%20", "report.md/", "report.md/.", "a", "a/", "a//b.md", "a%2F%2Fb.md", "a/./b.md",
        "a/b.md/..", "/a/b.md", "./a/b.md", "a%5cb.md", "%FF%FE", "a/%FF", "x" * 5_000, "x/" * 2_000, "other.md",
        "%252e%252e%252fsecret",
    )  # fmt: skip
    with httpx.Client(headers=by_ada.headers) as client:
        for name in strange:
            # Byte by byte: httpx would tidy it up.
            target = f"{urlsplit(url).path}/tasks/{number}/artifacts/{name}".encode()
            answer = client.get(url, extensions={"target": target})
            assert answer.status_code == 404 and sentence(answer) and "signing" not in answer.text, name


@pytest.mark.attack(86)
def test_another_persons_file_answers_byte_for_byte_like_an_absent_one(
    by_ada: Caller, by_bob: Caller, bob: Actor, make_task: MakeTask
) -> None:
    theirs = make_task(bob, "completed")
    keep(bob, theirs, "charts/a.svg")
    for path in ("/artifacts/", "/artifacts/charts/a.svg", "/artifacts/charts/a.svg?download=true", "/artifacts.zip"):
        assert by_bob.get(f"/tasks/{theirs}{path}").status_code == 200
        answer = by_ada.get(f"/tasks/{theirs}{path}")
        assert answer.status_code == 404
        assert same(answer, by_ada.get(f"/tasks/987654{path}"))
    without_files = by_ada.get(f"/tasks/{make_task(bob, 'completed')}/artifacts.zip")
    assert same(without_files, by_ada.get("/tasks/987654/artifacts.zip"))


def test_whoever_asks_for_a_part_of_a_file_gets_the_whole(by_ada: Caller, ada: Actor, number: int) -> None:
    keep(ada, number, "report.md", b"0123456789")
    for asked in ("bytes=2-4", "bytes=99-", "bytes=abc", "bytes=5-2", "lines=1-2"):
        answer = by_ada.get(f"/tasks/{number}/artifacts/report.md", headers={"Range": asked})
        assert (answer.status_code, answer.content) == (200, b"0123456789")
        assert "sandbox" in answer.headers["content-security-policy"]


FILES = {"report.html": b"<h1>Report</h1>", "charts/a b.svg": b"<svg/>", "bericht für Zoë/報告.csv": b"a,b\n1,2\n"}


@pytest.fixture
def archived(ada: Actor, number: int) -> int:
    """A completed task of Ada's with files in folders."""
    for name, content in FILES.items():
        keep(ada, number, name, content)
    return number


def test_all_files_come_in_one_archive_under_their_names(by_ada: Caller, archived: int) -> None:
    answer = by_ada.get(f"/tasks/{archived}/artifacts.zip")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["content-disposition"] == f'attachment; filename="task-{archived}-files.zip"'
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answer.headers["cache-control"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.testzip() is None
        assert {name: packed.read(name) for name in packed.namelist()} == FILES


def test_a_task_without_files_has_no_archive_and_without_one_of_them_neither_that_file_nor_an_archive_begins(
    by_ada: Caller, archived: int, mine: MakeTask
) -> None:
    answer = by_ada.get(f"/tasks/{mine('completed')}/artifacts.zip")
    assert (answer.status_code, sentence(answer)) == (404, "This task has no files.")
    (settings().artifacts / str(archived) / "report.html").unlink()
    answer = by_ada.get(f"/tasks/{archived}/artifacts/report.html")
    assert (answer.status_code, sentence(answer)) == (404, "The file report.html is not in the data folder any more.")
    answer = by_ada.get(f"/tasks/{archived}/artifacts.zip")
    assert answer.status_code == 404 and "report.html" in sentence(answer)
