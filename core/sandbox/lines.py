"""Whole lines from pieces of output, in bounded memory. Imports nothing of core, so that any program can use it."""


class BoundedLines:
    """Bytes in, lines out, without their ends.

    Of a line over ``limit`` bytes come the first ``kept`` ones, which are ``limit`` unless it is said otherwise, and
    ``mark``; it may name the line's length in bytes, as ``str.format`` has it.
    """

    def __init__(self, limit: int, *, kept: int | None = None, mark: str = " … (cut)") -> None:
        self._limit = limit
        self._kept = limit if kept is None else kept
        self._mark = mark
        self._begun = bytearray()
        self._left_out = 0  # bytes of this line

    def feed(self, data: bytes) -> list[str]:
        """The lines that end in this piece."""
        *ended, rest = data.split(b"\n")
        lines = []
        for piece in ended:
            self._add(piece)
            lines.append(self._end())
        self._add(rest)
        return lines

    def rest(self) -> list[str]:
        """The last line, if the output stopped within one."""
        return [self._end()] if self._begun or self._left_out else []

    def _add(self, piece: bytes) -> None:
        if self._left_out:
            self._left_out += len(piece)
            return
        self._begun += piece
        if len(self._begun) > self._limit:
            self._left_out = len(self._begun) - self._kept
            del self._begun[self._kept :]

    def _end(self) -> str:
        line = self._begun.decode("utf-8", "replace").removesuffix("\r")
        if self._left_out:
            line += self._mark.format(len(self._begun) + self._left_out)
        self._begun.clear()
        self._left_out = 0
        return line
