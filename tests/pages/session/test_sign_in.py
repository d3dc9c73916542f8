"""The sign-in form, and what a browser may bring along instead of a password."""

import base64
import json
from datetime import timedelta

import pytest
from itsdangerous import URLSafeSerializer
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from core.config import signing_keys
from core.database.engine import now
from core.database.models import AuthSession, Role
from core.database.ownership import Actor
from core.identity import audit, people, sessions, signin
from core.tasks import removal
from tests.conftest import PASSWORD
from tests.pages.conftest import PAGES, Connection, Open
from tests.pages.widgets import errors, is_signed_out, press, sign_in, texts, titles
from tests.support.databases import unguarded

REFUSED = [signin.REFUSED]
SQL = "' or 1=1 --"


def jwt(algorithm: str, **claims: object) -> str:
    parts = ({"alg": algorithm, "typ": "JWT"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("ada", "wrong password"),
        ("eve", PASSWORD),
        ("", ""),
        ("ada", ""),
        ("ada", "x" * 100),
        pytest.param(SQL, SQL, marks=pytest.mark.attack(53)),
        pytest.param("ada", SQL, marks=pytest.mark.attack(53)),
    ],
)
def test_every_wrong_pair_gets_the_same_answer(open_app: Open, ada: Actor, username: str, password: str) -> None:
    app = sign_in(open_app(), username, password)
    assert errors(app) == REFUSED
    assert is_signed_out(app)
    assert "session_id" not in app.session_state


def test_the_answer_to_a_wrong_pair_goes_with_the_next_run(open_app: Open, ada: Actor) -> None:
    app = sign_in(open_app(), "ada", "wrong password")
    assert errors(app.run()) == []


def test_the_form_can_be_filled_by_a_password_manager(open_app: Open, ada: Actor) -> None:
    app = open_app()
    assert titles(app) == ["Sign in"]
    fields = [(field.label, field.proto.autocomplete, field.proto.type) for field in app.text_input]
    kinds = app.text_input[0].proto
    assert fields == [
        ("Username", "username", kinds.DEFAULT),
        ("Password", "current-password", kinds.PASSWORD),
    ]
    assert app.get("form")[0].proto.form.enter_to_submit
    assert "Lost your password? Ask an administrator for a link." in texts(app)


@pytest.mark.attack(44)
def test_a_locked_name_gets_the_same_answer_with_the_right_password(open_app: Open, ada: Actor) -> None:
    app = open_app()
    for _ in range(5):
        sign_in(app, "ada", "wrong password")
    assert errors(sign_in(app, "ada", PASSWORD)) == REFUSED


@pytest.mark.attack(11)
def test_a_disabled_person_is_out_of_the_open_tab_and_cannot_come_back(open_app: Open, ada: Actor) -> None:
    app = open_app(ada)
    people.set_active(ada.id, False, by=None)
    assert is_signed_out(app.run())
    assert errors(sign_in(app, "ada", PASSWORD)) == REFUSED


@pytest.mark.attack(12)
def test_a_deleted_person_is_out_of_the_open_tab_and_cannot_come_back(open_app: Open, ada: Actor, bob: Actor) -> None:
    people.set_role(bob.id, Role.ADMIN, by=None)
    app = open_app(ada)
    removal.remove_person(ada.id, by=None)
    assert is_signed_out(app.run())
    assert errors(sign_in(app, "ada", PASSWORD)) == REFUSED


