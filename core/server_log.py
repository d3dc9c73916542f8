"""The operators' log: a line on standard error for each event, as text or as JSON.

Modules write to ``logging.getLogger(__name__)`` as everywhere in Python; ``configure`` sends all of it, the libraries'
lines too, through one handler. What is known of the present call or task is ``bound`` and stands in each of its lines.
No line holds a secret: known ones, and what looks like one, are hidden, and of an exception's message only the first
line is shown, because databases repeat the row that they refuse in the others.
"""

import json
import logging
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal, TextIO

from core.log_text import mask

#: What a line may be about, in this order. ``owner`` and ``account`` are ids: a name may be a password, mistyped.
FIELDS = ("request", "task", "owner", "runner", "account", "address")

#: The loggers that follow the level that the operator sets; others begin at a warning, if they set none themselves.
OURS = ("app", "api", "core", "pages")

#: Of a message, in characters. A caller chooses how long its address is.
MESSAGE_CHARACTERS = 2_000

_known: ContextVar[MappingProxyType[str, object]] = ContextVar("known", default=MappingProxyType({}))


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Have each line that is logged within, in this context, carry these of FIELDS."""
    before = _known.set(MappingProxyType(_known.get() | fields))
    try:
        yield
    finally:
        _known.reset(before)


def configure(form: Literal["text", "json"], level: str, secrets: Iterable[str] = ()) -> None:
    """Send every logger's lines of this level and above to standard error, in this form, without these secrets."""
    handler = _Handler()
    handler.setLevel(level.upper())
    handler.setFormatter({"text": TextFormatter, "json": JSONFormatter}[form](secrets))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
    take_over()


def take_over() -> None:
    """Have every logger that exists by now use the one handler; some libraries give theirs handlers of their own."""
    for logger in list(logging.root.manager.loggerDict.values()):  # threads may be adding some
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the library's name
        """Name the line that could not be written: what Python prints then holds its arguments as they are."""
        self.stream.write(f"A line of {record.name} could not be written to the log.\n")


class _Formatter(logging.Formatter):
    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = tuple(secrets)

    def time(self, record: logging.LogRecord) -> str:
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def message(self, record: logging.LogRecord) -> str:
        # Hidden first, and cut then: half a secret would not be found.
        return self._safe(record.getMessage()[: 4 * MESSAGE_CHARACTERS])[:MESSAGE_CHARACTERS]

    def fields(self, record: logging.LogRecord) -> dict[str, str | int]:
        found = {name: getattr(record, name, _known.get().get(name)) for name in FIELDS}
        return {name: one if isinstance(one, int) else self._safe(str(one)) for name, one in found.items() if one}

    def fault(self, record: logging.LogRecord) -> list[str]:
        """The lines of the traceback, if the record has one."""
        error = record.exc_info and record.exc_info[1]
        return [self._safe(line) for line in _lines(error)] if error else []

    def _safe(self, text: str) -> str:
        """Text without secrets, in which nothing ends the line or moves the cursor."""
        masked = mask(text, self._secrets)
        return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in masked)


class TextFormatter(_Formatter):
    """``2026-11-29T20:19:26.123Z INFO core.runner.claims: the message task=7``; a traceback follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        named = "".join(f" {name}={value}" for name, value in self.fields(record).items())
        line = f"{self.time(record)} {record.levelname} {record.name}: {self.message(record)}{named}"
        return "\n    ".join([line, *self.fault(record)])


class JSONFormatter(_Formatter):
    """One object for each line; a traceback is the text ``traceback`` in it."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": self.time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.message(record),
        }
        entry |= self.fields(record)
        if fault := self.fault(record):
            entry["traceback"] = "\n".join(fault)
        return json.dumps(entry, ensure_ascii=False)


def _lines(error: BaseException, shown: frozenset[int] = frozenset()) -> Iterator[str]:
    """A traceback with what led to it first, as Python prints it, but of each message only the first line."""
    if id(error) in shown:
        return
    shown |= {id(error)}
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    for one in (*([before] if before else []), *(error.exceptions if isinstance(error, BaseExceptionGroup) else ())):
        yield from _lines(one, shown)
        yield "which led to:"
    for frame in traceback.format_tb(error.__traceback__):
        yield from frame.splitlines()
    message = str(error)[: 4 * MESSAGE_CHARACTERS].partition("\n")[0]
    yield f"{type(error).__module__}.{type(error).__qualname__}: {message}"
