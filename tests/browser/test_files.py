"""What a real browser makes of the files of a task: it shows them, and runs nothing of them."""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, Request, expect

from tests.browser.steps import add_people, has_its_cookie, sign_in
from tests.support.server import ROOT, Server

#: Tries all that a script of ours could do, and says in the page's text that it ran.
SCRIPT = """
document.documentElement.setAttribute("data-ran", "yes");
const say = text => { document.body && (document.body.innerHTML += text); };
say("SCRIPT RAN");
fetch("/api/tasks", {credentials: "include"}).then(answer => answer.text()).then(say);
fetch("/api/tasks", {method: "POST", body: '{"prompt": "owned"}', headers: {"Content-Type": "application/json"}});
new Image().src = "/api/tasks?leak=" + document.cookie;
navigator.sendBeacon("/api/session", "x");
try { top.document.title = "owned"; } catch { say("kept out"); }
top.location = "/account";
"""

HTML = f"""<!doctype html><title>Report</title><h1>The report</h1><script>{SCRIPT}</script>
<img src="x" onerror="{SCRIPT.replace('"', "&quot;")}"><svg onload="{SCRIPT.replace('"', "&quot;")}"></svg>
<iframe srcdoc="<script>{SCRIPT.replace('"', "&quot;")}</script>"></iframe>
<script src="/api/tasks/1/artifacts/evil.js"></script><link rel="stylesheet" href="/api/tasks?style">
<object data="/api/tasks?object"></object><embed src="/api/tasks?embed">
<form id="form" method="post" action="/api/tasks"><input name="prompt"><button>Send it</button></form>
<a href="/account" target="_top">Go to the top</a> <a href="javascript:document.title='owned'">Click me</a>
<meta http-equiv="refresh" content="0; url=/api/tasks?refresh">"""

SVG = f"""<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="300" height="100"
onload="{SCRIPT.replace('"', "&quot;").replace("<", "&lt;").replace("&&", "&amp;&amp;").replace("=>", "=&gt;")}">
<rect width="300" height="100" fill="#4f46e5"/><text x="9" y="50">The drawing</text>
<script><![CDATA[{SCRIPT}]]></script>
<foreignObject width="9" height="9">
<iframe xmlns="http://www.w3.org/1999/xhtml" src="/api/tasks?frame"/></foreignObject>
<image xlink:href="/api/tasks?image"/><use href="/api/tasks?use#x"/></svg>"""

FILES = {"report.html": HTML, "evil.svg": SVG, "evil.js": SCRIPT, "charts/data.csv": "region,note\nnorth,=cmd()\n"}

#: A completed task of Ada's with files, as a program of hers might have left it.
_MAKE = """
import json, sys
from core.sandbox.output import media_type
from core.identity import people
from core.config import settings
from core.database.models import Artifact, EndReason, Task, TaskStatus
from core.database.ownership import acting_as_system
ada = people.find("ada")
with acting_as_system() as session:
    ended = {"status": TaskStatus.COMPLETED, "end_reason": EndReason.COMPLETED}
    task = Task(user_id=ada.id, prompt="Report", selected_agent="claude", **ended)
    session.add(task)
    session.flush()
    for name, text in json.load(sys.stdin).items():
        path = settings().artifacts / str(task.id) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        row = {"size": len(text), "sha256": "0" * 64, "media_type": media_type(name)}
        session.add(Artifact(task_id=task.id, user_id=ada.id, name=name, **row))
"""


@pytest.fixture(scope="module")
def signed_in(browser: Browser, server: Server) -> Iterator[Page]:
    """Ada's browser; her task 1 made the files."""
    add_people(server, "ada")
    command = [sys.executable, "-c", _MAKE]
    subprocess.run(command, cwd=ROOT, env=server.environment, check=True, input=json.dumps(FILES), text=True)
    page = browser.new_context().new_page()
    page.goto(server.url)
    sign_in(page, "ada")
    has_its_cookie(page)
    yield page
    page.context.close()


