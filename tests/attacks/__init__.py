"""Attacks on sign-in, sessions, tokens and ownership: which there are, and what Taskdeck answers.

A test that makes one is marked ``attack(number, …)``, wherever it is; docs/attacks.md says what happened.
"""

from typing import NamedTuple


class Attack(NamedTuple):
    """What somebody tries, and what must happen."""

    name: str
    expected: str


_NOBODY = "API 401; the pages show the sign-in form"

#: By number, which never changes.
ATTACKS = {
    1: Attack("a cookie that is a JWT with `alg: none`", _NOBODY),
    2: Attack("a cookie signed with another key", _NOBODY),
    3: Attack("a cookie that is a JWT of another algorithm (HS512, RS256), signed with our key", _NOBODY),
    4: Attack("the cookie of a session whose time is over", _NOBODY),
    5: Attack("our signature over something else: a ticket, a link, a number, what is no session's id", _NOBODY),
    6: Attack("a cookie changed so that it names another session, or one signed by us that names none", _NOBODY),
    7: Attack("the package's own cookie, {username, exp_date}, signed with our key", _NOBODY),
    8: Attack("a cookie of 5 kB, an empty one, dots, NUL, what is not ASCII", f"{_NOBODY}; no 500"),
    9: Attack("a cookie copied before the sign-out, replayed after it", _NOBODY),
    10: Attack(
        "a cookie, or a page left open, from before a change of the password",
        "signed out within the next poll; the tab that changed it stays, also after a reload",
    ),
    11: Attack(
        "a disabled account with a tab open",
        "the sign-in form within the next poll; API 401; a sign-in gets the one sentence of every failure",
    ),
    12: Attack("a deleted account with a tab open", "as for a disabled one; sessions, tokens and tasks are gone"),
    13: Attack(
        "a role that was taken away while a page is open",
        "signed out at the next look; afterwards the page is not theirs",
    ),
    14: Attack("a second tab after the sign-out in the first", "signed out at its next poll or click"),
    15: Attack("the next person in the same tab", "sees nothing of the one before: no draft, filter, task or name"),
    16: Attack("a sign-in where another's cookie is", "the session of the replaced cookie is revoked"),
    17: Attack(
        "a websocket that names another's live page, without the cookie",
        "the sign-in form; the other person goes on",
    ),
    18: Attack("the same for a page that was just closed", "the sign-in form"),
    19: Attack("`authentication_status` forged in the page's state", "the sign-in form"),
    20: Attack(
        "another's task: read, delete, cancel, run again, extend, its log, events and files; by cookie and by token",
        "404 as for an absent one; the task stays as it is",
    ),
    21: Attack("another's rows by list, search, filter, export and deletion of many", "only the caller's own"),
    22: Attack("a new task with `user_id` of another person", "400, or it is the caller's own; never the other's"),
    23: Attack("/task?id= with the number of another's task", "Task not found, as for an absent one"),
    24: Attack(
        "a form as text/plain, posted with the cookie by a page on another port of localhost", "403; nothing written"
    ),
    25: Attack("the same from another site, without the cookie", "401; nothing written"),
    26: Attack("fetch with JSON from another origin", "no permission in the preflight; the browser blocks it"),
    27: Attack(
        "a change by cookie with Origin null, evil, another port, sub.host, host.evil.com, host@evil.com",
        "403; nothing written",
    ),
    28: Attack("a change by cookie with neither Origin nor Sec-Fetch-Site", "403; nothing written"),
    29: Attack("a change by cookie with Sec-Fetch-Site same-site, cross-site or none", "403; nothing written"),
    30: Attack("a change by GET", "no GET changes anything"),
    31: Attack(
        "a websocket with an evil Origin, of another port of localhost, or with none",
        "closed before it is accepted; no call to anybody else",
    ),
    32: Attack("our page in another origin's iframe", "the browser shows nothing of it"),
    33: Attack("a Host that is not ours (DNS rebinding)", "400; the websocket is closed"),
    34: Attack(
        "a sign-in ticket used twice, by eight at once, after 61 s, from another origin, made up",
        "400, one of eight wins, 400, 403, 400",
    ),
    35: Attack(
        "another site that posts its own ticket, to sign the victim in as somebody else",
        "a form gets 400, a call 403; no cookie",
    ),
    36: Attack(
        "a token with a wrong last character, its prefix, none, its SHA-256, SQL, 10 kB, not ASCII, a JWT", "401"
    ),
    37: Attack("a revoked or expired token, or that of a disabled person", "401"),
    38: Attack("a bad bearer token, or Basic, beside a good cookie", "401: the cookie is not looked at"),
    39: Attack("a token in ?token= or in the cookie", "401"),
    40: Attack("a token that makes, lists or revokes tokens", "404: no call does"),
    41: Attack("revoking another's token", "there is no such token; it goes on"),
    42: Attack("a change with a token that may only read", "403; nothing written"),
    43: Attack("looking for a token's text", "not in the database, the logs, an answer or a list"),
    44: Attack(
        "five wrong passwords, then the right one",
        "locked for 15 minutes, a name that nobody has alike; the same sentence",
    ),
    45: Attack("30 guesses at once", "at most five are looked at"),
    46: Attack("50 names from one address", "the address is locked"),
    47: Attack(
        "telling accounts by the time of the answer",
        "unknown, wrong, disabled and locked take as long, within 15 % in the median",
    ),
    48: Attack("guessing the current password in the form that changes it", "locked after five"),
    49: Attack("locking somebody else out", "their open sessions and tokens go on"),
    50: Attack(
        "a name in capitals, full width, with spaces, or with a letter of another script",
        "the same account, or nobody's; registering it again is refused",
    ),
    51: Attack(
        "a password of 73 bytes, 40 x é, 1 MB, NUL, a lone surrogate, spaces only", "refused with a sentence; no 500"
    ),
    52: Attack("the right password with something after its 72nd byte", "refused"),
    53: Attack("SQL in every field", "a plain failure"),
    54: Attack("the same username or address twice, by case, or two at once", "one wins; the same sentence"),
    55: Attack(
        "an address with a newline; a name with `<script>`, Markdown or 10,000 characters", "refused, or shown as text"
    ),
    56: Attack("a stored hash that is empty, NULL, of another kind or plain text", "a plain failure, no 500; it stays"),
    57: Attack(
        "a signing key that is missing, short or a known default",
        "made and kept if missing; otherwise the server does not start",
    ),
    58: Attack("a restart; a new signing key", "sessions go on; the old key verifies until it is taken away"),
    59: Attack("plain http on a name of the network", "a warning on the page; the sign-in works and survives a reload"),
    60: Attack("a session exactly at its end", "refused"),
    61: Attack(
        "single sign-on with an unverified or unknown address, a disabled account, a used, old or false ID token",
        "refused with a sentence; no session",
    ),
    62: Attack("a deep link, signed out", "the sign-in form, then the same address"),
    63: Attack("an answer without security headers", "none: page, API, file, 404 and 500 have them"),
}
