"""Which repository addresses are accepted, and where they lead."""

import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from core.agents.catalog import Host, catalog
from core.errors import InvalidInput
from core.repositories.remote import Remote

ADDRESS_CHARACTERS = 2_000
HTTPS_PORT = 443

#: How long the machine's own resolver may look for a name, in seconds.
LOOK_UP_SECONDS = 10.0

_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._")

#: RFC 6761, RFC 6762 and the names that private networks use.
_PRIVATE_NAMES = ("localhost", "local", "internal")

#: RFC 4291: what is routed; RFC 6052: IPv4 addresses as a network of IPv6 alone reaches them.
_ROUTED, _NAT64 = IPv6Network("2000::/3"), IPv6Network("64:ff9b::/96")

#: IANA's registries of special addresses, with multicast and what is reserved. They are listed here because what
#: ``ipaddress`` calls global differs between Pythons.
_SPECIAL = [
    *map(ip_network, ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12")),
    *map(ip_network, ("192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15")),
    *map(ip_network, ("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3")),
    *map(ip_network, ("2001::/23", "2001:db8::/32", "3fff::/20")),
]

_INVALID = "The repository address is not a valid one: write it like https://host/owner/name."
_PRIVATE = (
    "The repository's host is not a public one: an administrator can allow it in agents.toml, with private = true."
)
_NOT_FOUND = "The repository's host could not be found: check the address."

#: Called like ``socket.getaddrinfo``.
LookUp = Callable[..., Sequence[tuple[Any, ...]]]


def validate_address(address: str) -> str:
    """The address in the form that git gets: https, or file for a folder under the administrator's local roots.

    No name is looked up. Raises InvalidInput, which never repeats the address: it may hold a password.
    """
    if len(address) > ADDRESS_CHARACTERS:
        raise InvalidInput(f"The repository address is too long: at most {ADDRESS_CHARACTERS:,} characters.")
    if not address.isprintable() or not address.isascii() or " " in address or "\\" in address:
        raise InvalidInput("The repository address holds a character that does not belong there.")
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput(_INVALID) from None
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise InvalidInput("Leave the user name and password out of the repository address.")
    if parts.scheme == "https" and host and parts.path.strip("/") and not parts.query and not parts.fragment:
        return _public(parts, host)
    if address.startswith("/") or (parts.scheme == "file" and not parts.netloc):
        return _local(Path(unquote(parts.path) if parts.scheme else address))
    raise InvalidInput("The repository address must be an https address like https://host/owner/name.")


def resolve(address: str, look_up: LookUp = socket.getaddrinfo) -> Remote:
    """Where an address leads now, and how to get there.

    Its host's name is looked up once; git connects to what was found and to nothing else. Raises InvalidInput as
    ``validate_address`` does, and when there is no such host, or when any of its addresses is not public.
    """
    address = validate_address(address)
    parts = urlsplit(address)
    if parts.scheme == "file":
        return Remote(address, folder=Path(unquote(parts.path)))
    host, port = str(parts.hostname), parts.port or HTTPS_PORT
    entry = _entry(host)
    found = _look_up(host, port, look_up)
    if not entry.private and not all(map(_is_public, found)):
        raise InvalidInput(_PRIVATE)
    token = os.environ.get(entry.token or "", "").strip() or None
    written = ",".join(f"[{one}]" if one.version == 6 else str(one) for one in found)
    return Remote(
        address,
        pin=None if _number(host) else f"{host}:{port}:{written}",
        user=entry.user,
        token=token,
        push=token is not None and bool({"*", parts.path.strip("/").removesuffix(".git")} & set(entry.push)),
    )


def _public(parts: SplitResult, host: str) -> str:
    """The address with its host in the one form that is checked, configured and connected to."""
    host = host.removesuffix(".")
    number = _number(host)
    in_brackets = "[" in parts.netloc
    if number is None and (in_brackets or not _HOST_CHARACTERS.issuperset(host) or not all(host.split("."))):
        raise InvalidInput(_INVALID)
    host = str(number or host)
    labels = host.split(".")
    public = _is_public(number) if number else len(labels) > 1 and labels[-1] not in _PRIVATE_NAMES
    if not public and not _entry(host).private:
        raise InvalidInput(_PRIVATE)
    written = f"[{host}]" if ":" in host else host
    port = "" if parts.port is None else f":{parts.port}"
    return f"https://{written}{port}{parts.path}"  # git knows the scheme in small letters only


def _entry(host: str) -> Host:
    return catalog().repositories.hosts.get(host, Host())


def _number(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is written as, also in the forms that only connecting understands; None for a name."""
    with suppress(OSError):
        return ip_address(socket.inet_aton(host))  # 0x7f.1, 0177.0.0.1, 2130706433
    try:
        return IPv6Address(host)
    except ValueError:
        return None


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether everybody's packets get there, also through what is translated into IPv4 on the way."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return _is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        if address.sixtofour:
            return _is_public(address.sixtofour)
        if address not in _ROUTED:
            return False
    return not any(address in network for network in _SPECIAL)


def _look_up(host: str, port: int, look_up: LookUp) -> list[IPv4Address | IPv6Address]:
    """Every address of a host. Raises InvalidInput when it has none, or when nobody says so in time."""
    answers: SimpleQueue[Sequence[tuple[Any, ...]]] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(look_up(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):  # there is no such name, or it can be none
            answers.put(())

    # The call cannot be stopped; a thread that is a daemon keeps nobody from ending.
    threading.Thread(target=ask, daemon=True, name="look-up").start()
    try:
        found = answers.get(timeout=LOOK_UP_SECONDS)
    except Empty:
        found = ()
    if not found:
        raise InvalidInput(_NOT_FOUND)
    return list(dict.fromkeys(ip_address(sockaddr[0]) for *_, sockaddr in found))


def _local(path: Path) -> str:
    """Raises InvalidInput for every path that is not under a root, whether or not there is something."""
    if not str(path).isprintable():
        raise InvalidInput("The repository address holds a character that does not belong there.")
    real = path.resolve()
    if not any(real.is_relative_to(root) for root in catalog().repositories.local_roots):
        raise InvalidInput("Folders of this machine can be used only where the administrator allowed it: use https.")
    return f"file://{quote(str(real))}"  # git decodes it: a literal %2e%2e must not become ..
