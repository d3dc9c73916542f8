"""Which names lead to this server, and which pages are its own."""

import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.types import Scope

from core.config import settings

_HOST = re.compile(
    r"(?:\[(?P<bracketed>[0-9a-f:.]+)]|(?P<plain>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::\d{1,5})?",
    re.ASCII | re.IGNORECASE,
)

#: Names that nobody can register: RFC 6761 (.localhost, .test), RFC 6762 (.local, and .lan, .internal in its
#: appendix G), RFC 8375 (.home.arpa). ICANN reserved .internal for private use.
_PRIVATE = (".local", ".lan", ".internal", ".home.arpa", ".localhost", ".test")


def header(scope: Scope, name: bytes) -> str | None:
    """A header of a request; one that came more than once is a list with commas, as in RFC 9110, section 5.3."""
    values = [value for key, value in scope["headers"] if key == name]
    return b", ".join(values).decode("latin-1") if values else None


def hostname(host: str | None) -> str | None:
    """The name or address in a Host header, in small letters; None when it is anything but a host and a port."""
    found = _HOST.fullmatch(host or "")
    return (found["bracketed"] or found["plain"]).lower() if found else None


def leads_here(host: str | None) -> bool:
    """Whether a Host header names this server, and nobody can have made a name of theirs lead here (DNS rebinding).

    An address is nobody's name, and neither is one without a dot.
    """
    name = hostname(host)
    if name is None:
        return False
    if "." not in name or name.endswith(_PRIVATE) or _address(name):
        return True
    return name in (urlsplit(settings().home).hostname, socket.gethostname().lower())


def is_loopback(host: str | None) -> bool:
    """Whether a browser reaches this server on its own machine."""
    name = hostname(host) or ""
    address = _address(name)
    return address.is_loopback if address else name == "localhost" or name.endswith(".localhost")


def is_own(origin: str | None, host: str | None, *schemes: str) -> bool:
    """Whether this server sent the page that calls: its origin is the public address, or the host under a scheme.

    For the public host the public address alone decides: behind a proxy with TLS a page without it is another's.
    """
    if origin is None or host is None:
        return False
    host, public = host.lower(), settings().origin
    if public and public.endswith(f"//{host}"):
        return origin == public
    return origin in (public, *(f"{scheme}://{host}" for scheme in schemes))


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None
