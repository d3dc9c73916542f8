"""Folders that change hands between the server and a task."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def chown_tree(path: Path, user: int | None) -> None:
    """Hand a folder, and all in it, to that user. No link is followed; for None there is nothing to do."""
    if user is None:
        return
    os.chown(path, user, user, follow_symlinks=False)
    ahead = [] if path.is_symlink() or not path.is_dir() else [path]
    while ahead:
        with os.scandir(ahead.pop()) as entries:
            for entry in entries:
                os.chown(entry.path, user, user, follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    ahead.append(Path(entry.path))


def remove(folder: Path) -> None:
    """Remove a folder that a task wrote to, or what lies there in its place.

    However deep it is (shutil.rmtree gives up at Python's recursion limit), and whatever its rights: each folder is
    taken out of the one that it is in before it is emptied. Everything below is reached from the folder that holds it
    and never by a path, so no link leads elsewhere, even if something of the task still ran. What the machine refuses
    to remove stays.
    """
    try:
        top = open_untrusted(str(folder))
    except NotADirectoryError:  # a file or a link, which is not followed
        with suppress(OSError):
            folder.unlink()
        return
    except OSError:
        return
    ahead: list[str] = []
    try:
        with suppress(OSError):
            _empty(top, top, ahead)
        while ahead:
            with suppress(OSError):
                _remove(ahead.pop(), top, ahead)
    finally:
        os.close(top)
    with suppress(OSError):
        folder.rmdir()


def _remove(name: str, top: int, ahead: list[str]) -> None:
    """Empty and remove a folder that is at the top."""
    place = open_untrusted(name, top)
    try:
        _empty(place, top, ahead)
    finally:
        os.close(place)
    os.rmdir(name, dir_fd=top)


def _empty(place: int, top: int, ahead: list[str]) -> None:
    """Remove the files in an open folder and move the folders in it to the top; ``ahead`` gets their names there."""
    with os.scandir(place) as entries:
        found = list(entries)
    for entry in found:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.name, dir_fd=place)
            continue
        name = secrets.token_hex(8)
        try:
            os.rename(entry.name, name, src_dir_fd=place, dst_dir_fd=top)
        except PermissionError:  # a folder that may not be written to may not be moved
            _unlock(entry.name, place)
            os.rename(entry.name, name, src_dir_fd=place, dst_dir_fd=top)
        ahead.append(name)


def open_untrusted(name: str, parent: int | None = None) -> int:
    """Open a folder that may be anything by now: no link is followed, and its owner may have closed it."""
    how = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        handle = os.open(name, how, dir_fd=parent)
    except PermissionError:
        _unlock(name, parent)
        return os.open(name, how, dir_fd=parent)
    if os.fstat(handle).st_uid == os.geteuid():
        os.fchmod(handle, 0o700)
    return handle


def _unlock(name: str, parent: int | None) -> None:
    """Give a folder back to its owner. No link is followed."""
    if os.chmod in os.supports_follow_symlinks:
        os.chmod(name, 0o700, dir_fd=parent, follow_symlinks=False)
        return
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{handle}", 0o700)
    finally:
        os.close(handle)
