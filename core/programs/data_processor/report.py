"""What a report says, before it is a document or JSON; nothing in here is escaped."""

from dataclasses import dataclass, field
from datetime import date

from core.programs.shared.words import figure, moment, share, visible
from core.words import count

from .findings import of as findings_of
from .limits import SHOWN_COLUMNS, SHOWN_FILES, TOP_VALUES
from .profile import TableProfile
from .statistics import Bound, ColumnProfile

SCHEMA = (
    "Column", "Type", "Missing", "Distinct", "Min", "Mean", "Median", "Max", "Top values",
)  # fmt: skip
NUMERIC = ("Missing", "Distinct", "Min", "Mean", "Median", "Max")


@dataclass
class Report:
    """All there is to report on a run."""

    request: str
    is_sample: bool
    tables: list[TableProfile]
    unreadable: list[tuple[str, str]]  # a file's name, and the reason
    findings: list[list[str]] = field(init=False)  # for each table

    def __post_init__(self) -> None:
        self.findings = [findings_of(table) for table in self.tables]

    @property
    def rows(self) -> int:
        """Return the number of rows of all tables."""
        return sum(table.rows for table in self.tables)

    @property
    def columns(self) -> int:
        """Return the number of columns of all tables."""
        return sum(len(table.columns) for table in self.tables)

    @property
    def missing(self) -> int:
        """Return the number of empty cells of all tables."""
        return sum(table.missing for table in self.tables)

    @property
    def cells(self) -> int:
        """Return the number of cells of all tables."""
        return sum(table.cells for table in self.tables)

    @property
    def duplicates(self) -> int:
        """Return the number of rows that repeat an earlier row of their table."""
        return sum(table.duplicates for table in self.tables)

    @property
    def shown(self) -> list[TableProfile]:
        """Return the tables described in detail."""
        return self.tables[:SHOWN_FILES]


def overview(report: Report) -> list[tuple[str, str]]:
    """Return the headline figures: a label and a value each."""
    return [
        ("Files", f"{len(report.tables):,}"),
        ("Rows", f"{report.rows:,}"),
        ("Columns", f"{report.columns:,}"),
        ("Missing cells", share(report.missing, report.cells)),
        ("Duplicate rows", f"{report.duplicates:,}"),
    ]


def totals(report: Report) -> str:
    """Return the size of the report in words, as the last log entry has it."""
    text = f"{count(len(report.tables), 'file')}, {count(report.rows, 'row')}, {count(report.columns, 'column')}"
    if report.unreadable:
        text += f"; {count(len(report.unreadable), 'file')} could not be read"
    return text


def schema(table: TableProfile) -> list[list[str]]:
    """Return the rows of the schema table, one for each shown column, under SCHEMA."""
    return [_schema_row(column) for column in table.columns[:SHOWN_COLUMNS]]


def _schema_row(column: ColumnProfile) -> list[str]:
    return [
        visible(column.name),
        column.kind.value,
        share(column.missing, column.rows),
        _distinct(column),
        _bound(column.low),
        _bound(column.mean),
        _bound(column.median),
        _bound(column.high),
        ", ".join(f"{value or '(blank)'} ({rows:,})" for value, rows in top(column)[:3]),
    ]


def top(column: ColumnProfile) -> list[tuple[str, int]]:
    """Return the most frequent values, or none where hardly any value repeats."""
    if column.top and column.top[0][1] > 1:
        return column.top[:TOP_VALUES]
    return []


def _distinct(column: ColumnProfile) -> str:
    if column.distinct is None:
        return ""
    if column.distinct_is_exact:
        return f"{column.distinct:,}"
    return f"about {int(float(f'{column.distinct:.2e}')):,}"


def _bound(value: Bound | None) -> str:
    if value is None:
        return ""
    return moment(value) if isinstance(value, date) else figure(value)


def left_out(table: TableProfile) -> str:
    """Return a sentence on the columns that are not shown, or ""."""
    if len(table.columns) <= SHOWN_COLUMNS:
        return ""
    return f"The first {SHOWN_COLUMNS} of {len(table.columns):,} columns are shown; summary.json has all of them."


def files_left_out(report: Report) -> str:
    """Return a sentence on the files that are not described in detail, or ""."""
    if len(report.tables) <= SHOWN_FILES:
        return ""
    return (
        f"The first {SHOWN_FILES} of {len(report.tables):,} files are described in detail; "
        "summary.json has all of them."
    )
