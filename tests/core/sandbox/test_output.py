"""What is kept of a folder that a hostile program wrote. The programs here are real and write what they like."""

import hashlib
import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import AgentFailed
from core.sandbox import output
from core.sandbox.output import StoredArtifact, media_type
from tests.core.sandbox.outputs import kept, write
from tests.support.server import ROOT

SECRET = "what lies outside of the folder"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The folder that the program wrote."""
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


@pytest.fixture
def kept_in(tmp_path: Path) -> Path:
    return tmp_path / "artifacts" / "7"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside"
    path.write_text(SECRET)
    return path


def test_a_file_is_kept_with_its_size_digest_and_type(made: Path, kept_in: Path) -> None:
    content = os.urandom(3 * 2**20 + 1)
    (made / "b.bin").write_bytes(content)
    write(made / "a.md", "")
    names, left = output.find(made)
    assert list(output.keep(names, made, kept_in)) == [
        StoredArtifact("a.md", 0, hashlib.sha256(b"").hexdigest(), "text/markdown"),
        StoredArtifact("b.bin", len(content), hashlib.sha256(content).hexdigest(), "application/octet-stream"),
    ]
    assert left == []
    assert (kept_in / "b.bin").read_bytes() == content
    assert stat.S_IMODE(kept_in.stat().st_mode) == 0o700


def test_files_in_folders_are_kept_by_their_paths_after_those_above_them(made: Path, kept_in: Path) -> None:
    for name in ("z.md", "charts/b.svg", "charts/a.svg", "charts/more/c.svg", "bericht für Zoë/報告.csv", "a b.txt"):
        write(made / name, name)
    (made / "empty").mkdir()
    assert kept(made, kept_in) == [
        *("a b.txt", "z.md", "bericht für Zoë/報告.csv", "charts/a.svg", "charts/b.svg", "charts/more/c.svg")
    ]
    assert (kept_in / "charts/more/c.svg").read_text() == "charts/more/c.svg"
    assert output.find(made)[1] == []


def link(path: Path, outside: Path) -> None:
    path.symlink_to("/etc/passwd")


def link_to_a_folder(path: Path, outside: Path) -> None:
    path.symlink_to(outside.parent)


def link_to_itself(path: Path, outside: Path) -> None:
    path.symlink_to(path.name)


def link_to_a_file_beside_it(path: Path, outside: Path) -> None:
    write(path.parent / "good.md")
    path.symlink_to("good.md")


def hard_link(path: Path, outside: Path) -> None:
    os.link(outside, path)


def pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path, outside: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # an address is short


@pytest.mark.attack(84)
@pytest.mark.parametrize(
    "make", [link, link_to_a_folder, link_to_itself, link_to_a_file_beside_it, hard_link, pipe, unix_socket]
)
@pytest.mark.parametrize("name", ["evil", "report.md", "folder/report.md"])
def test_whatever_is_no_plain_file_is_left_and_named(
    made: Path, kept_in: Path, outside: Path, make: object, name: str
) -> None:
    write(made / "folder/other.md")
    make(made / name, outside)  # type: ignore[operator]
    names = kept(made, kept_in)
    assert name not in names and "folder/other.md" in names
    (left,) = output.find(made)[1]
    assert left.startswith(f"{name} (")
    assert SECRET not in str([path.read_text() for path in kept_in.rglob("*") if path.is_file()])


@pytest.mark.attack(84)
@pytest.mark.parametrize("device", [os.makedev(1, 5), os.makedev(1, 3)], ids=["zero", "null"])
def test_a_device_is_left_and_never_opened(
    made: Path, kept_in: Path, device: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        os.mknod(made / "device", stat.S_IFCHR | 0o666, device)
    except PermissionError:  # only root can; the same look decides over a pipe, which anybody can make
        os.mkfifo(made / "device")
    opened: list[object] = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *more, **given: (opened.append(path), real(path, *more, **given))[1])
    assert output.find(made) == ([], ["device (not a file)"])
    assert "device" not in opened


@pytest.mark.attack(84)
@pytest.mark.parametrize(
    ("name", "left"),
    [
        (b"..%2f..%2fetc%2fpasswd", "..%2f..%2fetc%2fpasswd (hidden)"),
        (b"x" * 255, f"{'x' * 100}…{'x' * 100} (name too long)"),
        ("é".encode() * 127, f"{'é' * 127} (name too long)"),
        (b"\xff\xfe.md", "\\xff\\xfe.md (odd name)"),
        (b"new\nline.md", "new\\nline.md (odd name)"),
        (b"bell\x07\x1b[2J", "bell\\x07\\x1b[2J (odd name)"),
        ("\u202efdp.exe".encode(), "\\u202efdp.exe (odd name)"),
        ("\u200freport.md".encode(), "\\u200freport.md (odd name)"),
        ("re\u200bport.md".encode(), "re\\u200bport.md (odd name)"),
        (b"..\\..\\evil.bat", "..\\\\..\\\\evil.bat (hidden)"),
        (b"C:\\evil.bat", "C:\\\\evil.bat (odd name)"),
        (b".bashrc", ".bashrc (hidden)"),
    ],
)
def test_a_name_that_could_mislead_is_left_and_shown_escaped(made: Path, kept_in: Path, name: bytes, left: str) -> None:
    for path in (os.fsencode(made) + b"/" + name, os.fsencode(made) + b"/good.md"):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    assert kept(made, kept_in) == ["good.md"]
    assert output.find(made)[1] == [left]
    left.encode()


@pytest.mark.attack(84)
@pytest.mark.parametrize("name", [b"\xff", b"new\nline", b".git", b"x" * 255])
def test_nothing_is_kept_of_a_folder_with_such_a_name(made: Path, kept_in: Path, name: bytes) -> None:
    os.mkdir(os.fsencode(made) + b"/" + name)
    os.close(os.open(os.fsencode(made) + b"/" + name + b"/report.md", os.O_CREAT | os.O_WRONLY))
    assert kept(made, kept_in) == []
    assert len(output.find(made)[1]) == 1


@pytest.mark.parametrize("name", ["%2e%2e.md", "100%.txt", "a+b&c=d.md", "'\".md", "~.md", "-rf", "CON", "x" * 200])
def test_a_name_that_is_only_unusual_is_kept(made: Path, kept_in: Path, name: str) -> None:
    write(made / name)
    assert kept(made, kept_in) == [name]


def test_files_of_an_earlier_attempt_are_replaced_and_no_file_makes_no_folder(made: Path, kept_in: Path) -> None:
    write(kept_in / "old")
    assert kept(made, kept_in) == []
    assert not kept_in.exists()


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may read everything, so for a while the test is somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.attack(84)
def test_what_cannot_be_read_is_left(
    made: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    write(made / "closed/report.md")
    write(made / "report.md")
    write(made / "closed.md")
    (made / "closed").chmod(0)
    (made / "closed.md").chmod(0)
    for folder in (made, made.parent):
        folder.chmod(0o755)
    monkeypatch.chdir(made.parent)  # from here, whoever may enter the folders above
    request.getfixturevalue("nobody")
    assert output.find(Path(made.name)) == (["report.md"], ["closed.md (not readable)", "closed (not readable)"])


@pytest.mark.attack(84)
@pytest.mark.parametrize("instead", ["nothing", "a link", "a file"])
def test_a_folder_that_is_gone_or_replaced_has_no_files(made: Path, outside: Path, instead: str) -> None:
    made.rmdir()
    if instead == "a link":
        made.symlink_to(outside.parent)
    elif instead == "a file":
        made.write_text("x")
    names, left = output.find(made)
    assert (names, len(left)) == ([], 1)


@pytest.mark.attack(84)
@pytest.mark.parametrize("part", ["folder", "folder/report.md"])
def test_what_becomes_a_link_between_the_look_and_the_copy_is_not_followed(
    made: Path, kept_in: Path, outside: Path, part: str
) -> None:
    write(made / "folder/report.md")
    names, _ = output.find(made)
    (made / part).rename(made / "away")
    elsewhere = outside.parent / "elsewhere"
    write(elsewhere / "report.md", SECRET)
    (made / part).symlink_to(elsewhere if part == "folder" else outside)
    with pytest.raises(AgentFailed, match=r"folder/report\.md changed while it was kept"):
        list(output.keep(names, made, kept_in))
    assert not [path for path in kept_in.rglob("*") if path.is_file()]


def test_no_handle_is_left_open(made: Path, kept_in: Path) -> None:
    for number in range(30):
        write(made / "a" / "b" / f"{number}.md")
    (made / "link").symlink_to("/etc/passwd")
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    kept(made, kept_in)
    assert (len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0) == before


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.HTML", "text/html"),
        ("a.json", "application/json"),
        ("a.ndjson", "application/x-ndjson"),
        ("a.svg", "image/svg+xml"),
        ("charts/a.svg", "image/svg+xml"),
        ("a.csv", "text/csv"),
        ("a.tsv", "text/tab-separated-values"),
        ("a.patch", "text/x-diff"),
        ("a.sarif", "application/sarif+json"),
        ("a.pdf", "application/pdf"),
        ("a.d/noending", "application/octet-stream"),
        ("html", "application/octet-stream"),
        ("a.csv.gz", "application/octet-stream"),
        ("a.html.bz2", "application/octet-stream"),
        ("a.svgz", "application/octet-stream"),
        ("data:text/html,x", "application/octet-stream"),
        ("data:a漢/b,c", "application/octet-stream"),
        ("data:text/html,x.txt", "text/plain"),
        ("http://a/b.html?x.png", "image/png"),
        ("a.漢", "application/octet-stream"),
    ],
)
def test_media_types_go_by_the_ending_alone(name: str, expected: str) -> None:
    assert media_type(name) == expected


def test_media_types_are_the_same_on_every_machine(tmp_path: Path) -> None:
    (tmp_path / "mime.types").write_text("text/html csv xyz gz\n漢/b log bin\n")
    names = ("a.csv", "a.xyz", "a.gz", "a.log", "a.bin", "a.html", "a.PNG")
    told = (
        "import mimetypes, sys\n"
        "mimetypes.init([sys.argv[1]])\n"
        "mimetypes.add_type('text/html', '.xyz')\n"
        "from core.sandbox.output import media_type\n"
        "print(*map(media_type, sys.argv[2:]))"
    )
    command = [sys.executable, "-c", told, str(tmp_path / "mime.types"), *names]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    shown = ran.stdout.split()
    assert shown == [media_type(name) for name in names]
    none = "application/octet-stream"
    assert shown == ["text/csv", none, none, "text/plain", none, "text/html", "image/png"]


def test_every_media_type_can_stand_in_a_header() -> None:
    assert [kind for kind in output.MEDIA_TYPES.values() if not re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", kind)] == []
