"""One run: a recipe is found and run in a copy of the repository, then its result is asked for its health."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from core.log_text import MAX_CHARACTERS, LogType, hidden, mask
from core.programs.shared.events import EventWriter
from core.sandbox import folders
from core.words import count, listed

from . import process
from .preview import preview
from .recipe import Recipe, choose, looked_for
from .report import Report, markdown
from .request import NotUnderstood, Request, understood
from .target import Target, given

if TYPE_CHECKING:
    from .health import Patience

_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG")
_STEPS = 4  # the copy, the recipe, the health, the report


def run(events: EventWriter, prompt: str, source: Path | None, output: Path) -> int:
    """Deploy, as `deploy` does, to the target that this process was given."""
    process.close_to_others()
    return deploy(events, prompt, source, output, given())


def deploy(
    events: EventWriter,
    prompt: str,
    source: Path | None,
    output: Path,
    target: Target,
    patience: "Patience | None" = None,
) -> int:
    """Deploy the repository in `source`, or tell how it would be.

    Returns 0 when it is deployed and, where that can be asked, healthy. Raises OSError if `output` can not be written.
    """
    try:
        request = understood(prompt)
    except NotUnderstood as error:
        events.log(LogType.ERROR, str(error))
        return 1
    if source is None:
        events.log(LogType.ERROR, "There is nothing to deploy: the task names no repository; give the address of one.")
        return 1
    # The recipe may build in place. What it changes is nobody's commit, so it works on a copy.
    with _scratch() as scratch:
        folder = scratch / "repository"
        try:
            shutil.copytree(source, folder, symlinks=True)
        except (OSError, shutil.Error, RecursionError):
            events.log(
                LogType.ERROR, "The repository could not be copied for the recipe: is it too large, or too deep?"
            )
            return 1
        events.progress(1, _STEPS)
        recipe = choose(folder, request.environment, target.command)
        if recipe is None:
            events.log(
                LogType.ERROR, f"There is no recipe to deploy with: looked for {looked_for(request.environment)}."
            )
            return 1
        work = _Work(events, prompt, request, recipe, target)
        failure = work.preview(folder) if request.is_dry_run else work.deploy(folder, patience)
    work.report.outcome = failure or work.success
    output.mkdir(parents=True, exist_ok=True)
    (output / "deployment.md").write_text(markdown(work.report), encoding="utf-8")
    if failure:
        events.log(LogType.ERROR, failure)
        return 1
    events.progress(_STEPS, _STEPS)
    events.log(LogType.SUCCESS, work.success)
    return 0


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder that is gone at the end, whatever the recipe made in it."""
    folder = Path(tempfile.mkdtemp(prefix="deployment-"))
    try:
        yield folder
    finally:
        folders.remove(folder)


class _Work:
    """A recipe at work; what it says is logged and kept, without the secrets that it was given."""

    def __init__(self, events: EventWriter, prompt: str, request: Request, recipe: Recipe, target: Target) -> None:
        self._events = events
        self._request = request
        self._recipe = recipe
        self._target = target
        given = {} if request.is_dry_run else {name: os.environ[name] for name in target.secrets}
        self._secrets = hidden(given.values())
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        self._env = passed_on | given | {"DEPLOY_ENV": request.environment}
        network = target.has_network and not request.is_dry_run
        access = f"{'the network' if network else 'no network'} and {_secrets(list(given))}"
        self.report = Report(prompt, request.environment, request.is_dry_run, self._hide(recipe.shown), access)
        self.success = ""

    def preview(self, folder: Path) -> str:
        """Tell the steps; the sentence that says why that failed, or ""."""
        self._events.log(LogType.INFO, f"Dry run for {self._request.environment}: nothing is deployed.")
        began = time.monotonic()
        status = preview(self._recipe, folder, self._env, self._on_line)
        self._ended(status, began)
        self.success = f"Dry run ready: {count(self.report.total, 'line')} shown, nothing was deployed."
        return f"The dry run ended with exit status {status}." if status else ""

    def deploy(self, folder: Path, patience: "Patience | None") -> str:
        """Run the recipe, then ask for its health; the sentence that says why it failed, or ""."""
        environment = self._request.environment
        whose = "repository's own" if self._recipe.is_repositorys else "administrator's"
        self._events.log(LogType.INFO, f"Deploying to {environment} by the {whose} recipe, with {self.report.access}.")
        if not self._target.is_settled:
            self._events.log(
                LogType.INFO,
                f"A recipe gets network and secrets where agents.toml has a target for this repository and "
                f"{environment}; there is none.",
            )
        self._events.log(LogType.COMMAND, self.report.recipe)
        began = time.monotonic()
        status = process.run(self._recipe.argv, folder, self._env, self._on_line)
        self._ended(status, began)
        if status:
            return f"The recipe ended with exit status {status}."
        self._events.progress(2, _STEPS)
        self.success = f"Deployed to {environment} in {self.report.seconds:.1f} s."
        if not self._target.is_settled:
            self.success = f"The recipe for {environment} ended well in {self.report.seconds:.1f} s, without network."
        return self._health(patience)

    def _health(self, patience: "Patience | None") -> str:
        url = self._target.health_url
        if url is None:
            return ""
        from .health import Patience, is_healthy  # late: most deployments have no health address

        if is_healthy(url, patience or Patience(), lambda answer: self._events.log(LogType.INFO, answer)):
            self.report.health = "healthy"
            self.success += " It is healthy."
            self._events.progress(3, _STEPS)
            return ""
        self.report.health = "not healthy"
        return "Deployed, not healthy: the health address did not answer 200 in time."

    def _ended(self, status: int, began: float) -> None:
        self.report.status = status
        self.report.seconds = time.monotonic() - began

    def _on_line(self, line: str) -> None:
        line = self._hide(line)
        self.report.add(line)
        self._events.log(LogType.INFO, line)

    def _hide(self, text: str) -> str:
        return mask(text, self._secrets)[:MAX_CHARACTERS]


def _secrets(names: list[str]) -> str:
    return f"the secrets {listed(names, len(names))}" if names else "no secrets"
