"""Passwords: which ones are good enough, how they are kept, and the price of a look."""

import re
import time
from threading import BoundedSemaphore

import bcrypt

from core.errors import InvalidInput

#: bcrypt's cost; 12 takes about 0.25 s on the machine it was measured on.
ROUNDS = 12
CHARACTERS = 10
BYTES = 72  # bcrypt looks at no more

#: In the place of a hash: nobody has chosen a password yet, and none opens the account.
NONE = "!"

#: What is guessed first, of what is long enough.
_COMMON = (
    "1234567890 12345678910 0123456789 0987654321 9876543210 1q2w3e4r5t 1qaz2wsx3edc q1w2e3r4t5 qwertyuiop qwerty1234 "
    "qwerty12345 qwerty123456 asdfghjkl1 zxcvbnm123 password12 password123 password1234 passw0rd123 p@ssw0rd123 "
    "iloveyou12 iloveyou123 letmein123 welcome123 welcome1234 admin12345 administrator changeme123 football123 "
    "baseball123 basketball liverpool1 manchester superman123 princess123 sunshine123 dragon1234 monkey1234 "
    "michael123 charlie123 abcdefghij abcd123456 abc1234567 a123456789 123456789a 123456789q aa12345678 1123581321 "
    "1029384756 leavemealone trustno1trustno1 passwordpassword"
)
#: Exactly what bcrypt takes: it raises ValueError for a cost or the end of a salt that it could not have made.
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")

#: A check keeps a core busy: sign-ins wait for each other rather than starve the tasks and pages.
_at_once = BoundedSemaphore(2)
_usual_seconds = 0.0


def check(password: str, *names: str) -> None:
    """Raise InvalidInput for a password that is too weak, cannot be kept, or is one of the account's own names."""
    if "\0" in password or any("\ud800" <= character <= "\udfff" for character in password):
        raise InvalidInput("The password holds a character that cannot be stored (NUL or half a character).")
    if len(password) < CHARACTERS or len(password.encode()) > BYTES:
        raise InvalidInput(f"A password has at least {CHARACTERS} characters and at most {BYTES} bytes.")
    if password != password.strip():
        raise InvalidInput("A password neither starts nor ends with a space.")
    if password.casefold() in names:
        raise InvalidInput("The password must not be your username or e-mail address.")
    if password.casefold() in _COMMON.split() or len(set(password)) < 3:
        raise InvalidInput("That password is one of those that are guessed first: choose another one.")


def hashed(password: str) -> str:
    """What is kept of a password that ``check`` has let pass."""
    with _at_once:
        return bcrypt.hashpw(password.encode(), bcrypt.gensalt(ROUNDS)).decode()


def matches(password: str, kept: str) -> bool:
    """Whether this is the password of which ``kept`` was kept; it takes as long when nothing usable was kept."""
    global _usual_seconds
    given = password.encode(errors="surrogatepass")
    usable = _BCRYPT.fullmatch(kept) is not None and 0 < len(given) <= BYTES
    nobodys = f"$2b${ROUNDS:02}${'.' * 53}"  # no password is known to lead to it
    with _at_once:
        start = time.monotonic()
        same = bcrypt.checkpw(given if usable else b"", (kept if usable else nobodys).encode())
        _usual_seconds = time.monotonic() - start
    return same and usable


def constant_time_delay() -> None:
    """Sleep as long as the last check took, so that the response time does not reveal a lock."""
    if _usual_seconds:
        time.sleep(_usual_seconds)
    else:
        matches("", NONE)


def is_cheap(kept: str) -> bool:
    """Whether it was kept at a lower cost than today's."""
    found = _BCRYPT.fullmatch(kept)
    return found is not None and int(found[1]) < ROUNDS
