"""The text of a file, as UTF-8 whatever its encoding, one block at a time."""

import codecs
from collections.abc import Iterator
from pathlib import Path

from .files import Unreadable
from .limits import BLOCK_BYTES

NOTES = {
    "utf-16": "The text is UTF-16.",
    "cp1252": "The text is not valid UTF-8; it was read as Windows-1252.",
    "latin-1": "The text is not valid UTF-8; it was read as Latin-1.",
}


def encoding_of(path: Path) -> str:
    """Return the codec that decodes the whole file: by its byte order mark, else by trial.

    Raises Unreadable if the file is no text, OSError if it can not be opened.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise Unreadable("The text is UTF-32, which is not supported; save it as UTF-8.")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in start:
        raise Unreadable("It holds binary data, not text.")
    for encoding in ("utf-8-sig", "cp1252"):
        if _decodes(path, encoding):
            return encoding
    return "latin-1"


def _decodes(path: Path, encoding: str) -> bool:
    try:
        for _ in _decoded(path, encoding):
            pass
    except UnicodeDecodeError:
        return False
    return True


def _decoded(path: Path, encoding: str) -> Iterator[tuple[str, int]]:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield decoder.decode(block), len(block)
    yield decoder.decode(b"", final=True), 0


def blocks(path: Path, encoding: str) -> Iterator[tuple[bytes, int]]:
    """Yield the text as UTF-8 without a byte order mark, each with the bytes read for it.

    Raises Unreadable if the text breaks its encoding.
    """
    if encoding == "utf-8-sig":
        with path.open("rb") as file:
            first = file.read(BLOCK_BYTES)
            yield first.removeprefix(codecs.BOM_UTF8), len(first)
            while block := file.read(BLOCK_BYTES):
                yield block, len(block)
        return
    try:
        for text, size in _decoded(path, encoding):
            yield text.encode(), size
    except UnicodeDecodeError as error:
        raise Unreadable("The text is not valid UTF-16.") from error
