"""Log entries: their four types, and text made fit to store: no secrets, no terminal tricks, bounded length."""

import re
from collections.abc import Iterable
from enum import StrEnum


class LogType(StrEnum):
    """The four kinds of log entry."""

    INFO = "info"  #: something worth knowing happened
    COMMAND = "command"  #: a process was started
    SUCCESS = "success"  #: something was achieved
    ERROR = "error"  #: something went wrong


MAX_CHARACTERS = 8_000
LOOK_CHARACTERS = 2**18  # of one message; what follows is cut unread
MASK = "[hidden]"

#: Shorter lines of a secret would be found everywhere.
SECRET_LINE_CHARACTERS = 8

#: ECMA-48 SGR: up to ten numbers, as terminals take them.
COLOUR = re.compile(r"\x1b\[((?:\d{1,3}(?:;\d{1,3}){0,9})?)m", re.ASCII)
# ECMA-48: CSI, then OSC/DCS/SOS/PM/APC strings up to their terminator, then any other two-character escape.
_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x9b[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]?", re.DOTALL
)
# C0 and C1 controls but tab, newline and the escape of a colour; bidirectional overrides; lone surrogates.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

#: Taskdeck, GitHub, GitLab, Slack, Anthropic and OpenAI, AWS, Google: each by its documented prefix.
KEYS = (
    r"\b(?:tsk_[\w-]{20,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}"
    r"|sk-[\w-]{20,}|AKIA[0-9A-Z]{16}|AIza[\w-]{35})"
)
PRIVATE_KEY = r"-----BEGIN [A-Z ]*PRIVATE KEY-----"

_PATTERNS = (
    # https://user:password@host, whatever the scheme
    (re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"), MASK),
    (re.compile(r"(?i)(?<=authorization: )\S+ \S+"), MASK),
    (re.compile(r"(?i)(?<=bearer )[a-z0-9._~+/=-]{8,}"), MASK),
    (re.compile(KEYS), MASK),
    (re.compile(rf"{PRIVATE_KEY}.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), MASK),
    # NAME=value and "name": "value", where the name says that it is secret
    (
        re.compile(r"(?i)((?:password|passwd|secret|token|api[_-]?key)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]{4,}"),
        rf"\1{MASK}",
    ),
)


def clean(text: str) -> str:
    """Text without escapes other than colours, without control or bidirectional characters."""
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))  # what a terminal would show last
    kept: list[str] = []
    position = 0
    text = "\n".join(lines)
    for colour in COLOUR.finditer(text):
        kept += (_ESCAPE.sub("", text[position : colour.start()]), colour.group())
        position = colour.end()
    kept.append(_ESCAPE.sub("", text[position:]))
    return _UNSAFE.sub("\ufffd", "".join(kept))


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Text with known secrets, and what looks like one, replaced by ``[hidden]``."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):  # the longer first: one may begin another
        text = text.replace(secret, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def hidden(values: Iterable[str]) -> tuple[str, ...]:
    """What ``mask`` must know to hide these secrets: each without the space around it, and each of its longer lines.

    A program's output comes a line at a time, so a key of several lines is never seen whole.
    """
    parts: dict[str, None] = {}  # in order, each once
    for value in map(str.strip, values):
        lines = map(str.strip, value.splitlines())
        parts |= dict.fromkeys([value, *(line for line in lines if len(line) >= SECRET_LINE_CHARACTERS)])
    return tuple(filter(None, parts))


def storable(text: str, secrets: Iterable[str] = ()) -> str:
    """Text cleaned, masked and cut to MAX_CHARACTERS, saying how much was cut."""
    # Cleaning first: an escape inside a secret would hide it from the mask. The first cut bounds the patterns' work
    # and is far behind the second, so that a secret on the border is masked before it is cut.
    cleaned = clean(text[:LOOK_CHARACTERS])
    bounded = cleaned[: 4 * MAX_CHARACTERS]
    safe = mask(bounded, secrets)
    if "\x1b" in bounded:
        plain = mask(COLOUR.sub("", bounded), secrets)
        if COLOUR.sub("", safe) != plain:  # a colour stood inside a secret: rather no colours than the secret
            safe = plain
    if len(safe) <= MAX_CHARACTERS and len(bounded) == len(cleaned) and len(text) <= LOOK_CHARACTERS:
        return safe
    note = f" … ({len(text):,} characters, cut)"
    return safe[: MAX_CHARACTERS - len(note)] + note
