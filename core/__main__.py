"""For operators: ``python -m core users|tokens|db …``; what the words do stands in ``core.operations``."""

import argparse
import sys
from collections.abc import Sequence

from core.database.roles import Role, TokenScope


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one command; 0 when done, 1 when refused, 2 when the call or the configuration is wrong."""
    given = _parser().parse_args(arguments)
    from core import operations  # only now: it loads the product, and help comes at once without

    return operations.run(given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m core", description="Operate Taskdeck.")
    groups = parser.add_subparsers(required=True, dest="group", metavar="users|tokens|db")

    users = groups.add_parser("users", help="people's accounts").add_subparsers(required=True, dest="word")
    add = users.add_parser("add", help="create an account")
    add.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input, not a prompt"
    )
    invite = users.add_parser("invite", help="create an account and print the link by which its person sets a password")
    for each in (add, invite):
        each.add_argument("username")
        each.add_argument("--email", required=True)
        each.add_argument("--name", help="the name to show; the username if left out")
        each.add_argument("--role", type=Role, choices=list(Role), default=Role.MEMBER)
    users.add_parser("list", help="username, e-mail, role and state of everybody")
    for word, does in {
        "role": "give a person another role",
        "disable": "end a person's sessions and tokens, and let them sign in no more",
        "enable": "let a disabled person sign in again",
        "reset-link": "print a one-time link by which a person sets a new password",
        "delete": "delete a person with all their tasks, logs and files",
    }.items():
        command = users.add_parser(word, help=does)
        command.add_argument("username")
        if word == "role":
            command.add_argument("role", type=Role, choices=list(Role))

    tokens = groups.add_parser("tokens", help="personal API tokens").add_subparsers(required=True, dest="word")
    create = tokens.add_parser("create", help="make a token and print it alone")
    create.add_argument("--user", required=True, help="whose token: a username")
    create.add_argument("--name", required=True, help="what it is for")
    create.add_argument("--scope", type=TokenScope, choices=list(TokenScope), default=TokenScope.WRITE)
    create.add_argument("--days", type=int, default=90, help="how long it works")

    database = groups.add_parser("db", help="the database").add_subparsers(required=True, dest="word")
    database.add_parser("upgrade", help="bring it to the newest schema")
    database.add_parser("check", help="say whether it can be served as it is")
    database.add_parser("roles", help="print the SQL that makes the roles and logins on PostgreSQL")
    copy = database.add_parser("copy", help="copy everything from SQLite to an empty PostgreSQL database")
    copy.add_argument("--from", dest="source", required=True, metavar="URL", help="sqlite:///path/to/file.db")
    copy.add_argument("--to", dest="target", required=True, metavar="URL", help="as the owner: postgresql+psycopg2://…")
    return parser


if __name__ == "__main__":
    sys.exit(main())
