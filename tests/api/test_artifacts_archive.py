import io
import zipfile

import pytest

from core.config import settings
from core.database.ownership import Actor
from tests.api.calls import Caller, sentence
from tests.api.conftest import MakeTask
from tests.api.kept import keep

FILES = {"report.html": b"<h1>Report</h1>", "charts/a b.svg": b"<svg/>", "bericht für Zoë/報告.csv": b"a,b\n1,2\n"}


@pytest.fixture
def number(ada: Actor, make_task: MakeTask) -> int:
    """A completed task of Ada's with files in folders."""
    made = make_task(ada, "completed")
    for name, content in FILES.items():
        keep(ada, made, name, content)
    return made


def test_all_files_come_in_one_archive_under_their_names(by_ada: Caller, number: int) -> None:
    answer = by_ada.get(f"/tasks/{number}/artifacts.zip")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["content-disposition"] == f'attachment; filename="task-{number}-files.zip"'
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answer.headers["cache-control"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.testzip() is None
        assert {name: packed.read(name) for name in packed.namelist()} == FILES


def test_a_task_without_files_has_no_archive(by_ada: Caller, ada: Actor, make_task: MakeTask) -> None:
    answer = by_ada.get(f"/tasks/{make_task(ada, 'completed')}/artifacts.zip")
    assert (answer.status_code, sentence(answer)) == (404, "This task has no files.")


def test_an_archive_that_would_lack_a_file_is_not_begun(by_ada: Caller, number: int) -> None:
    (settings().artifacts / str(number) / "charts/a b.svg").unlink()
    answer = by_ada.get(f"/tasks/{number}/artifacts.zip")
    assert answer.status_code == 404 and "a b.svg" in sentence(answer)


@pytest.mark.attack(86)
def test_anothers_archive_and_that_of_a_task_without_files_tell_nothing_apart(
    by_bob: Caller, ada: Actor, number: int, make_task: MakeTask
) -> None:
    answers = [by_bob.get(f"/tasks/{id}/artifacts.zip") for id in (number, make_task(ada, "completed"), 987654)]
    assert {(answer.status_code, sentence(answer)) for answer in answers} == {(404, "There is no such task.")}
