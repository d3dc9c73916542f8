import hashlib
from urllib.parse import quote, urlsplit

import httpx
import pytest

from api import files
from core.config import settings
from core.database.models import Artifact
from core.database.ownership import Actor
from tests.api.calls import Caller, same, sentence
from tests.api.conftest import MakeTask
from tests.api.kept import keep
from tests.support.databases import unguarded

ODD_NAMES = [
    "charts/a b.svg",
    "bericht für Zoë/報告/a.md",
    "a/b/c.d/e/f.txt",
    "a b.html",
    "bericht für Zoë.md",
    "報告.csv",
    "what?.md",
    "a#b.txt",
    "100%.txt",
    "%2e%2e.md",
    "a+b&c=d.md",
    "'\".md",
]


@pytest.fixture
def number(ada: Actor, make_task: MakeTask) -> int:
    """A completed task of Ada's."""
    return make_task(ada, "completed")


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


def test_a_task_without_files_has_an_empty_list(by_ada: Caller, number: int) -> None:
    assert by_ada.get(f"/tasks/{number}/artifacts/").json() == {"artifacts": []}


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        *((name, "inline") for name in ("report.html", "report.md", "notes.txt", "summary.json", "chart.png", "x.svg")),
        *(
            (name, "inline")
            for name in ("photo.jpg", "p.jpeg", "a.gif", "data.csv", "a.tsv", "changes.patch", "a.diff")
        ),
        *(
            (name, "attachment")
            for name in ("rows.ndjson", "paper.pdf", "run.sh", "no-end", "a.zip", "x.wasm", "a.mht")
        ),
        *((name, "attachment") for name in ("page.xhtml", "style.css", "script.js", "feed.xml", "book.parquet")),
    ],
)
def test_a_file_comes_whole_and_harmless_and_only_safe_kinds_are_shown(
    by_ada: Caller, ada: Actor, number: int, name: str, disposition: str
) -> None:
    content = b"<script>fetch('/api/tasks')</script>\x00\xff"
    keep(ada, number, name, content)
    answer = by_ada.get(f"/tasks/{number}/artifacts/{name}")
    assert (answer.status_code, answer.content) == (200, content)
    policy = [part.strip() for part in answer.headers["content-security-policy"].split(";")]
    assert {"sandbox", "default-src 'none'"} <= set(policy)
    assert "frame-ancestors 'self'" in policy
    assert answer.headers["cross-origin-opener-policy"] == "unsafe-none", (
        "a browser may not open a sandbox with another"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answer.headers["cache-control"]
    assert answer.headers["content-disposition"] == f'{disposition}; filename="{name}"'
    if disposition == "inline":
        assert answer.headers["content-type"].partition(";")[0] in files.SHOWN_AS.values()
    download = by_ada.get(f"/tasks/{number}/artifacts/{name}?download=true")
    assert download.content == content
    assert download.headers["content-disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize("name", ["data:text/html,x", "data:a漢/b,c", "page.html.gz", "a.csv.gz"])
def test_a_name_that_looks_like_an_address_or_is_packed_is_never_shown(
    by_ada: Caller, ada: Actor, number: int, name: str
) -> None:
    keep(ada, number, name, b"<script>")
    answer = by_ada.get(f"/tasks/{number}/artifacts/{quote(name)}")
    assert (answer.status_code, answer.content) == (200, b"<script>")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_file_with_an_odd_name_is_reached_by_that_name(by_ada: Caller, ada: Actor, number: int, name: str) -> None:
    keep(ada, number, name, name.encode())
    answer = by_ada.get(f"/tasks/{number}/artifacts/{quote(name, safe='')}")
    assert (answer.status_code, answer.content) == (200, name.encode())
    last = name.rpartition("/")[2]
    assert any(form in answer.headers["content-disposition"] for form in (quote(last, safe=""), last))
    assert "\n" not in answer.headers["content-disposition"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_url_in_the_list_leads_to_the_file(by_ada: Caller, ada: Actor, number: int, name: str) -> None:
    keep(ada, number, name, name.encode())
    (listed,) = by_ada.get(f"/tasks/{number}/artifacts/").json()["artifacts"]
    assert listed["name"] == name
    assert listed["url"] == f"/api/tasks/{number}/artifacts/{quote(name)}"
    answer = by_ada.get(listed["url"].removeprefix("/api"))
    assert (answer.status_code, answer.content) == (200, name.encode()), listed["url"]


@pytest.mark.attack(84)
@pytest.mark.parametrize(
    "name",
    [
        *("%2e%2e", "%2e", "..%2f..%2fsecret", "..%2F..%2Ftaskdeck.db", "%2e%2e/%2e%2e/secret", "..%5csecret"),
        *("/secret", "%2fetc%2fpasswd", "//etc/passwd", "%2f%2fetc%2fpasswd", "a/../report.md", "a/%2e%2e/report.md"),
        *("%00", "report.md%00.txt", "report.md%00", "REPORT.MD", "report.md%20", "report.md/", "report.md/.", "a"),
        *("a/", "a//b.md", "a%2F%2Fb.md", "a/./b.md", "a/b.md/..", "/a/b.md", "./a/b.md", "a%5cb.md"),
        *("%FF%FE", "a/%FF", "x" * 5_000, "x/" * 2_000, "other.md", "%252e%252e%252fsecret"),
    ],
)
def test_a_path_that_no_file_of_the_task_has_is_not_found(
    url: str, by_ada: Caller, ada: Actor, number: int, make_task: MakeTask, name: str
) -> None:
    keep(ada, number, "report.md")
    keep(ada, number, "a/b.md")
    keep(ada, make_task(ada, "completed"), "other.md")
    (settings().data / "secret").write_text("the signing secret")
    sent = f"{urlsplit(url).path}/tasks/{number}/artifacts/{name}".encode()  # byte by byte: httpx would tidy it up
    with httpx.Client(headers=by_ada.headers) as client:
        answer = client.get(url, extensions={"target": sent})
    assert answer.status_code == 404
    assert sentence(answer)


def test_a_row_that_points_out_of_its_folder_leads_nowhere(by_ada: Caller, ada: Actor, number: int) -> None:
    (settings().artifacts / str(number)).mkdir(parents=True)
    (settings().data / "secret").write_text("the signing secret")
    row = {"size": 1, "sha256": "0" * 64, "media_type": "text/plain"}
    with unguarded() as session:
        session.add(Artifact(task_id=number, user_id=ada.id, name="../../secret", **row))
    for name in ("..%2f..%2fsecret", "../../secret", "%2e%2e%2f%2e%2e%2fsecret"):
        answer = by_ada.get(f"/tasks/{number}/artifacts/{name}")
        assert answer.status_code == 404 and sentence(answer)
        assert "signing" not in answer.text


def test_a_file_that_vanished_from_the_disk_is_not_found(by_ada: Caller, ada: Actor, number: int) -> None:
    keep(ada, number, "report.md")
    (settings().artifacts / str(number) / "report.md").unlink()
    answer = by_ada.get(f"/tasks/{number}/artifacts/report.md")
    assert (answer.status_code, sentence(answer)) == (404, "The file report.md is not in the data folder any more.")


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


@pytest.mark.parametrize("asked", ["bytes=99-", "bytes=abc", "bytes=5-2", "lines=1-2"])
def test_a_range_that_cannot_be_served_gets_the_whole_file_or_an_error_in_the_usual_form(
    by_ada: Caller, ada: Actor, number: int, asked: str
) -> None:
    keep(ada, number, "report.md")
    answer = by_ada.get(f"/tasks/{number}/artifacts/report.md", headers={"Range": asked})
    assert answer.status_code in (200, 400, 416)
    assert answer.content == b"content" if answer.status_code == 200 else sentence(answer)


def test_whoever_asks_for_a_part_of_a_file_gets_that_part_or_the_whole(by_ada: Caller, ada: Actor, number: int) -> None:
    keep(ada, number, "report.md", b"0123456789")
    answer = by_ada.get(f"/tasks/{number}/artifacts/report.md", headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.content) in ((206, b"234"), (200, b"0123456789"))
    assert "sandbox" in answer.headers["content-security-policy"]
