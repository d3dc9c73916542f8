"""summary.json: the report for programs, as strict JSON."""

import json
from datetime import date

from .limits import TOP_VALUES
from .profile import TableProfile
from .report import Report
from .statistics import Bound, ColumnProfile


def summary(report: Report) -> str:
    """Return the summary as strict JSON; dates are ISO 8601, what does not apply is null."""
    document = {
        "sample": report.is_sample,
        "files": [_table(table) for table in report.tables],
        "unreadable": [{"path": path, "reason": reason} for path, reason in report.unreadable],
        "totals": {
            "files": len(report.tables),
            "unreadable": len(report.unreadable),
            "rows": report.rows,
            "columns": report.columns,
            "cells": report.cells,
            "missing": report.missing,
            "duplicates": report.duplicates,
        },
        "findings": [
            {"path": table.name, "finding": finding}
            for table, findings in zip(report.tables, report.findings, strict=True)
            for finding in findings
        ],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _table(table: TableProfile) -> dict[str, object]:
    return {
        "path": table.name,
        "bytes": table.size,
        "rows": table.rows,
        "duplicates": table.duplicates,
        "notes": table.notes,
        "columns": [_column(column) for column in table.columns],
        "correlations": [
            {"first": one.first, "second": one.second, "r": round(one.r, 4)} for one in table.correlations
        ],
    }


def _column(column: ColumnProfile) -> dict[str, object]:
    return {
        "name": column.name,
        "type": column.kind.value,
        "missing": column.missing,
        "distinct": column.distinct,
        "distinct_is_exact": column.distinct_is_exact,
        "non_finite": column.non_finite,
        "min": _bound(column.low),
        "max": _bound(column.high),
        "mean": column.mean,
        "median": _bound(column.median),
        "std": column.std,
        "outliers": column.outliers,
        "top": [{"value": value, "count": count} for value, count in column.top[:TOP_VALUES]],
    }


def _bound(value: Bound | None) -> str | int | float | None:
    return value.isoformat() if isinstance(value, date) else value
