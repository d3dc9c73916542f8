"""Whether a text that is about to leave this machine holds a secret."""

import re
from collections.abc import Iterable
from pathlib import Path

from core.log_text import KEYS, PRIVATE_KEY
from core.repositories.git import open_untrusted

#: Shorter parts of a known secret would be found everywhere.
PART_CHARACTERS = 8

_LOOKS_SECRET = re.compile(f"{KEYS}|{PRIVATE_KEY}".encode())


def contains_secret(difference: Path, message: str, secrets: Iterable[str]) -> bool:
    """Whether a commit's message or the lines that it adds, as git diff writes them, hold a secret.

    That is one of ``secrets``, or what certainly is one by its form.
    """
    parts = {line.encode() for secret in secrets for line in secret.splitlines() if len(line) >= PART_CHARACTERS}

    def has(line: bytes) -> bool:
        return bool(_LOOKS_SECRET.search(line)) or any(part in line for part in parts)

    with open_untrusted(difference) as lines:
        return has(message.encode()) or any(has(line) for line in lines if line.startswith(b"+"))
