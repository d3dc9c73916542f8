from collections.abc import Callable
from pathlib import Path
from subprocess import CalledProcessError

import pytest

from core.errors import InvalidInput
from core.repositories import addresses
from tests.core.repositories.running import git

REFUSED = {
    "an option": "--upload-pack=touch /tmp/x",
    "an option without a space": "--upload-pack=x",
    "a command transport": "ext::sh -c id",
    "a command transport without a space": "ext::id",
    "a folder": "/etc",
    "a folder's address": "file:///etc",
    "a folder's short address": "file:/etc",
    "a folder on a host": "file://host/etc",
    "the root": "/",
    "a relative folder": "etc",
    "a relative folder's address": "file:etc",
    "plain http": "http://h/x",
    "scp's form": "git@h:x",
    "scp's form without a user": "h:x",
    "ssh": "ssh://h/x",
    "git": "git://h/x",
    "a script": "javascript:alert(1)",
    "a user": "https://u@host77.org/x",
    "an empty user": "https://@host77.org/x",
    "no host": "https:///x",
    "no host but a port": "https://:443/x",
    "no path": "https://host77.org",
    "an empty path": "https://host77.org/",
    "no scheme": "//h/x",
    "one slash": "https:/h/x",
    "a port out of range": "https://host77.org:99999/x",
    "a port that is no number": "https://host77.org:x/x",
    "a broken address": "https://[::1/x",
    "a fragment": "https://host77.org/x#y",
    "a query, which may hold a secret": "https://host77.org/x?token=abc",
    "a space": "https://host77.org/x y",
    "a new line": "https://host77.org/x\ny",
    "an escape": "https://host77.org/x\x1b[31m",
    "a right-to-left mark": "https://host77.org/\u202egit",
    "another script's letter": "https://exаmple.org/x",
    "a backslash": "https://host77.org\\x/y",
    "NUL": "https://host77.org/x\0",
    "NUL in a folder's address": "file:///%00",
    "3,000 characters": "https://host77.org/" + "x" * 2_990,
    "nothing": "",
}


@pytest.mark.attack(70, 71, 74)
@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str, local_root: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        addresses.checked(REFUSED[what])
    assert not REFUSED[what] or REFUSED[what] not in caught.value.message


@pytest.mark.attack(71)
@pytest.mark.parametrize(
    "address", ["https://usr77:pw88@host77.org/x", "https://usr77@host77.org/x", "https://:pw88@host77.org/x"]
)
def test_the_refusal_never_repeats_a_user_name_or_a_password(address: str) -> None:
    with pytest.raises(InvalidInput, match="user name and password") as caught:
        addresses.checked(address)
    assert not [part for part in ("usr77", "pw88") if part in repr(caught.value)]


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/psf/requests",
        "https://github.com/psf/requests.git",
        "https://git.example.org:8443/a/b/c",
        "https://host77.org/" + "x" * 1_980,
        "https://host77.org/caf%C3%A9",
    ],
)
def test_an_https_address_is_accepted_as_it_is(address: str) -> None:
    assert addresses.checked(address) == address


def test_the_scheme_is_given_to_git_in_the_letters_it_knows() -> None:
    assert addresses.checked("HTTPS://example.org/Name") == "https://example.org/Name"


def test_a_folder_under_a_root_is_accepted_in_each_of_its_forms(local_root: Path) -> None:
    (local_root / "a b").mkdir()
    for address in (f"{local_root}/data", f"file://{local_root}/data", f"{local_root}/x/../data"):
        assert addresses.checked(address) == f"file://{local_root}/data"
    assert addresses.checked(f"file://{local_root}/a%20b").startswith(f"file://{local_root}/a")


def test_no_folder_is_accepted_while_no_root_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="only where the administrator allowed it"):
        addresses.checked(str(tmp_path))


@pytest.mark.attack(70)
@pytest.mark.parametrize(
    "address", ["{root}/../../etc", "file://{root}/%2e%2e/outside", "{root}-beside", "{root}/link"]
)
def test_no_way_leads_out_of_a_root(address: str, local_root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (local_root / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(InvalidInput):
        addresses.checked(address.format(root=local_root))


@pytest.mark.attack(70)
@pytest.mark.parametrize("address", ["{root}/%2e%2e/outside", "file://{root}/%252e%252e/outside"])
def test_what_git_decodes_once_more_does_not_lead_out_of_a_root_either(
    address: str, local_root: Path, tmp_path: Path, make_repository: Callable[..., Path]
) -> None:
    make_repository(tmp_path / "outside", {"private.txt": "for nobody"})
    try:
        found = addresses.checked(address.format(root=local_root))
    except InvalidInput:
        return
    with pytest.raises(CalledProcessError):
        git(tmp_path, "ls-remote", found)


def test_a_name_with_a_percent_sign_leads_git_to_the_folder_that_is_called_so(
    local_root: Path, tmp_path: Path, make_repository: Callable[..., Path]
) -> None:
    folder = make_repository(local_root / "50%25 off", {"a.txt": "a"})
    remote = addresses.admitted(f"file://{local_root}/50%2525%20off")
    assert remote.folder == folder
    assert "HEAD" in git(tmp_path, "ls-remote", remote.address)
