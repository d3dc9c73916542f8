"""Which repository addresses are accepted."""

from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from core.agents.catalog import catalog
from core.errors import InvalidInput

ADDRESS_CHARACTERS = 2_000


def checked(address: str) -> str:
    """The address in the form that git gets: https, or file for a folder under the administrator's local roots.

    Raises InvalidInput, which never repeats the address: it may hold a password.
    """
    if len(address) > ADDRESS_CHARACTERS:
        raise InvalidInput(f"The repository address is too long: at most {ADDRESS_CHARACTERS:,} characters.")
    if not address.isprintable() or not address.isascii() or " " in address or "\\" in address:
        raise InvalidInput("The repository address holds a character that does not belong there.")
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput(
            "The repository address is not a valid one: write it like https://host/owner/name."
        ) from None
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise InvalidInput("Leave the user name and password out of the repository address.")
    if parts.scheme == "https" and host and parts.path.strip("/") and not parts.query and not parts.fragment:
        return "https" + address[len("https") :]  # git knows the scheme in small letters only
    if address.startswith("/") or (parts.scheme == "file" and not parts.netloc):
        return _local(Path(unquote(parts.path) if parts.scheme else address))
    raise InvalidInput("The repository address must be an https address like https://host/owner/name.")


def _local(path: Path) -> str:
    """Raises InvalidInput for every path that is not under a root, whether or not there is something."""
    if not str(path).isprintable():
        raise InvalidInput("The repository address holds a character that does not belong there.")
    real = path.resolve()
    if not any(real.is_relative_to(root) for root in catalog().repositories.local_roots):
        raise InvalidInput("Folders of this machine can be used only where the administrator allowed it: use https.")
    return f"file://{quote(str(real))}"  # git decodes it: a literal %2e%2e must not become ..
