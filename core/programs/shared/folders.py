"""Looking through a repository's folders, however deep they are."""

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path


def walk(root: Path, refuse: Callable[[OSError], None]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each folder, the names of those in it, and of the files; no link is followed.

    A name that is taken out of the folders' is not looked into; a folder that cannot be opened is told to ``refuse``.
    It is os.walk, a folder at a time: of a whole tree, that gives up at the recursion limit before Python 3.12.
    """
    ahead = [str(root)]
    while ahead:
        folder = ahead.pop()
        for found in islice(os.walk(folder, onerror=refuse), 1):
            yield found
            inner = (os.path.join(folder, name) for name in found[1])
            ahead += (path for path in inner if not os.path.islink(path))
