"""What each command of ``python -m core`` does. Results on standard output, messages on standard error."""

import getpass
import os
import sys
import warnings
from argparse import Namespace
from uuid import UUID

from core.config import settings
from core.database import engine, schema, transfer
from core.database.models import Channel
from core.errors import ConfigurationError, InvalidInput, TaskdeckError
from core.identity import audit, links, people, tokens
from core.tasks import removal


def run(given: Namespace) -> int:
    """Do the command that is given; 0 when done, 1 when refused, 2 when the configuration is wrong."""
    os.umask(0o077)  # what is written is nobody else's on this machine to read
    audit.set_origin(Channel.CLI)
    try:
        settings()
        if given.group != "db":
            schema.prepare()
        COMMANDS[given.group, given.word](given)
    except ConfigurationError as error:
        print(error.message, file=sys.stderr)
        return 2
    except TaskdeckError as error:
        print(error.message, file=sys.stderr)
        return 1
    except (OSError, *engine.Unavailable):
        print(
            "The database cannot be opened: check DATABASE_URL, WORKER_DATABASE_URL, MIGRATION_DATABASE_URL, "
            "TASKDECK_DATA and who may write there.",
            file=sys.stderr,
        )
        return 1
    return 0


def _add_user(given: Namespace) -> None:
    typed = sys.stdin.readline().rstrip("\r\n") if given.password_stdin else _asked_password()
    name = given.name or given.username
    actor = people.add(given.username, given.email, name, typed, given.role)
    print(actor.username)


def _asked_password() -> str:
    try:
        with warnings.catch_warnings(action="error", category=getpass.GetPassWarning):  # else it would be shown
            return getpass.getpass("Password: ")
    except (EOFError, getpass.GetPassWarning):
        raise InvalidInput("There is no terminal to type a password at: use --password-stdin.") from None


def _invite(given: Namespace) -> None:
    name = given.name or given.username
    actor = people.invite(given.username, given.email, name, given.role, by=None)
    _print_link(actor.id)


def _list_users(_: Namespace) -> None:
    for one in people.accounts(by=None):
        state = "invited" if one.is_invited else "active"
        state = state if one.is_active else "disabled"
        print(one.actor.username, one.actor.email, one.actor.role, state, sep="\t")


def _set_role(given: Namespace) -> None:
    people.set_role(_known(given.username), given.role, by=None)


def _disable(given: Namespace) -> None:
    people.set_active(_known(given.username), False, by=None)


def _enable(given: Namespace) -> None:
    people.set_active(_known(given.username), True, by=None)


def _reset_link(given: Namespace) -> None:
    _print_link(_known(given.username))


def _delete_user(given: Namespace) -> None:
    removal.remove_person(_known(given.username), by=None)


def _known(username: str) -> UUID:
    known = people.account(username, by=None)
    if known is None:
        raise InvalidInput(f"There is no account {username}; see users list.")
    return known.actor.id


def _print_link(user_id: UUID) -> None:
    address, lifetime = links.make(user_id, by=None)
    print(address)
    print(f"It sets the password, once, within {lifetime}: give it to nobody else.", file=sys.stderr)


def _create_token(given: Namespace) -> None:
    actor = people.find(given.user)
    if actor is None:
        raise InvalidInput(f"There is no active person {given.user}; see users list.")
    print(tokens.create(actor, given.name, given.scope, given.days))
    print("Keep it now: it is not shown again.", file=sys.stderr)


def _upgrade(_: Namespace) -> None:
    schema.upgrade()
    print("The database has the newest schema.", file=sys.stderr)


def _check(_: Namespace) -> None:
    schema.check()
    print("The database can be served.", file=sys.stderr)


def _print_roles(_: Namespace) -> None:
    print(schema.ROLES, end="")


def _copy(given: Namespace) -> None:
    for table, rows in transfer.copy(given.source, given.target).items():
        print(table, rows, sep="\t")
    print("Everything is copied. The files stay where they are: keep TASKDECK_DATA.", file=sys.stderr)


COMMANDS = {
    ("users", "add"): _add_user,
    ("users", "invite"): _invite,
    ("users", "list"): _list_users,
    ("users", "role"): _set_role,
    ("users", "disable"): _disable,
    ("users", "enable"): _enable,
    ("users", "reset-link"): _reset_link,
    ("users", "delete"): _delete_user,
    ("tokens", "create"): _create_token,
    ("db", "upgrade"): _upgrade,
    ("db", "check"): _check,
    ("db", "roles"): _print_roles,
    ("db", "copy"): _copy,
}