def test_whoever_is_disabled_between_password_and_session_gets_the_same_answer(
    open_app: Open, ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove = people.prove

    def prove_too_early(username: str, password: str) -> object:
        proven = prove(username, password)
        people.set_active(ada.id, False, by=None)
        return proven

    app = open_app()
    monkeypatch.setattr(people, "prove", prove_too_early)
    assert errors(sign_in(app, "ada", PASSWORD)) == REFUSED
    assert is_signed_out(app)


@pytest.mark.attack(19)
@pytest.mark.parametrize(
    "forged",
    [
        {"authentication_status": True, "username": "ada", "name": "Ada", "roles": ["admin"]},
        {"authentication_status": True, "session_id": None},
        {"authentication_status": True, "session_id": "ada", "connection": None},
    ],
)
def test_a_forged_state_opens_nothing(open_app: Open, ada: Actor, forged: dict[str, object]) -> None:
    app = AppTest.from_file(PAGES / "navigation.py", default_timeout=20)
    for name, value in forged.items():
        app.session_state[name] = value
    assert is_signed_out(app.run())


def garbage() -> list:
    signed = URLSafeSerializer("a" * 40, salt="taskdeck.cookie").dumps("0" * 32)
    made = [
        pytest.param(jwt("none", sub="ada", username="ada"), marks=pytest.mark.attack(1), id="alg none"),
        pytest.param(signed, marks=pytest.mark.attack(2), id="another key"),
    ]
    for name, value in (
        ("5 kB", "x" * 5_000),
        ("empty", ""),
        ("dots", ".."),
        ("NUL", "a\0b"),
        ("not ASCII", "käse.ß"),
        ("a lone surrogate", "\ud800"),
    ):
        made.append(pytest.param(value, marks=pytest.mark.attack(8), id=name))
    return made


@pytest.mark.parametrize("cookie", garbage())
def test_a_cookie_that_is_not_ours_leads_to_the_form_and_the_form_works(
    open_app: Open, ada: Actor, connection: Connection, cookie: str
) -> None:
    connection.cookie = cookie
    app = open_app()
    assert is_signed_out(app)
    assert "Tasks" in titles(sign_in(app, "ada", PASSWORD))


@pytest.mark.attack(5, 7)
@pytest.mark.parametrize("said", ["ada", 7, None, {"username": "ada", "exp_date": 9e9}, "0" * 32])
def test_our_signature_over_something_else_opens_nothing(
    open_app: Open, ada: Actor, connection: Connection, said: object
) -> None:
    connection.cookie = URLSafeSerializer(signing_keys(), salt="taskdeck.cookie").dumps(said)
    assert is_signed_out(open_app())


@pytest.mark.attack(9)
def test_a_cookie_that_was_copied_before_the_sign_out_opens_nothing(
    open_app: Open, ada: Actor, connection: Connection
) -> None:
    app = sign_in(open_app(), "ada", PASSWORD)
    connection.cookie = sessions.redeem(app.session_state["ticket"])
    assert "Tasks" in titles(open_app())
    press(app, "Sign out")
    assert is_signed_out(open_app())


@pytest.mark.attack(4)
def test_a_session_whose_time_is_over_opens_nothing(open_app: Open, ada: Actor, connection: Connection) -> None:
    app = sign_in(open_app(), "ada", PASSWORD)
    connection.cookie = sessions.redeem(app.session_state["ticket"])
    with unguarded() as session:
        session.execute(update(AuthSession).values(expires_at=now() - timedelta(seconds=1)))
    assert is_signed_out(app.run())
    assert is_signed_out(open_app())


@pytest.mark.attack(59)
@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("http://tasks.lan:8501/", True),
        ("http://192.0.2.7/", True),
        ("https://tasks.example.org/", False),
        ("http://localhost:8501/", False),
        ("http://127.0.0.1:8501/", False),
        ("http://[::1]:8501/", False),
    ],
)
def test_a_page_without_encryption_from_another_machine_warns_and_works(
    open_app: Open, ada: Actor, address: str, warned: bool
) -> None:
    app = open_app()
    app.context["url"] = address
    app.run()
    assert any("without encryption" in warning.value for warning in app.warning) is warned
    sign_in(app, "ada", PASSWORD)
    assert "Tasks" in titles(app)
    app.switch_page("account/account.py").run()
    assert any("without encryption" in warning.value for warning in app.warning) is warned


def test_sign_ins_and_failures_are_in_the_trail_with_way_and_address(open_app: Open, ada: Actor) -> None:
    people.set_role(ada.id, Role.ADMIN, by=None)
    app = sign_in(open_app(), "ada", "wrong password")
    sign_in(app, "ada", PASSWORD)
    begun, refused = audit.page(ada, kinds=[audit.Kind.SIGNED_IN, audit.Kind.REFUSED])
    assert [(event.way, event.address, event.subject) for event in (begun, refused)] == [("ui", "192.0.2.1", "ada")] * 2
    assert begun.detail == "password"
