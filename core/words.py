"""Words for people that the server and the programs share: counts, lists, lengths of time."""


def duration(seconds: float) -> str:
    """A length of time in words, to the second: ``45 s``, ``5 min``, ``3 min 41 s``."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a counted noun: "1 row", "2 rows"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(names: list[str], limit: int = 4) -> str:
    """Return names as an English list, the ones over `limit` only counted."""
    if len(names) > limit:
        names = [*names[:limit], f"{len(names) - limit:,} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
