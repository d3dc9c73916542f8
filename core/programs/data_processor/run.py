"""One run: every file read and profiled, then the report written."""

import tempfile
import time
from pathlib import Path

from polars.exceptions import PanicException, PolarsError

from core.programs.shared.events import Events, Progress
from core.words import count

from . import profile, sample, tables
from .files import SUFFIXES, DataFile, Folder, Unreadable, find
from .markdown import markdown
from .page import page
from .report import Report, totals
from .summary import summary

_REPORT_SHARE = 0.15  # of all work is writing the report
_READ_SHARE = 0.5  # of the work on a file is reading it, the rest is its statistics


def run(events: Events, request: str, source: Path | None, output: Path) -> int:
    """Report on the data files under `source`, or on sample data without one.

    Returns 0 once the report is in `output`, 1 if no file could be read. Raises OSError if
    `source` can not be opened or `output` not be written.
    """
    folder = find(source) if source else Folder()
    for name, reason in folder.refused:
        events.log("error", f"{name}: {reason}")
    size = sum(file.size for file in folder.files) if source else sample.BYTES
    progress = Progress(events, round(size / (1 - _REPORT_SHARE)))
    work = _Work(events, progress)
    if source:
        events.log("info", f"{count(len(folder.files), 'data file')} found.")
        for file in folder.files:
            work.on_file(file)
    else:
        events.log("info", "No repository was given: working on generated sample data.")
        work.on_sample()
    unreadable = sorted([*folder.refused, *work.unreadable])
    if not work.tables:
        events.log("error", _nothing(unreadable))
        return 1
    report = Report(request, source is None, work.tables, unreadable)
    _write(report, output, progress, size)
    progress.finish()
    events.log("success", f"Report ready: {totals(report)}")
    return 0


class _Work:
    """The tables read so far, and the files that could not be."""

    def __init__(self, events: Events, progress: Progress) -> None:
        self._events = events
        self._progress = progress
        self.tables: list[profile.TableProfile] = []
        self.unreadable: list[tuple[str, str]] = []

    def on_file(self, file: DataFile) -> None:
        """Read and profile one file; one that can not be read is named and left."""
        start = self._progress.done
        read = start + file.size * _READ_SHARE
        began = time.monotonic()

        def told(size: int) -> None:
            # A file that is read a second time, another way, has no further share.
            self._progress.reach(min(self._progress.done + size * _READ_SHARE, read))

        try:
            with tempfile.TemporaryDirectory(prefix="table-") as scratch:
                table = tables.read(file, Path(scratch), told)
                self._progress.reach(read)
                self._profile(table, began)
        except Unreadable as error:
            self._refuse(file, str(error))
        except OSError as error:
            self._refuse(file, f"It could not be read: {error.strerror or 'system error'}.")
        except (PolarsError, PanicException):
            self._refuse(file, f"It is not a valid {file.suffix.removeprefix('.')} file.")
        self._progress.reach(start + file.size)

    def on_sample(self) -> None:
        """Generate and profile the sample."""
        began = time.monotonic()
        table = tables.of_frame(sample.NAME, sample.orders(), sample.BYTES)
        self._progress.reach(sample.BYTES * _READ_SHARE)
        self._profile(table, began)

    def _profile(self, table: tables.Table, began: float) -> None:
        start = self._progress.done
        units = table.size * (1 - _READ_SHARE)
        self.tables.append(profile.of(table, lambda done, of: self._progress.reach(start + units * done / of)))
        self._events.log(
            "info",
            f"{table.name}: {count(table.rows, 'row')}, {count(len(table.columns), 'column')} "
            f"read in {time.monotonic() - began:.1f} s",
        )

    def _refuse(self, file: DataFile, reason: str) -> None:
        self.unreadable.append((file.name, reason))
        self._events.log("error", f"{file.name}: {reason}")


def _nothing(unreadable: list[tuple[str, str]]) -> str:
    if not unreadable:
        kinds = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        return (
            f"There are no data files in the repository: looked for {kinds} files outside "
            "hidden folders; add one and run the task again."
        )
    files = count(len(unreadable), "data file")
    name, reason = unreadable[0]
    return f"{files} found, but none could be read: {name}: {reason} Mend or replace a file and run the task again."


def _write(report: Report, output: Path, progress: Progress, done: float) -> None:
    units = done * _REPORT_SHARE / (1 - _REPORT_SHARE)
    html = page(report, lambda drawn, of: progress.reach(done + units * drawn / of))
    output.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("report.html", html),
        ("report.md", markdown(report)),
        ("summary.json", summary(report)),
    ):
        (output / name).write_text(text, encoding="utf-8")
