"""A deployment that the administrator settled, from the task to its report."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from core.database.models import TaskStatus
from core.tasks import commands
from tests.core.living import Life
from tests.core.programs.deployment_bot.conftest import Server
from tests.support.world import World

KEY = "-----BEGIN KEY-----\nq7XcV0nBz1LmKdJfHgTs\n-----END KEY-----\n"
RECIPE = """#!/bin/sh
test "$1" = staging && test "${#DEPLOY_KEY}" -gt 50 || exit 3
echo "to $1 with $DEPLOY_KEY"
"""


def test_a_settled_deployment_gets_its_secret_is_asked_for_its_health_and_shows_nothing(
    run_task: Life, local_root: Path, make_repository: Callable[..., Path], world: World
) -> None:
    origin = make_repository(local_root / "shop", {"deploy.sh": RECIPE}, ("update-index", "--chmod=+x", "deploy.sh"))
    world.settle(DEPLOY_KEY=KEY)
    with closing(Server(503, 200)) as server:
        world.catalog(
            f'[repositories]\nlocal_roots = ["{local_root}"]\n[[agents.deployment-bot.targets]]\n'
            f'repo = "file://{origin}"\nenv = "staging"\nsecrets = ["DEPLOY_KEY"]\nnetwork = "open"\n'
            f'health_url = "{server.url}/health"\n'
        )
        task = commands.create(run_task.actor, prompt="deploy to staging", repo_url=str(origin), agent="deployment-bot")
        run_task.run_task()
        asked = server.asked
    task = commands.find(run_task.actor, task.id)
    assert (task.status, task.error, asked) == (TaskStatus.COMPLETED, None, ["/health"] * 2)
    log = run_task.log(task)
    assert "to staging with [hidden]" in log
    assert any("with the network and the secrets DEPLOY_KEY" in line for line in log)
    report = run_task.files(task)["deployment.md"]
    assert "to staging with" in report and "| Health | healthy |" in report
    for shown in ("\n".join(log), report):
        assert not any(line in shown for line in KEY.split())
        assert "q7XcV0" not in shown and "-----" not in shown.replace("| --- ", "")
