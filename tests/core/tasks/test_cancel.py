"""A person stops a task: one that waits, one that runs, one that is just ending."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from core.database import engine
from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.errors import Conflict
from core.log_text import LogType
from core.runner import claims
from core.sandbox import output
from core.tasks import commands, logs
from tests.core.living import DETACH, Life, Patch, claimed, ended, left_behind, read_pid
from tests.support.waiting import eventually, is_alive
from tests.support.world import World

ASKED = "Stop requested by Ada."


def said(actor: Actor, task_id: int) -> list[tuple[LogType, str]]:
    """The entries after the one of acceptance."""
    return [(entry.type, entry.message) for entry in logs.after(actor, task_id, 1)]


def test_a_waiting_task_ends_at_once_and_is_never_claimed(ada: Actor) -> None:
    task = commands.create(ada, prompt="x")
    stopped = commands.cancel(ada, task.id)
    assert (stopped.status, stopped.end_reason, stopped.error) == ("error", "cancelled", "Stopped before it began.")
    assert stopped.cancel_requested_at == stopped.finished_at == stopped.updated_at
    assert (stopped.progress, stopped.started_at, stopped.attempt) == (0, None, 0)
    assert said(ada, task.id) == [(LogType.INFO, ASKED), (LogType.INFO, "Stopped before it began.")]
    assert (commands.find(ada, task.id).log_count, claims.claim("runner", 30)) == (3, None)


def test_a_running_task_is_asked_once_and_goes_on_until_its_runner_knows(ada: Actor) -> None:
    claim = claimed(ada)
    asked, again = (commands.cancel(ada, claim.task_id) for _ in range(2))
    assert (asked.status, asked.end_reason, asked.finished_at) == (TaskStatus.PROCESSING, None, None)
    assert asked.cancel_requested_at == asked.updated_at
    assert (again.cancel_requested_at, again.log_count) == (asked.cancel_requested_at, asked.log_count)
    assert said(ada, claim.task_id)[1:] == [(LogType.INFO, ASKED)]
    claims.record(claim, [claims.Entry(LogType.INFO, "still at work", engine.now())])


@pytest.mark.parametrize("reason", [*EndReason, "stopped while it waited"])
def test_a_task_that_has_ended_cannot_be_stopped(reason: EndReason | str, ada: Actor) -> None:
    task = ended(ada, reason) if isinstance(reason, EndReason) else commands.create(ada, prompt="x")
    before = commands.find(ada, task.id) if isinstance(reason, EndReason) else commands.cancel(ada, task.id)
    with pytest.raises(Conflict, match="already ended"):
        commands.cancel(ada, task.id)
    after = commands.find(ada, task.id)
    assert (after.status, after.end_reason) == (before.status, before.end_reason)
    assert (after.log_count, after.updated_at) == (before.log_count, before.updated_at)


def test_a_name_in_the_entry_is_made_fit_to_store(ada: Actor) -> None:
    task = commands.create(ada, prompt="x")
    commands.cancel(replace(ada, name="A\x1b[2Jda password=hunter2222"), task.id)
    assert said(ada, task.id)[0][1] == "Stop requested by Ada password=[hidden]"


def test_a_stopped_tasks_processes_are_dead_even_a_detached_one_and_its_log_tells_who_asked_and_how_soon_it_was(
    run_task: Life, data: Path, tmp_path: Path
) -> None:
    own, grandchild = tmp_path / "own", tmp_path / "grandchild"
    code = f"import os, sys; open({str(own)!r}, 'w').write(str(os.getpid()))\n"
    code += "open(sys.argv[1] + '/a.md', 'w').write('x'); print('made a file', flush=True)\n"
    task, thread = run_task.begin(run_task.agent(code + DETACH.format(path=str(grandchild))))
    eventually(lambda: read_pid(grandchild) and "made a file" in run_task.log(task))
    asked = commands.cancel(run_task.actor, task.id).cancel_requested_at
    eventually(lambda: not is_alive(read_pid(grandchild)) and not is_alive(read_pid(own)), 5)
    task = run_task.after(thread, task)
    assert (task.status, task.end_reason, task.progress) == (TaskStatus.ERROR, EndReason.CANCELLED, 30)
    assert (run_task.files(task), task.sandbox_url, left_behind(data)) == ({}, None, [])
    found = re.fullmatch(r"Stopped in (\d+\.\d) s, after \d+ s of work\.", str(task.error))
    assert found and asked and task.finished_at
    assert abs(float(found[1]) - (task.finished_at - asked).total_seconds()) < 0.5
    log = run_task.log(task)
    assert (ASKED in log[:-1], log[-1], run_task.types(task)[-1]) == (True, task.error, LogType.INFO)


def test_a_task_that_prints_without_pause_is_stopped_too(run_task: Life) -> None:
    task, thread = run_task.begin(run_task.agent("while True: print('x' * 100)"))
    eventually(lambda: run_task.find(task).log_count > 100)
    commands.cancel(run_task.actor, task.id)
    task = run_task.after(thread, task, 10)
    assert task.end_reason is EndReason.CANCELLED
    seqs = [entry.seq for entry in logs.since(run_task.actor, task.id, 0, LogType)]
    assert seqs == list(range(1, task.log_count + 1))


def test_a_clone_is_stopped_too(run_task: Life, local_root: Path, tmp_path: Path, world: World) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    (folder / "git").chmod(0o755)
    world.settle(TASKDECK_SANDBOX="none")  # a sandbox has its own programs
    world.monkeypatch.setenv("PATH", str(folder), prepend=":")
    task, thread = run_task.begin("data-processor", f"{local_root}/slow")
    eventually(lambda: read_pid(tmp_path / "pid"))
    commands.cancel(run_task.actor, task.id)
    assert run_task.after(thread, task).end_reason is EndReason.CANCELLED
    assert not is_alive(read_pid(tmp_path / "pid"))


def test_a_stop_at_the_moment_of_completion_leaves_one_end(ada: Actor) -> None:
    held, begin = [claimed(ada) for _ in range(20)], threading.Barrier(2)
    refused: list[int] = []

    def finish() -> None:
        for claim in held:
            begin.wait(10)
            claims.finish(claim, EndReason.COMPLETED, None, [claims.Entry(LogType.SUCCESS, "Completed.", engine.now())])

    def cancel() -> None:
        for number, claim in enumerate(held):
            begin.wait(10)
            time.sleep(0.0005 * (number % 4))
            try:
                commands.cancel(ada, claim.task_id)
            except Conflict:
                refused.append(claim.task_id)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(finish), pool.submit(cancel)]:
            done.result(30)
    for claim in held:
        task = commands.find(ada, claim.task_id)
        assert (task.status, task.end_reason, task.error) == (TaskStatus.COMPLETED, EndReason.COMPLETED, None)
        asked = [] if claim.task_id in refused else [ASKED]
        assert [message for _, message in said(ada, claim.task_id)][1:] == [*asked, "Completed."]


def test_of_a_stop_and_a_claim_at_the_same_moment_both_are_true_or_one(ada: Actor) -> None:
    for _ in range(12):
        task = commands.create(ada, prompt="x")
        with ThreadPoolExecutor(2) as pool:
            claim, stopped = pool.submit(claims.claim, "runner", 30), pool.submit(commands.cancel, ada, task.id)
        found = commands.find(ada, task.id)
        stopped.result()
        if held := claim.result():
            assert (found.status, found.cancel_requested_at is not None) == (TaskStatus.PROCESSING, True)
            claims.finish(held, EndReason.CANCELLED, "Stopped.")
        else:
            assert found.end_reason is EndReason.CANCELLED


def test_a_stop_while_files_are_kept_leaves_no_file(run_task: Life, data: Path, monkeypatch: Patch) -> None:
    copy, copied = output._copy, []

    def slowly(*file: object) -> object:
        if not copied:
            commands.cancel(run_task.actor, 1)
        copied.append(file)
        time.sleep(0.2)
        return copy(*file)

    monkeypatch.setattr(output, "_copy", slowly)
    task = run_task.script("import sys; [open(f'{sys.argv[1]}/{n}.md', 'w').write('x') for n in range(20)]")
    assert task.end_reason is EndReason.CANCELLED
    assert 0 < len(copied) < 20
    assert (run_task.files(task), task.sandbox_url, left_behind(data)) == ({}, None, [])


def test_a_task_that_was_given_back_with_a_request_on_it_is_stopped_by_asking_again(ada: Actor) -> None:
    claim = claimed(ada)
    asked = commands.cancel(ada, claim.task_id).cancel_requested_at
    claims.release(claim)
    stopped = commands.cancel(ada, claim.task_id)
    assert (stopped.status, stopped.end_reason) == (TaskStatus.ERROR, EndReason.CANCELLED)
    assert stopped.cancel_requested_at == asked
