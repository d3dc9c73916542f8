"""The work on the files of a run: each is read and profiled, or named as one that could not be read."""

import tempfile
import time
from pathlib import Path

from polars.exceptions import PanicException, PolarsError

from core.log_text import LogType
from core.programs.shared.events import EventWriter, Progress
from core.words import count

from . import profile, sample, tables
from .files import DataFile, Unreadable

_READ_SHARE = 0.5  # of the work on a file is reading it, the rest is its statistics


class Reading:
    """The tables read so far, and the files that could not be."""

    def __init__(self, events: EventWriter, progress: Progress) -> None:
        self._events = events
        self._progress = progress
        self.tables: list[profile.TableProfile] = []
        self.unreadable: list[tuple[str, str]] = []

    def on_file(self, file: DataFile) -> None:
        """Read and profile one file; one that can not be read is named and left."""
        start = self._progress.done
        read = start + file.size * _READ_SHARE
        began = time.monotonic()

        def on_progress(size: int) -> None:
            # A file that is read a second time, another way, has no further share.
            self._progress.reach(min(self._progress.done + size * _READ_SHARE, read))

        try:
            with tempfile.TemporaryDirectory(prefix="table-") as scratch:
                table = tables.read(file, Path(scratch), on_progress)
                self._progress.reach(read)
                self._profile(table, began)
        except Unreadable as error:
            self._refuse(file, str(error))
        except OSError as error:
            self._refuse(file, f"It could not be read: {error.strerror or 'system error'}.")
        except (PolarsError, PanicException):
            self._refuse(file, f"It is not a valid {file.suffix.removeprefix('.')} file.")
        self._progress.reach(start + file.size)

    def on_sample(self, size: int) -> None:
        """Generate and profile the sample, which counts as `size` bytes."""
        began = time.monotonic()
        table = tables.of_frame(sample.NAME, sample.orders(), size)
        self._progress.reach(size * _READ_SHARE)
        self._profile(table, began)

    def _profile(self, table: tables.SourceTable, began: float) -> None:
        start = self._progress.done
        units = table.size * (1 - _READ_SHARE)
        self.tables.append(profile.of(table, lambda done, of: self._progress.reach(start + units * done / of)))
        self._events.log(
            LogType.INFO,
            f"{table.name}: {count(table.rows, 'row')}, {count(len(table.columns), 'column')} "
            f"read in {time.monotonic() - began:.1f} s",
        )

    def _refuse(self, file: DataFile, reason: str) -> None:
        self.unreadable.append((file.name, reason))
        self._events.log(LogType.ERROR, f"{file.name}: {reason}")
