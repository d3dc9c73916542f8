"""For operators: ``python -m core users|tokens|db …``. Results on standard output, messages on standard error."""

import argparse
import getpass
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from core.config import settings
from core.database import engine, schema, transfer
from core.database.models import Channel, Role, TokenScope
from core.errors import ConfigurationError, InvalidInput, TaskdeckError
from core.identity import audit, links, people, tokens
from core.tasks import removal


def main(argv: Sequence[str] | None = None) -> int:
    """Do one command; 0 when done, 1 when refused, 2 when the call or the configuration is wrong."""
    arguments = _parser().parse_args(argv)
    os.umask(0o077)  # what is written is nobody else's on this machine to read
    audit.set_origin(Channel.CLI)
    try:
        settings()
        arguments.prepare()
        arguments.act(arguments)
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


def _add_user(arguments: argparse.Namespace) -> None:
    typed = sys.stdin.readline().rstrip("\r\n") if arguments.password_stdin else _asked_password()
    name = arguments.name or arguments.username
    actor = people.add(arguments.username, arguments.email, name, typed, arguments.role)
    print(actor.username)


def _asked_password() -> str:
    try:
        with warnings.catch_warnings(action="error", category=getpass.GetPassWarning):  # else it would be shown
            return getpass.getpass("Password: ")
    except (EOFError, getpass.GetPassWarning):
        raise InvalidInput("There is no terminal to type a password at: use --password-stdin.") from None


def _invite(arguments: argparse.Namespace) -> None:
    name = arguments.name or arguments.username
    actor = people.invite(arguments.username, arguments.email, name, arguments.role, by=None)
    _print_link(actor.id)


def _list_users(_: argparse.Namespace) -> None:
    for one in people.accounts(by=None):
        state = "invited" if one.is_invited else "active"
        state = state if one.is_active else "disabled"
        print(one.actor.username, one.actor.email, one.actor.role, state, sep="\t")


def _set_role(arguments: argparse.Namespace) -> None:
    people.set_role(_known(arguments.username), arguments.role, by=None)


def _disable(arguments: argparse.Namespace) -> None:
    people.set_active(_known(arguments.username), False, by=None)


def _enable(arguments: argparse.Namespace) -> None:
    people.set_active(_known(arguments.username), True, by=None)


def _reset_link(arguments: argparse.Namespace) -> None:
    _print_link(_known(arguments.username))


def _delete_user(arguments: argparse.Namespace) -> None:
    removal.remove_person(_known(arguments.username), by=None)


def _known(username: str) -> UUID:
    known = people.account(username)
    if known is None:
        raise InvalidInput(f"There is no account {username}; see users list.")
    return known.actor.id


def _print_link(user_id: UUID) -> None:
    address, lifetime = links.make(user_id, by=None)
    print(address)
    print(f"It sets the password, once, within {lifetime}: give it to nobody else.", file=sys.stderr)


def _create_token(arguments: argparse.Namespace) -> None:
    actor = people.find(arguments.user)
    if actor is None:
        raise InvalidInput(f"There is no active person {arguments.user}; see users list.")
    print(tokens.create(actor, arguments.name, arguments.scope, arguments.days))
    print("Keep it now: it is not shown again.", file=sys.stderr)


def _upgrade(_: argparse.Namespace) -> None:
    schema.upgrade()
    print("The database has the newest schema.", file=sys.stderr)


def _check(_: argparse.Namespace) -> None:
    schema.check()
    print("The database can be served.", file=sys.stderr)


def _print_roles(_: argparse.Namespace) -> None:
    print(schema.ROLES, end="")


def _copy(arguments: argparse.Namespace) -> None:
    for table, rows in transfer.copy(arguments.source, arguments.target).items():
        print(table, rows, sep="\t")
    print("Everything is copied. The files stay where they are: keep TASKDECK_DATA.", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m core", description="Operate Taskdeck.")
    parser.set_defaults(prepare=schema.prepare)
    groups = parser.add_subparsers(required=True, metavar="users|tokens|db")

    words = "add|invite|list|role|disable|enable|reset-link|delete"
    users = groups.add_parser("users", help="people's accounts").add_subparsers(required=True, metavar=words)
    add = users.add_parser("add", help="create an account")
    add.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input, not a prompt"
    )
    add.set_defaults(act=_add_user)
    invite = users.add_parser("invite", help="create an account and print the link by which its person sets a password")
    invite.set_defaults(act=_invite)
    for each in (add, invite):
        each.add_argument("username")
        each.add_argument("--email", required=True)
        each.add_argument("--name", help="the name to show; the username if left out")
        each.add_argument("--role", type=Role, choices=list(Role), default=Role.MEMBER)
    users.add_parser("list", help="username, e-mail, role and state of everybody").set_defaults(act=_list_users)
    for word, act, said in (
        ("role", _set_role, "give a person another role"),
        ("disable", _disable, "end a person's sessions and tokens, and let them sign in no more"),
        ("enable", _enable, "let a disabled person sign in again"),
        ("reset-link", _reset_link, "print a one-time link by which a person sets a new password"),
        ("delete", _delete_user, "delete a person with all their tasks, logs and files"),
    ):
        command = users.add_parser(word, help=said)
        command.add_argument("username")
        command.set_defaults(act=act)
        if word == "role":
            command.add_argument("role", type=Role, choices=list(Role))

    token = groups.add_parser("tokens", help="personal API tokens").add_subparsers(required=True, metavar="create")
    create = token.add_parser("create", help="make a token and print it alone")
    create.add_argument("--user", required=True, help="whose token: a username")
    create.add_argument("--name", required=True, help="what it is for")
    create.add_argument("--scope", type=TokenScope, choices=list(TokenScope), default=TokenScope.WRITE)
    create.add_argument("--days", type=int, default=tokens.DAYS, help="how long it works")
    create.set_defaults(act=_create_token)

    database = groups.add_parser("db", help="the database").add_subparsers(
        required=True, metavar="upgrade|check|roles|copy"
    )
    nothing: dict[str, Any] = {"prepare": lambda: None}
    database.add_parser("upgrade", help="bring it to the newest schema").set_defaults(act=_upgrade, **nothing)
    database.add_parser("check", help="say whether it can be served as it is").set_defaults(act=_check, **nothing)
    roles = database.add_parser("roles", help="print the SQL that makes the roles and logins on PostgreSQL")
    roles.set_defaults(act=_print_roles, **nothing)
    copy = database.add_parser("copy", help="copy everything from SQLite to an empty PostgreSQL database")
    copy.add_argument("--from", dest="source", required=True, metavar="URL", help="sqlite:///path/to/file.db")
    copy.add_argument("--to", dest="target", required=True, metavar="URL", help="as the owner: postgresql+psycopg2://…")
    copy.set_defaults(act=_copy, **nothing)
    return parser


if __name__ == "__main__":
    sys.exit(main())
