from collections.abc import Callable
from pathlib import Path
from subprocess import CalledProcessError

import pytest

from core.errors import InvalidInput
from core.repositories import addresses
from tests.core.repositories.running import git

REFUSED = (
    # Options of git's, its transports that run commands, folders, and addresses in other forms than https.
    *("--upload-pack=touch /tmp/x", "--upload-pack=x", "ext::sh -c id", "ext::id"),
    *("/etc", "file:///etc", "file:/etc", "file://host/etc", "/", "etc", "file:etc"),
    *("http://h/x", "git@h:x", "h:x", "ssh://h/x", "git://h/x", "javascript:alert(1)"),
    # Without a host or a path, with a port that is none, broken.
    *("https:///x", "https://:443/x", "https://host77.org", "https://host77.org/", "//h/x", "https:/h/x", ""),
    *("https://host77.org:99999/x", "https://host77.org:x/x", "https://[::1/x"),
    # With a user, a fragment, or a query, which may hold a secret.
    *("https://u@host77.org/x", "https://@host77.org/x", "https://host77.org/x#y", "https://host77.org/x?token=abc"),
    # Characters that do not belong there.
    *("https://host77.org/x y", "https://host77.org/x\ny", "https://host77.org/x\x1b[31m", "https://host77.org/x\0"),
    *("https://host77.org/\u202egit", "https://exаmple.org/x", "https://host77.org\\x/y", "file:///%00"),
    "https://host77.org/" + "x" * 2_990,
)


@pytest.mark.attack(70, 71, 74)
@pytest.mark.parametrize("address", REFUSED, ids=lambda address: ascii(address[:40]))
def test_refused(address: str, local_root: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        addresses.validate_address(address)
    assert not address or address not in caught.value.message


@pytest.mark.attack(71)
@pytest.mark.parametrize(
    "address", ["https://usr77:pw88@host77.org/x", "https://usr77@host77.org/x", "https://:pw88@host77.org/x"]
)
def test_the_refusal_never_repeats_a_user_name_or_a_password(address: str) -> None:
    with pytest.raises(InvalidInput, match="user name and password") as caught:
        addresses.validate_address(address)
    assert not [part for part in ("usr77", "pw88") if part in repr(caught.value)]


def test_an_https_address_is_accepted_as_it_is_with_its_scheme_in_the_letters_that_git_knows() -> None:
    for path in ("github.com/psf/a.git", "git.example.org:8443/a/b/c", "h77.org/" + "x" * 1_980, "h77.org/%C3%A9"):
        assert addresses.validate_address(f"https://{path}") == f"https://{path}"
    assert addresses.validate_address("HTTPS://example.org/Name") == "https://example.org/Name"


def test_a_folder_under_a_root_is_accepted_in_each_of_its_forms(local_root: Path) -> None:
    (local_root / "a b").mkdir()
    for address in (f"{local_root}/data", f"file://{local_root}/data", f"{local_root}/x/../data"):
        assert addresses.validate_address(address) == f"file://{local_root}/data"
    assert addresses.validate_address(f"file://{local_root}/a%20b").startswith(f"file://{local_root}/a")


def test_no_folder_is_accepted_while_no_root_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="only where the administrator allowed it"):
        addresses.validate_address(str(tmp_path))


#: What git decodes once more may be accepted, and leads nowhere either.
DECODED = ("{}/%2e%2e/outside", "file://{}/%252e%252e/outside")


@pytest.mark.attack(70)
@pytest.mark.parametrize("way", ["{}/../../etc", "{}-beside", "{}/link", "file://{}/%2e%2e/outside", *DECODED])
def test_no_way_leads_out(way: str, local_root: Path, tmp_path: Path, make_repository: Callable[..., Path]) -> None:
    make_repository(tmp_path / "outside", {"private.txt": "for nobody"})
    (local_root / "link").symlink_to(tmp_path / "outside")
    with pytest.raises((InvalidInput, CalledProcessError) if way in DECODED else InvalidInput):
        git(tmp_path, "ls-remote", addresses.validate_address(way.format(local_root)))


def test_a_name_with_a_percent_sign_leads_git_to_the_folder_that_is_called_so(
    local_root: Path, tmp_path: Path, make_repository: Callable[..., Path]
) -> None:
    folder = make_repository(local_root / "50%25 off", {"a.txt": "a"})
    remote = addresses.resolve(f"file://{local_root}/50%2525%20off")
    assert remote.folder == folder
    assert "HEAD" in git(tmp_path, "ls-remote", remote.address)
