"""One run: every file checked, a batch at a time, then the review written."""

from collections.abc import Iterator
from math import ceil
from pathlib import Path

from core.log_text import LogType
from core.programs.shared.document import write
from core.programs.shared.events import EventWriter, Progress
from core.words import count, listed

from .checker import Checker, CheckFailed
from .code import lines_of
from .document import document
from .files import SUFFIXES, VENDORED, Source, SourceFolder, find, project
from .limits import BATCH_BYTES, BATCH_FILES, BATCH_SECONDS, STEPS
from .review import Review, Reviewed, totals
from .sarif import sarif

_REVIEW_SHARE = 0.1  # of all work is writing the review
_NAMED_REFUSED = 20  # entries


def run(events: EventWriter, request: str, source: Path | None, output: Path) -> int:
    """Review the Python files under `source`.

    Returns 0 once the review is in `output`, 1 if there was nothing to review. Raises OSError if `source` can not be
    opened or `output` not be written.
    """
    if source is None:
        events.log(LogType.ERROR, "There is nothing to review: the task names no repository; give the address of one.")
        return 1
    source = source.resolve()  # ruff is started in it
    about = project(source)
    try:
        checker = Checker(source, about)
    except (OSError, CheckFailed):
        events.log(
            LogType.ERROR, "There is no ruff that works on this server: its requirements must be installed again."
        )
        return 1
    folder = find(source, request)
    _tell(events, folder)
    progress = Progress(events, ceil(len(folder.files) / (1 - _REVIEW_SHARE)) if folder.files else 1)
    events.log(LogType.COMMAND, "ruff check --isolated --no-cache --output-format json-lines")
    work = _Work(checker)
    for batch in _batches(folder.files):
        work.on(batch)
        progress.reach(len(work.files) + len(work.refused))
    _tell_refused(events, work.refused)
    refused = sorted([*folder.refused, *work.refused])
    if not work.files:
        events.log(LogType.ERROR, _nothing(refused))
        return 1
    review = Review(
        request, checker.version, about.minor, folder.scope, folder.outside, folder.vendored, work.files, refused,
        work.unformatted,
    )  # fmt: skip
    write(document(review), output, {"review.sarif": sarif(review)})
    progress.finish()
    events.log(LogType.SUCCESS, f"Review ready: {totals(review)}")
    return 0


def _tell(events: EventWriter, folder: SourceFolder) -> None:
    events.log(LogType.INFO, f"{count(len(folder.files), 'Python file')} to review.")
    if folder.scope:
        left = count(folder.outside, "other Python file")
        events.log(LogType.INFO, f"Only {listed(folder.scope)}, as the request says; {left} left out.")
    if folder.vendored:
        events.log(LogType.INFO, f"Left out as others’ code: {listed(folder.vendored, 10)}.")
    _tell_refused(events, folder.refused)


def _tell_refused(events: EventWriter, refused: list[tuple[str, str]]) -> None:
    for name, reason in refused[:_NAMED_REFUSED]:
        events.log(LogType.ERROR, f"{name}: {reason}")
    more = len(refused) - _NAMED_REFUSED
    if more > 0:
        events.log(LogType.ERROR, f"{count(more, 'more file')} not reviewed; review.sarif names them.")


def _batches(files: list[Source]) -> Iterator[list[Source]]:
    most = max(1, min(BATCH_FILES, ceil(len(files) / STEPS)))
    batch: list[Source] = []
    for file in files:
        if batch and (len(batch) >= most or sum(one.size for one in batch) + file.size > BATCH_BYTES):
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch


class _Work:
    """The files reviewed so far, and those that could not be."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self.files: list[Reviewed] = []
        self.refused: list[tuple[str, str]] = []
        self.unformatted = 0

    def on(self, batch: list[Source]) -> None:
        """Review some files together; if ruff can not, each alone, so that the one it ends on is known."""
        try:
            tallies = self._checker.check(batch)
            unformatted = self._checker.unformatted(batch)
            reviewed = [Reviewed(file, len(lines_of(file)), tally) for file, tally in zip(batch, tallies, strict=True)]
        except (CheckFailed, OSError):
            if len(batch) > 1:
                for file in batch:
                    self.on([file])
            else:
                self.refused.append(
                    (batch[0].name, f"ruff could not check it: it failed or took over {BATCH_SECONDS:.0f} s.")
                )
            return
        self.files += reviewed
        self.unformatted += unformatted


def _nothing(refused: list[tuple[str, str]]) -> str:
    if not refused:
        return (
            f"There is nothing to review: looked for {' and '.join(SUFFIXES)} files outside hidden folders and "
            f"outside {', '.join(sorted(VENDORED))}; add one and run the task again."
        )
    name, reason = refused[0]
    return f"{count(len(refused), 'Python file')} found, but none could be reviewed: {name}: {reason}"