@pytest.fixture
def ada(signed_in: Page, server: Server) -> Iterator[Page]:
    """Ada's browser, by which nothing but the files is fetched of what there is of tasks, and nothing is changed."""
    fetched: list[str] = []

    def note(request: Request) -> None:
        if request.method != "GET" or re.search(r"/api/tasks(?!/1/artifacts)|evil\.js|leak", request.url):
            fetched.append(f"{request.method} {request.url}")

    signed_in.context.on("requestfinished", note)
    yield signed_in
    signed_in.wait_for_timeout(400)  # what was begun may still be on its way
    signed_in.context.remove_listener("requestfinished", note)
    assert fetched == []
    assert len(signed_in.request.get(f"{server.url}/api/tasks").json()["tasks"]) == 1


def open_task(page: Page, server: Server, name: str) -> None:
    page.goto(f"{server.url}/task?id=1")
    page.get_by_role("radio", name=name).click()


@pytest.mark.attack(85)
def test_a_report_on_the_page_is_shown_and_runs_nothing(ada: Page, server: Server) -> None:
    open_task(ada, server, "report.html")
    report = ada.frame_locator("iframe[src*='report.html']")
    expect(report.get_by_role("heading", name="The report")).to_be_visible()
    for act in ("Send it", "Go to the top", "Click me"):
        report.get_by_text(act).click()
    ada.wait_for_timeout(400)
    expect(report.get_by_role("heading", name="The report")).to_be_visible()
    expect(report.get_by_text("SCRIPT RAN")).to_have_count(0)
    expect(report.locator("html[data-ran]")).to_have_count(0)
    assert ada.url == f"{server.url}/task?id=1"
    assert "owned" not in ada.title()


@pytest.mark.attack(85)
def test_a_drawing_on_the_page_is_a_picture_and_runs_nothing(ada: Page, server: Server) -> None:
    open_task(ada, server, "evil.svg")
    picture = ada.get_by_role("img", name="evil.svg")
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("naturalWidth", 300)  # once it is there
    assert "owned" not in ada.title()


@pytest.mark.attack(85)
@pytest.mark.parametrize(("name", "shown"), [("report.html", "The report"), ("evil.svg", "The drawing")])
def test_a_file_opened_by_its_address_runs_nothing(ada: Page, server: Server, name: str, shown: str) -> None:
    tab = ada.context.new_page()
    answer = tab.goto(f"{server.url}/api/tasks/1/artifacts/{name}")
    assert answer and answer.status == 200 and "sandbox" in answer.headers["content-security-policy"]
    expect(tab.get_by_text(shown, exact=True)).to_be_visible()
    tab.wait_for_timeout(400)
    assert tab.url.endswith(name)
    assert tab.locator("[data-ran]").count() == 0
    tab.close()


@pytest.mark.attack(85)
def test_a_script_is_saved_and_never_shown(ada: Page, server: Server) -> None:
    tab = ada.context.new_page()
    with tab.expect_download() as saved, suppress(Error):  # of a page that becomes a download
        tab.goto(f"{server.url}/api/tasks/1/artifacts/evil.js")
    assert saved.value.suggested_filename == "evil.js"
    tab.close()


def test_one_file_and_all_of_them_can_be_taken_along(ada: Page, server: Server, tmp_path: Path) -> None:
    open_task(ada, server, "charts/data.csv")
    link = ada.get_by_role("link", name=re.compile(r"^Download \("))
    expect(link).to_have_attribute("href", re.compile(r"/charts/data\.csv\?"))  # not the first file's any more
    with ada.expect_download() as one:
        link.click()
    assert one.value.suggested_filename == "data.csv"
    assert Path(one.value.path()).read_text() == FILES["charts/data.csv"]
    with ada.expect_download() as all_:
        ada.get_by_role("link", name="Download all 4 as zip").click()
    assert all_.value.suggested_filename == "task-1-files.zip"
    with zipfile.ZipFile(all_.value.path()) as packed:
        assert {name: packed.read(name).decode() for name in packed.namelist()} == FILES
