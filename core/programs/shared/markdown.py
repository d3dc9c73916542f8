"""Text as GitHub Markdown that shows it as it is, whatever it holds."""

import re

from .words import REQUEST_CHARACTERS, visible

# All that could start markup, a link, a mention, an entity, a formula or HTML.
_MARKUP = re.compile(
    r"[\\`*\[\]<>#|~@&$]"
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # inside a word it is only itself
    r"|(?<!\d):(?=\S)|(?<=\d):(?=[^\d\s])"  # as in http://a and :smile:, not as in 9:30
)
_AT_START = re.compile(r"^([0-9]*)([-+=.)])(?![0-9.])")  # would make a list or a heading
_CODE = re.compile(r"`([^`]+)`")
_FENCE = re.compile(r"`+")
_BARE_LINK = re.compile(r"\bwww\.", re.IGNORECASE)


def escaped(text: str) -> str:
    """Return text on one line that Markdown shows as it is, whatever it holds."""
    return _AT_START.sub(r"\1\\\2", _inline(visible(text, REQUEST_CHARACTERS)).strip())


def with_code(text: str) -> str:
    """Return text on one line as it is, but for what stands between backticks, which is code."""
    parts = _CODE.split(visible(text, REQUEST_CHARACTERS))  # every second one is code
    shown = "".join(f"`{part}`" if place % 2 else _inline(part) for place, part in enumerate(parts))
    return _AT_START.sub(r"\1\\\2", shown.strip())


def _inline(text: str) -> str:
    return _BARE_LINK.sub(lambda found: found[0][:-1] + "\\.", _MARKUP.sub(r"\\\g<0>", text))


def quoted(text: str) -> str:
    """Return text of several lines as a quotation."""
    return "\n".join(f"> {escaped(line)}  " for line in text.strip().splitlines())


def grid(header: list[str], rows: list[list[str]], right: set[str]) -> str:
    """Return a table; its cells are Markdown already, the columns in `right` are set to the right."""
    rule = ["---:" if name in right else "---" for name in header]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *rows])


def text_grid(header: list[str], rows: list[list[str]], right: set[str]) -> str:
    """Return a table whose cells are text."""
    return grid(header, [[escaped(cell) for cell in row] for row in rows], right)


def fenced(lines: list[str]) -> str:
    """Return lines as code. The fence is longer than any in them, so nothing in them ends it."""
    longest = max((len(found) for line in lines for found in _FENCE.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}text", *lines, fence])
