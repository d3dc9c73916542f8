"""The commands as an operator runs them: real processes on the test's own database."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.__main__ import main
from core.database.models import Role, TokenScope
from core.database.ownership import Actor
from core.identity import people, tokens
from tests.conftest import PASSWORD
from tests.core.identity.trail import verify
from tests.support.databases import Database

ROOT = Path(people.__file__).parents[2]


def run(*arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "core", *arguments],
        cwd=ROOT,
        env=os.environ | env,
        input=stdin,
        capture_output=True,
        text=True,
        start_new_session=True,  # it has no terminal to ask at
    )


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\nnot this line\n"])
def test_users_add_takes_the_password_from_standard_input(ending: str) -> None:
    done = run(
        *("users", "add", "Ada", "--email", "ada@example.org", "--name", "Ada L", "--role", "analyst"),
        "--password-stdin",
        stdin=PASSWORD + ending,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ada\n", "")
    person = verify("ada", PASSWORD)
    assert person
    assert (person.name, person.role) == ("Ada L", Role.ANALYST)


def test_users_list_has_a_line_for_each_account(ada: Actor, bob: Actor) -> None:
    done = run("users", "list")
    assert done.returncode == 0
    assert done.stdout == "ada\tada@example.org\tmember\tactive\nbob\tbob@example.org\tmember\tactive\n"


def test_tokens_create_prints_the_token_alone_and_the_advice_beside_it(ada: Actor) -> None:
    done = run("tokens", "create", "--user", "ADA", "--name", "laptop", "--scope", "read")
    assert (done.returncode, done.stderr) == (0, "Keep it now: it is not shown again.\n")
    known = tokens.person(done.stdout.removesuffix("\n"))
    assert known
    assert (known.actor, known.scope) == (ada, TokenScope.READ)


def test_db_upgrade_makes_an_empty_database_usable(tmp_path: Path, database: Database) -> None:
    environment = {"TASKDECK_DATA": str(tmp_path / "new")} | database.empty()
    done = run("db", "upgrade", **environment)
    assert (done.returncode, done.stdout) == (0, "")
    people = run("users", "list", **environment)
    assert (people.returncode, people.stdout, people.stderr) == (0, "", "")
    database.drop(environment)


@pytest.mark.usefixtures("sqlite_file")
@pytest.mark.parametrize(
    ("arguments", "stdin", "sentence"),
    [
        (("users", "add", "b", "--email", "b@example.org", "--password-stdin"), "short\n", "at least 10 characters"),
        (("users", "add", "b", "--email", "b@example.org", "--password-stdin"), "", "at least 10 characters"),
        (("users", "add", "b", "--email", "b", "--password-stdin"), PASSWORD, "not an e-mail address"),
        (("users", "add", "ADA", "--email", "b@example.org", "--password-stdin"), PASSWORD, "already in use"),
        (("tokens", "create", "--user", "nobody", "--name", "x"), "", "no active person nobody"),
        (("tokens", "create", "--user", "ada", "--name", " "), "", "A token's name"),
    ],
)
def test_a_refusal_is_one_sentence_on_standard_error_and_exit_status_1(
    arguments: tuple[str, ...], stdin: str, sentence: str, ada: Actor
) -> None:
    done = run(*arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("url", ["sqlite:////dev/null/x.db", "sqlite:////proc"])
def test_a_database_that_cannot_be_opened_is_one_sentence_too(url: str) -> None:
    done = run("db", "upgrade", DATABASE_URL=url, WORKER_DATABASE_URL="", MIGRATION_DATABASE_URL="")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr[-300:]


@pytest.mark.no_database
def test_a_bad_configuration_is_exit_status_2_and_does_not_show_the_value() -> None:
    done = run("users", "list", TASKDECK_SECRET="hunter2-too-short")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "TASKDECK_SECRET: must be at least 32 bytes long.\n"


@pytest.mark.no_database
@pytest.mark.parametrize(
    "arguments",
    [
        *((), ("users",), ("users", "add"), ("nothing",), ("users", "add", "x", "--email", "e", "--role", "king")),
        *(("users", word) for word in ("invite", "role", "disable", "enable", "reset-link", "delete")),
        *(("users", "role", "ada"), ("users", "role", "ada", "king"), ("users", "invite", "x"), ("tokens", "create")),
        ("tokens", "create", "--user", "ada", "--name", "x", "--days", "many"),
    ],
)
def test_a_wrong_call_is_exit_status_2_with_the_usage(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    done = capsys.readouterr()
    assert (left.value.code, done.out) == (2, "")
    assert done.err.startswith("usage: python -m core")


@pytest.mark.no_database
@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "{users,tokens,db}"),
        (("users",), "create an account"),
        (("users", "add"), "--password-stdin"),
        (("users", "list"), "usage: python -m core users list"),
        (("users",), "{add,invite,list,role,disable,enable,reset-link,delete}"),
        (("users",), "with all their tasks, logs and files"),
        (("users", "invite"), "--email"),
        (("users", "role"), "{member,analyst,admin}"),
        (("users", "disable"), "usage: python -m core users disable"),
        (("users", "enable"), "usage: python -m core users enable"),
        (("users", "reset-link"), "usage: python -m core users reset-link"),
        (("users", "delete"), "usage: python -m core users delete"),
        (("tokens",), "print it alone"),
        (("tokens", "create"), "--scope"),
        (("tokens", "create"), "--days"),
        (("db",), "newest schema"),
        (("db", "upgrade"), "usage: python -m core db upgrade"),
    ],
)
def test_every_command_has_help(arguments: tuple[str, ...], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([*arguments, "--help"])
    done = capsys.readouterr()
    assert (left.value.code, done.err) == (0, "")
    assert word in done.out


@pytest.mark.no_database
def test_the_command_itself_is_a_process_with_help_and_usage() -> None:
    assert run("users", "--help").stdout.startswith("usage: python -m core users")
    assert run("nothing").returncode == 2
