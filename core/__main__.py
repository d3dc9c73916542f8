"""For operators: ``python -m core users|tokens|db …``. Results on standard output, messages on standard error."""

import argparse
import getpass
import os
import sys
from collections.abc import Sequence
from typing import Any

from core import db, schema, transfer
from core.auth import people, tokens
from core.config import settings
from core.errors import ConfigurationError, InvalidInput, TaskdeckError
from core.models import Role, TokenScope


def main(argv: Sequence[str] | None = None) -> int:
    """Do one command; 0 when done, 1 when refused, 2 when the call or the configuration is wrong."""
    arguments = _parser().parse_args(argv)
    os.umask(0o077)  # what is written is nobody else's on this machine to read
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
    except (OSError, *db.Unavailable):
        print(
            "The database cannot be opened: check DATABASE_URL, WORKER_DATABASE_URL, MIGRATION_DATABASE_URL, "
            "TASKDECK_DATA and who may write there.",
            file=sys.stderr,
        )
        return 1
    return 0


def _add_user(arguments: argparse.Namespace) -> None:
    typed = sys.stdin.readline().rstrip("\r\n") if arguments.password_stdin else getpass.getpass("Password: ")
    name = arguments.name or arguments.username
    actor = people.add(arguments.username, arguments.email, name, typed, arguments.role)
    print(actor.username)


def _list_users(_: argparse.Namespace) -> None:
    for actor, is_active in people.everyone():
        print(actor.username, actor.email, actor.role, "active" if is_active else "disabled", sep="\t")


def _create_token(arguments: argparse.Namespace) -> None:
    actor = people.find(arguments.user)
    if actor is None:
        raise InvalidInput(f"There is no active person {arguments.user}; see users list.")
    print(tokens.create(actor, arguments.name, arguments.scope))
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

    users = groups.add_parser("users", help="people's accounts").add_subparsers(required=True, metavar="add|list")
    add = users.add_parser("add", help="create an account")
    add.add_argument("username")
    add.add_argument("--email", required=True)
    add.add_argument("--name", help="the name to show; the username if left out")
    add.add_argument("--role", type=Role, choices=list(Role), default=Role.MEMBER)
    add.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input, not a prompt"
    )
    add.set_defaults(act=_add_user)
    users.add_parser("list", help="username, e-mail, role and state of everybody").set_defaults(act=_list_users)

    token = groups.add_parser("tokens", help="personal API tokens").add_subparsers(required=True, metavar="create")
    create = token.add_parser("create", help="make a token and print it alone")
    create.add_argument("--user", required=True, help="whose token: a username")
    create.add_argument("--name", required=True, help="what it is for")
    create.add_argument("--scope", type=TokenScope, choices=list(TokenScope), default=TokenScope.WRITE)
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
