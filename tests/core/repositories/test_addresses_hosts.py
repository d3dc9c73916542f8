"""Which hosts repositories may come from, at creation by their spelling, at the run by where they lead."""

import socket
import threading

import pytest

from core.errors import InvalidInput
from core.repositories import addresses
from tests.support.world import World

pytestmark = pytest.mark.no_database

PRIVATE = (
    *("localhost", "LocalHost", "localhost.", "a.localhost", "printer.local"),
    *("git.internal", "git.INTERNAL.", "intranet"),
    *("127.0.0.1", "127.0.0.1.", "127.1", "127.255.255.254", "0", "0.0.0.0", "2130706433", "0x7f.1", "0x7F000001"),  # noqa: S104
    *("0177.0.0.1", "0177.1", "10.0.0.1", "10.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.257"),
    *("169.254.169.254", "0xa9fea9fe", "100.64.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("192.0.0.1", "192.0.0.9", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::127.0.0.1]", "[::ffff:10.0.0.1]", "[::ffff:7f00:1]"),
    *("[::ffff:0:7f00:1]", "[fe80::1]", "[fe80::1%25eth0]", "[fc00::1]", "[fd12:3456::1]", "[fec0::1]", "[ff02::1]"),
    *("[ff0e::1]", "[100::1]", "[64:ff9b::a00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::a00:1]", "[2002:7f00:1::1]"),
    *("[2002:c0a8:1::1]", "[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "[2001:20::1]", "[2001:db8::1]", "[3fff::1]"),
    *("[4000::1]", "[5f00::1]"),
)

PUBLIC = {
    **{host: host for host in ("git.example.org:8443", "my_git.example-1.org", "localhost.example.org")},
    **dict.fromkeys(("git.example.org", "GIT.Example.ORG."), "git.example.org"),
    **dict.fromkeys(("8.8.8.8", "0x08.8.8.8", "134744072"), "8.8.8.8"),
    "[2a00:1450:4001:082f:0::200e]:444": "[2a00:1450:4001:82f::200e]:444",
    "[64:ff9b::8.8.8.8]": "[64:ff9b::808:808]",
    "[2002:808:808::1]": "[2002:808:808::1]",  # 6to4: by the address in it, on every Python
}


class Resolver:
    """Answers every name with these addresses, and remembers what it was asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        self.asked.append((host, port))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.addresses]


@pytest.mark.attack(72)
@pytest.mark.parametrize("host", PRIVATE)
def test_a_host_that_is_private_by_its_spelling_is_refused_when_the_task_is_made(host: str) -> None:
    for port in ("", ":8443"):
        with pytest.raises(InvalidInput, match="not a public one: an administrator can allow it") as caught:
            addresses.validate_address(f"https://{host}{port}/owner/name")
        assert host not in caught.value.message


@pytest.mark.parametrize("host", PUBLIC)
def test_a_public_host_is_written_in_one_way(host: str) -> None:
    assert addresses.validate_address(f"https://{host}/Owner/Name") == f"https://{PUBLIC[host]}/Owner/Name"


@pytest.mark.attack(72)
@pytest.mark.parametrize("host", [
    "%6c%6fcalhost.org", "a..example.org", ".example.org", "example.org..", "a,b.org", "a'b.org", "[v1.x]", "*.org",
])  # fmt: skip
def test_a_host_that_is_no_name_is_refused(host: str) -> None:
    with pytest.raises(InvalidInput):
        addresses.validate_address(f"https://{host}/owner/name")


@pytest.mark.parametrize("host", ["intranet", "git.internal", "10.1", "10.0.0.1", "[fd00:0::1]"])
def test_the_administrator_may_allow_a_private_host(host: str, world: World) -> None:
    names = ("intranet", "git.internal", "10.0.0.1", "fd00::1")
    for settings in ("", 'user = "x"'):  # that the host has an entry is not enough
        world.catalog("".join(f'[repositories.hosts."{name}"]\n{settings}\n' for name in names))
        with pytest.raises(InvalidInput):
            addresses.validate_address(f"https://{host}/owner/name")
    world.catalog("".join(f'[repositories.hosts."{name}"]\nprivate = true\n' for name in names))
    assert addresses.validate_address(f"https://{host}/owner/name")
    assert addresses.resolve(f"https://{host}/owner/name", Resolver("10.0.0.1")).push is False
    with pytest.raises(InvalidInput):
        addresses.validate_address("https://10.0.0.2/owner/name")


def test_no_name_is_looked_up_when_a_task_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)
    assert addresses.validate_address("https://git.example.org/owner/name")


def test_a_public_name_is_pinned_to_what_it_led_to() -> None:
    resolver = Resolver("140.82.121.4", "2a00:1450::1", "140.82.121.4")
    remote = addresses.resolve("https://Git.Example.org:8443/owner/name", resolver)
    assert (remote.address, remote.folder) == ("https://git.example.org:8443/owner/name", None)
    assert remote.pin == "git.example.org:8443:140.82.121.4,[2a00:1450::1]"
    assert resolver.asked == [("git.example.org", 8443)]
    assert addresses.resolve("https://8.8.8.8/owner/name", Resolver("8.8.8.8")).pin is None


@pytest.mark.attack(72)
@pytest.mark.parametrize("given", [
    *(("127.0.0.1",), ("10.0.0.1",), ("169.254.169.254",), ("140.82.121.4", "127.0.0.1"), ("::1",)),
    *(("fe80::1%eth0",), ("::ffff:192.168.0.1",), ("2a00:1450::1", "64:ff9b::a00:1")),
])  # fmt: skip
def test_a_name_that_leads_to_a_private_address_too_is_refused_at_the_run(given: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="not a public one"):
        addresses.resolve("https://git.example.org/owner/name", Resolver(*given))


def test_the_machines_own_resolver_is_asked() -> None:
    with pytest.raises(InvalidInput, match="could not be found"):
        addresses.resolve("https://no-such-host.invalid/owner/name")


def test_a_resolver_that_does_not_answer_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "LOOK_UP_SECONDS", 0.05)
    ended = threading.Event()

    def wait(*_: object, **__: object) -> list[tuple[object, ...]]:
        ended.wait(10)
        return []

    with pytest.raises(InvalidInput, match="could not be found"):
        addresses.resolve("https://git.example.org/owner/name", wait)
    ended.set()


@pytest.mark.parametrize(("rules", "path", "token", "pushed"), [
    *(('["team/shop"]', path, "t", True) for path in ("team/shop", "team/shop.git", "team/shop/")),
    *(('["team/shop"]', path, "t", False) for path in ("team/other", "other/team/shop", "team/%73hop")),
    ('["team/shop"]', "team/../team/shop", "t", False),
    *(('["*"]', "any/thing", "t", True), ('["*"]', "any/thing", "", False), ("[]", "team/shop", "t", False)),
])  # fmt: skip
def test_the_hosts_entry_says_who_signs_in_and_what_may_be_pushed(
    rules: str, path: str, token: str, pushed: bool, world: World
) -> None:
    world.catalog(f'[repositories.hosts."git.example.org"]\nuser = "ci"\ntoken = "GIT_TOKEN"\npush = {rules}\n')
    world.settle(GIT_TOKEN=token)
    remote = addresses.resolve(f"https://git.example.org/{path}", Resolver("8.8.8.8"))
    assert (remote.user, remote.token, remote.push) == ("ci", token or None, pushed)
    other = addresses.resolve("https://git.example.com/team/shop", Resolver("8.8.8.8"))
    assert (other.token, other.push) == (None, False)
