"""Attacks on sign-in, sessions, tokens, ownership, agents and their sandbox, and what Taskdeck answers to each.

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
        "signed out within the next poll; afterwards the page is not theirs",
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
    64: Attack(
        "an agent that is none: `nope`, `__class__`, 300 letters, `../claude`", "400 with the names that there are"
    ),
    65: Attack("a model that is a command or an option: `x; touch /tmp/p`, `--help`", "400"),
    66: Attack("a prompt of nothing, of spaces, of invisible characters", "400"),
    67: Attack("a prompt of 1 MB, or with NUL", "400; nothing is stored"),
    68: Attack(
        "a prompt made of options and shell code", "stored as it is, read by the agent as plain text; nothing runs"
    ),
    69: Attack(
        "a prompt that begins with a slash command or `@/etc/passwd`", "no command runs; the sandbox has no such file"
    ),
    70: Attack("a repository address that is an option, another protocol, a path, plain http", "400"),
    71: Attack("a repository address with a user and a password", "400; the password is in no answer, row or log"),
    72: Attack(
        "a repository on a private address, however written, or a name that leads there", "400, or the clone is refused"
    ),
    73: Attack("a redirect from a repository to a private address", "the clone fails; nothing is asked there"),
    74: Attack("a repository address with a line break, an escape, a mark of direction", "400"),
    75: Attack("a repository that asks for a password", "an error within seconds that says so"),
    76: Attack("a repository without a commit", "the task works, from an empty first commit"),
    77: Attack("a repository larger than the workspace may be", "stopped, an error, the disk is free again"),
    78: Attack("a repository with hooks, submodules, LFS and filters", "nothing of it is executed or fetched"),
    79: Attack(
        "a repository with agent settings: hooks, MCP servers, another address of the API",
        "no hook, no server, no request there",
    ),
    80: Attack("a repository that tells the agent to print its environment", "only the allowed names are there"),
    81: Attack("an agent that poisons its git configuration", "the commit is made; nothing is executed"),
    82: Attack(
        "an agent that puts a link or a file in place of `.git` or of the repository",
        "refused or ignored; nothing outside is read",
    ),
    83: Attack("an agent that leaves a repository in the repository", "left out, and the log says so"),
    84: Attack("an output of links, pipes, devices and odd names", "not kept or not served; listed escaped"),
    85: Attack("a report or an SVG with a script that calls the API", "the browser runs no script"),
    86: Attack("another person's file", "404, the same as for one that is not there"),
    87: Attack(
        "an output of 1 GB, a line of 100 MB, binary, terminal escapes, forged events",
        "bounded and cleaned; only the driver's own stream counts",
    ),
    88: Attack(
        "a child that detaches itself, holds the pipe, ignores TERM", "dead at the limit; the task ends within 2 s"
    ),
    89: Attack("a fork storm, all memory, a full disk, a busy loop", "that task fails; the one beside it completes"),
    90: Attack("a model API that answers 401, 429, 529 or stops in the middle", "an error that says so, in time"),
    91: Attack(
        "an agent that ends without its result, with half a line, killed, with a result of 4 MB",
        "an error, never completed",
    ),
    92: Attack(
        "an agent whose every tool was refused and that says it is done",
        "completed with no files changed and the refusals named",
    ),
    93: Attack("a stop at any moment, twice, in a race with the end", "one end; 409 when it has ended"),
    94: Attack("kill -9 of the server in the middle of a run", "no process is left; the task is interrupted"),
    95: Attack("a jump of the machine's time", "the limit does not move"),
    96: Attack(
        "an agent that prints a secret, also in pieces", "the value is masked in the log; the key is not in the sandbox"
    ),
    97: Attack("two tasks on one repository at once", "a workspace and a branch for each"),
    98: Attack("a branch that the remote has already", "not pushed, never forced; an error"),
    99: Attack(
        "data files that are ragged, empty, huge, bombs, or hold formulas and numbers that are none",
        "named as unreadable or escaped; JSON without NaN",
    ),
    100: Attack(
        "a deployment with a false environment, no recipe, a failing one, an unhealthy or redirecting server",
        "400, or an error that says which",
    ),
    101: Attack("a dry run whose makefile runs commands", "only in the sandbox, without secrets"),
    102: Attack("a repository whose ruff settings read other files", "ignored"),
    103: Attack(
        "an agent that is not installed, not executable, or has no key",
        "an error within a second that says so; the list says so too",
    ),
    104: Attack("a prompt without a letter of ASCII", "a branch named by the task's number"),
    105: Attack("an agent that deletes the whole work tree", "the commit shows it; not pushed, an error entry"),
}
