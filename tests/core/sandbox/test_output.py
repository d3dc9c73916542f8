"""What becomes an artifact of a folder that a hostile program wrote, which may hold whatever a system can make."""

import hashlib
import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from core.errors import AgentFailed
from core.sandbox import output
from core.sandbox.output import StoredArtifact, media_type
from tests.support.server import ROOT

SECRET = "what lies outside of the folder"
BINARY = "application/octet-stream"


def write(path: Path, content: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def sized(path: Path, mib: float) -> None:
    path.touch()
    os.truncate(path, int(mib * 2**20))


def stored(made: Path, target: Path) -> list[str]:
    """The names of all files that were found and copied; what was copied is exactly that, and nothing is left open."""
    handles = psutil.Process().num_fds()
    names, _ = output.find(made)
    assert [each.name for each in output.store(names, made, target)] == names
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()) == sorted(names)
    assert not [path for path in target.rglob("*") if path.is_symlink() or not (path.is_file() or path.is_dir())]
    assert psutil.Process().num_fds() == handles
    return names


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The folder that the program wrote."""
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "artifacts" / "7"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside" / "report.md"
    write(path, SECRET)
    return path


def test_a_file_is_stored_with_its_size_digest_and_type(made: Path, target: Path) -> None:
    content = os.urandom(3 * 2**20 + 1)
    (made / "b.bin").write_bytes(content)
    write(made / "a.md", "")
    names, left = output.find(made)
    assert list(output.store(names, made, target)) == [
        StoredArtifact("a.md", 0, hashlib.sha256(b"").hexdigest(), "text/markdown"),
        StoredArtifact("b.bin", len(content), hashlib.sha256(content).hexdigest(), BINARY),
    ]
    assert (left, (target / "b.bin").read_bytes(), stat.S_IMODE(target.stat().st_mode)) == ([], content, 0o700)


def test_files_in_folders_come_by_path_after_those_above_and_replace_earlier_ones(made: Path, target: Path) -> None:
    write(target / "old")
    assert stored(made, target) == []
    assert not target.exists()
    for name in ("z.md", "charts/b.svg", "charts/a.svg", "charts/more/c.svg", "bericht für Zoë/報告.csv", "a b.txt"):
        write(made / name, name)
    (made / "empty").mkdir()
    in_order = ["a b.txt", "z.md", "bericht für Zoë/報告.csv", "charts/a.svg", "charts/b.svg", "charts/more/c.svg"]
    assert (stored(made, target), (target / "charts/more/c.svg").read_text()) == (in_order, "charts/more/c.svg")
    assert output.find(made)[1] == []


def unix_socket(path: Path, outside: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{folder}/{path.name}")  # an address is short, wherever the test's folder lies
    os.close(folder)


MAKE = {
    "a link": lambda path, outside: path.symlink_to("/etc/passwd"),
    "a link to a folder": lambda path, outside: path.symlink_to(outside.parent),
    "a link to itself": lambda path, outside: path.symlink_to(path.name),
    "a link to a file beside it": lambda path, outside: path.symlink_to("other.md"),
    "a hard link": lambda path, outside: os.link(outside, path),
    "a pipe": lambda path, outside: os.mkfifo(path),
    "a socket": unix_socket,
}


@pytest.mark.attack(84)
@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("name", ["evil", "folder/report.md"])
def test_what_is_no_plain_file_is_left_and_named(made: Path, target: Path, outside: Path, kind: str, name: str) -> None:
    write(made / "folder/other.md")
    MAKE[kind](made / name, outside)
    assert stored(made, target) == ["folder/other.md"]
    (left,) = output.find(made)[1]
    assert left.startswith(f"{name} (")
    assert (target / "folder/other.md").read_text() == "x"


@pytest.mark.attack(84)
def test_a_device_is_left_and_never_opened(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        os.mknod(made / "device", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:  # only root can; the same look decides over a pipe, which anybody can make
        os.mkfifo(made / "device")
    opened: list[object] = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *more, **given: (opened.append(path), real(path, *more, **given))[1])
    assert output.find(made) == ([], ["device (not a file)"])
    assert "device" not in opened


#: Each with how it is shown, in the order of their bytes.
MISLEADING = {
    b"..%2f..%2fetc%2fpasswd": "..%2f..%2fetc%2fpasswd (hidden)",
    b"..\\..\\evil.bat": "..\\\\..\\\\evil.bat (hidden)", b".bashrc": ".bashrc (hidden)",
    b"C:\\evil.bat": "C:\\\\evil.bat (odd name)", b"bell\x07\x1b[2J": "bell\\x07\\x1b[2J (odd name)",
    b"new\nline.md": "new\\nline.md (odd name)", "re\u200bport.md".encode(): "re\\u200bport.md (odd name)",
    b"x" * 255: f"{'x' * 100}…{'x' * 100} (name too long)", "é".encode() * 127: f"{'é' * 127} (name too long)",
    "\u200freport.md".encode(): "\\u200freport.md (odd name)", "\u202efdp.exe".encode(): "\\u202efdp.exe (odd name)",
    b"\xff\xfe.md": "\\xff\\xfe.md (odd name)",
}  # fmt: skip
UNUSUAL = ["%2e%2e.md", "'\".md", "-rf", "100%.txt", "CON", "a+b&c=d.md", "x" * 200, "~.md"]


@pytest.mark.attack(84)
@pytest.mark.parametrize("inner", [b"", b"/report.md"], ids=["a file's", "a folder's"])
def test_a_name_that_could_mislead_is_left_and_shown_escaped_and_an_unusual_one_is_stored(
    inner: bytes, made: Path, target: Path
) -> None:
    for name in (*MISLEADING, *map(os.fsencode, UNUSUAL)):
        path = os.fsencode(made) + b"/" + name + inner
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    assert stored(made, target) == [name + inner.decode() for name in UNUSUAL]
    assert output.find(made)[1] == list(MISLEADING.values())
    "".join(output.find(made)[1]).encode()


@pytest.mark.attack(84)
def test_what_cannot_be_read_is_left(as_ordinary_user: Path) -> None:
    for name in ("closed/report.md", "report.md", "closed.md"):
        write(as_ordinary_user / name)
    for name in ("closed", "closed.md"):
        (as_ordinary_user / name).chmod(0)
    try:
        assert output.find(as_ordinary_user) == (["report.md"], ["closed.md (not readable)", "closed (not readable)"])
    finally:
        (as_ordinary_user / "closed").chmod(0o700)


@pytest.mark.attack(84)
def test_a_folder_that_is_gone_or_replaced_has_no_files(made: Path, outside: Path) -> None:
    made.rmdir()
    for put in (lambda: None, lambda: made.symlink_to(outside.parent), lambda: made.write_text("x")):
        put()
        assert output.find(made) == ([], ["the folder for files (it is not there any more)"])
        made.unlink(missing_ok=True)


@pytest.mark.attack(84)
@pytest.mark.parametrize("part", ["folder", "folder/report.md"])
def test_what_becomes_a_link_between_the_look_and_the_copy_is_not_followed(
    made: Path, target: Path, outside: Path, part: str
) -> None:
    write(made / "folder/report.md")
    names, _ = output.find(made)
    (made / part).rename(made / "away")
    (made / part).symlink_to(outside.parent if part == "folder" else outside)
    with pytest.raises(AgentFailed, match=r"folder/report\.md changed while it was stored"):
        list(output.store(names, made, target))
    assert not [path for path in target.rglob("*") if path.is_file()]


MEDIA_TYPES = {
    **{"a.HTML": "text/html", "a.json": "application/json", "a.ndjson": "application/x-ndjson", "a.csv": "text/csv"},
    **{"a.svg": "image/svg+xml", "charts/a.svg": "image/svg+xml", "a.tsv": "text/tab-separated-values"},
    **{"a.patch": "text/x-diff", "a.sarif": "application/sarif+json", "a.pdf": "application/pdf"},
    **dict.fromkeys(("a.d/noending", "html", "a.csv.gz", "a.html.bz2", "a.svgz", "a.漢"), BINARY),
    **{"data:text/html,x": BINARY, "data:text/html,x.txt": "text/plain", "http://a/b.html?x.png": "image/png"},
}


def test_media_types_go_by_the_ending_alone_on_every_machine_and_can_stand_in_a_header(tmp_path: Path) -> None:
    (tmp_path / "mime.types").write_text("text/html csv xyz gz\n漢/b log bin\n")
    types = MEDIA_TYPES | {"a.xyz": BINARY, "a.gz": BINARY, "a.log": "text/plain", "a.bin": BINARY}
    code = (
        "import mimetypes, sys\nmimetypes.init([sys.argv[1]])\nmimetypes.add_type('text/html', '.xyz')\n"
        "from core.sandbox.output import media_type\nprint(*map(media_type, sys.argv[2:]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "mime.types"), *types]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert dict(zip(types, ran.stdout.split(), strict=True)) == types
    assert {name: media_type(name) for name in types} == types
    assert [kind for kind in output.MEDIA_TYPES.values() if not re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", kind)] == []


@pytest.mark.attack(84)
def test_folders_are_looked_into_only_so_deep_and_paths_are_only_so_long(made: Path, target: Path) -> None:
    write(made / "a/b/c/near.md")
    handle = os.open(made, os.O_RDONLY)
    for _ in range(300):  # a path that no single call of the system could name
        os.mkdir("deep-and-deeper", dir_fd=handle)
        inner = os.open("deep-and-deeper", os.O_RDONLY, dir_fd=handle)
        os.close(os.open("file.md", os.O_CREAT | os.O_WRONLY, dir_fd=inner))
        os.close(handle)
        handle = inner
    os.close(handle)
    names = stored(made, target)
    assert "a/b/c/near.md" in names
    assert len(names) == 1 + output.DEPTH - 1
    (left,) = output.find(made)[1]
    assert left.startswith("deep-and-deeper/") and left.endswith(" (too deep)")
    assert len(left) < output.NAMED_CHARACTERS + 20
    write(made / "/".join(["y" * 150] * 3) / ("z" * 60))
    assert "name too long" in output.find(made)[1][-1]


@pytest.mark.attack(84)
def test_of_too_many_files_the_first_are_stored_the_rest_is_counted_and_only_so_many_are_looked_at(
    made: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(600):
        (made / f"file {number:03}").touch()
    assert stored(made, target) == [f"file {number:03}" for number in range(200)]
    left = output.find(made)[1]
    assert (left[0], left[-1], len(left)) == ("file 200 (over 200 files)", "350 more", output.NAMED + 1)
    monkeypatch.setattr(output, "LOOKED_AT", 500)
    names, left = output.find(made)
    assert (len(names), left[-2:]) == (200, ["250 more", "what follows the first 500 names"])
    for number in range(600):
        (made / f"file {number:03}").unlink()
        (made / f"folder {number}").mkdir()
    assert output.find(made) == ([], ["what follows the first 500 names"])


def test_a_file_over_the_limit_is_left_and_so_are_files_that_are_too_much_together(made: Path) -> None:
    sized(made / "too large", 100 + 2**-20)
    for number in range(7):
        sized(made / f"part {number}", 100 if number == 0 else 75)
    write(made / "small.md")
    names, left = output.find(made)
    assert names == [*(f"part {number}" for number in range(6)), "small.md"]
    assert left == ["part 6 (over 500 MiB in all)", "too large (over 100 MiB)"]
