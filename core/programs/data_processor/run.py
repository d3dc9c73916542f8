"""One run: every file read and profiled, then the report written."""

from pathlib import Path

from core.log_text import LogType
from core.programs.shared.document import write
from core.programs.shared.events import EventWriter, Progress
from core.words import count

from .files import SUFFIXES, DataFolder, find

SAMPLE_BYTES = 900_000  # about what the sample's rows take as CSV; weighs the work on them
_REPORT_SHARE = 0.15  # of all work is writing the report


def run(events: EventWriter, request: str, source: Path | None, output: Path) -> int:
    """Report on the data files under `source`, or on sample data without one.

    Returns 0 once the report is in `output`, 1 if no file could be read. Raises OSError if
    `source` can not be opened or `output` not be written.
    """
    folder = find(source) if source else DataFolder()
    for name, reason in folder.refused:
        events.log(LogType.ERROR, f"{name}: {reason}")
    if source is None:
        events.log(LogType.INFO, "No repository was given: working on generated sample data.")
    else:
        events.log(LogType.INFO, f"{count(len(folder.files), 'data file')} found.")
        if not folder.files:
            events.log(LogType.ERROR, _nothing(folder.refused))
            return 1
    # Imported late: where there is nothing to read, nothing needs Polars.
    from .document import document
    from .reading import Reading
    from .report import Report, totals
    from .summary import summary

    size = sum(file.size for file in folder.files) if source else SAMPLE_BYTES
    progress = Progress(events, round(size / (1 - _REPORT_SHARE)))
    reading = Reading(events, progress)
    for file in folder.files:
        reading.on_file(file)
    if source is None:
        reading.on_sample(SAMPLE_BYTES)
    unreadable = sorted([*folder.refused, *reading.unreadable])
    if not reading.tables:
        events.log(LogType.ERROR, _nothing(unreadable))
        return 1
    report = Report(request, source is None, reading.tables, unreadable)
    units = size * _REPORT_SHARE / (1 - _REPORT_SHARE)
    made = document(report, lambda drawn, of: progress.reach(size + units * drawn / of))
    write(made, output, {"summary.json": summary(report)})
    progress.finish()
    events.log(LogType.SUCCESS, f"Report ready: {totals(report)}")
    return 0


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
