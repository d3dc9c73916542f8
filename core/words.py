"""Words for people: lengths of time."""


def duration(seconds: float) -> str:
    """A length of time in words, to the second: ``45 s``, ``5 min``, ``3 min 41 s``."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
