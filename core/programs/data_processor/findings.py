"""What is worth saying of a table, in plain sentences, the weightiest first."""

from core.programs.shared.words import coefficient, figure, share, visible
from core.words import count, listed

from .limits import SHOWN_FINDINGS
from .profile import TableProfile, categories
from .statistics import ColumnProfile

_STRONG = 0.5  # |r| from which a correlation is worth a sentence


def of(profile: TableProfile) -> list[str]:
    """Return at most SHOWN_FINDINGS sentences; names in them are visible, but not escaped."""
    found = [
        *_duplicates(profile),
        *_keys(profile),
        *_times(profile),
        *_shares(profile),
        *_correlations(profile),
        *_missing(profile),
        *_constants(profile),
        *_non_finite(profile),
        *_outliers(profile),
    ]
    return found[:SHOWN_FINDINGS]


def _duplicates(profile: TableProfile) -> list[str]:
    if not profile.duplicates:
        return []
    part = share(profile.duplicates, profile.rows)
    verb = "repeats" if profile.duplicates == 1 else "repeat"
    return [f"{count(profile.duplicates, 'row')} ({part}) {verb} an earlier row exactly."]


def _keys(profile: TableProfile) -> list[str]:
    keys = [visible(column.name) for column in profile.columns if column.is_key]
    if not keys:
        return []
    verb = "is" if len(keys) == 1 else "are each"
    return [f"{listed(keys)} {verb} different in every row and could serve as a key."]


def _times(profile: TableProfile) -> list[str]:
    found = []
    for column in profile.columns:
        line = column.timeline
        if line and len(line.starts) > 1 and column.low is not None and column.high is not None:
            busiest = max(range(len(line.counts)), key=line.counts.__getitem__)
            starts = "is" if line.period == "day" else "starts on"
            found.append(
                f"{visible(column.name)} runs from {_day(column.low)} to {_day(column.high)}; "
                f"the {line.period} with most rows {starts} {line.starts[busiest].isoformat()} "
                f"({count(line.counts[busiest], 'row')})."
            )
    return found[:2]


def _day(value: object) -> str:
    return str(value)[:10]


def _shares(profile: TableProfile) -> list[str]:
    found = []
    for column in categories(profile):
        value, rows = column.top[0]
        if column.distinct and rows / column.present > 1.1 / column.distinct:
            part = share(rows, profile.rows)
            found.append((rows, f"{visible(column.name)}: {value} holds {part} of rows."))
    return [sentence for _, sentence in sorted(found, key=lambda one: -one[0])][:3]


def _correlations(profile: TableProfile) -> list[str]:
    about = "about " if profile.correlated_rows < profile.rows else ""
    return [
        f"{visible(pair.first)} and {visible(pair.second)} correlate {about}{coefficient(pair.r)}."
        for pair in profile.correlations
        if abs(pair.r) >= _STRONG
    ][:3]


def _missing(profile: TableProfile) -> list[str]:
    columns = sorted((one for one in profile.columns if one.missing), key=lambda one: -one.missing)
    return [
        f"{visible(column.name)} is empty in "
        f"{'every row' if not column.present else share(column.missing, column.rows) + ' of rows'}."
        for column in columns[:3]
    ]


def _constants(profile: TableProfile) -> list[str]:
    names = [visible(column.name) for column in profile.columns if column.is_constant]
    if not names:
        return []
    verb = "holds" if len(names) == 1 else "each hold"
    return [f"{listed(names)} {verb} the same value in every row."]


def _non_finite(profile: TableProfile) -> list[str]:
    return [
        f"{visible(column.name)} holds {count(column.non_finite, 'value')} that "
        f"{'is' if column.non_finite == 1 else 'are'} NaN or infinite; "
        "its figures leave them out."
        for column in profile.columns
        if column.non_finite
    ][:2]


def _outliers(profile: TableProfile) -> list[str]:
    columns = [one for one in profile.columns if one.outliers and one.fences and not one.is_key]
    columns.sort(key=lambda one: -one.outliers)
    return [_outlier(column) for column in columns[:2]]


def _outlier(column: ColumnProfile) -> str:
    low, high = column.fences or (0.0, 0.0)
    where = f"outside {figure(low)} to {figure(high)}"
    if isinstance(column.low, int | float) and column.low >= low:
        where = f"above {figure(high)}"
    elif isinstance(column.high, int | float) and column.high <= high:
        where = f"below {figure(low)}"
    return (
        f"{visible(column.name)} has {count(column.outliers, 'outlier')} {where} "
        f"({share(column.outliers, column.rows)} of rows)."
    )
