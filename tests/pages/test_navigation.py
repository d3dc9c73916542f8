import pytest
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from core.auth import sessions, setup
from core.ownership import Actor
from tests.conftest import PASSWORD
from tests.pages.conftest import PAGES, Open


def texts(app: AppTest) -> str:
    elements = [*app.title, *app.header, *app.markdown, *app.error, *app.info, *app.warning, *app.caption]
    return "\n".join(element.value for element in elements)


def sign_in(app: AppTest, username: str, password: str) -> AppTest:
    app.text_input[0].input(username)
    app.text_input[1].input(password)
    return app.button[0].click().run()


def test_nobody_sees_a_task_before_signing_in(open_app: Open) -> None:
    app = open_app()
    assert not app.exception
    assert [field.label for field in app.text_input] == ["Username", "Password"]
    assert "Open the setup link" in texts(app)


def test_the_right_password_leads_to_the_tasks(open_app: Open, ada: Actor) -> None:
    app = sign_in(open_app(), " ADA ", PASSWORD)
    assert not app.exception
    assert "Tasks" in [title.value for title in app.title]
    assert app.session_state["username"] == "ada"
    assert sessions.person(app.session_state["session_id"]) == ada


@pytest.mark.parametrize(
    ("username", "password"), [("ada", "wrong password"), ("eve", PASSWORD), ("", ""), ("ada", "x" * 100)]
)
def test_every_wrong_pair_gets_the_same_answer(open_app: Open, ada: Actor, username: str, password: str) -> None:
    app = sign_in(open_app(), username, password)
    assert [error.value for error in app.error] == ["The username or the password is not right."]
    assert "session_id" not in app.session_state


def test_a_forged_authentication_status_opens_nothing(open_app: Open, ada: Actor) -> None:
    app = AppTest.from_file(PAGES / "navigation.py")
    app.session_state["authentication_status"] = True
    app.session_state["username"] = "ada"
    app.run()
    assert "Tasks" not in [title.value for title in app.title]


def test_signing_out_revokes_the_session_and_leaves_nothing_in_the_tab(open_app: Open, ada: Actor) -> None:
    app = open_app(ada)
    session_id = app.session_state["session_id"]
    app.session_state["prompt"] = "Ada's draft"
    next(button for button in app.sidebar.button if button.label == "Sign out").click()
    app.run()
    assert sessions.person(session_id) is None
    assert "session_id" not in app.session_state
    assert "prompt" not in app.session_state
    assert [field.label for field in app.text_input] == ["Username", "Password"]


def test_a_session_that_was_ended_elsewhere_is_out_at_the_next_run(open_app: Open, ada: Actor) -> None:
    app = open_app(ada)
    sessions.end(app.session_state["session_id"])
    app.run()
    assert [field.label for field in app.text_input] == ["Username", "Password"]


def set_up(app: AppTest, **changes: str) -> AppTest:
    values = {
        "Your name": "Ada",
        "E-mail": "ada@example.org",
        "Username": "ada",
        "Password": PASSWORD,
        "Password, again": PASSWORD,
    } | changes
    for field in app.text_input:
        field.input(values[field.label])
    return next(button for button in app.button if button.label == "Create the account").click().run()


def setup_token() -> str:
    return (setup.link() or "").partition("token=")[2]


def test_the_setup_link_creates_an_admin_and_signs_in(open_app: Open) -> None:
    app = set_up(open_app(page="setup", token=setup_token()))
    assert not app.exception
    person = sessions.person(app.session_state["session_id"])
    assert person is not None
    assert (person.username, person.role) == ("ada", "admin")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"Password, again": "another one"}, "The two passwords differ"),
        ({"Password": "short", "Password, again": "short"}, "at least 10 characters"),
        ({"Username": "a b"}, "A username has"),
        ({"E-mail": "nobody"}, "not an e-mail address"),
        ({"Your name": " "}, "A name has"),
    ],
)
def test_an_unusable_account_is_refused_with_a_sentence(open_app: Open, changes: dict[str, str], sentence: str) -> None:
    app = set_up(open_app(page="setup", token=setup_token()), **changes)
    assert sentence in app.error[0].value
    assert setup.link() is not None


@pytest.mark.parametrize("token", ["", "forged", "ImZpcnN0IGFkbWluIg.aaaaaa.bbbb"])
def test_a_forged_setup_link_offers_no_form(open_app: Open, token: str) -> None:
    app = open_app(page="setup", token=token)
    assert "used up or too old" in app.warning[0].value
    assert not app.text_input


def test_a_used_setup_link_offers_no_form(open_app: Open) -> None:
    token = setup_token()
    set_up(open_app(page="setup", token=token))
    app = open_app(page="setup", token=token)
    assert "used up or too old" in app.warning[0].value


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The headers and cookies of the websocket, which AppTest does not have."""
    facts: dict[str, str] = {}
    headers = property(lambda _: {"Sec-Websocket-Key": facts.get("key")})
    monkeypatch.setattr(ContextProxy, "headers", headers)
    monkeypatch.setattr(ContextProxy, "cookies", property(lambda _: {sessions.COOKIE: facts.get("cookie", "")}))
    return facts


def test_a_tabs_state_is_worth_nothing_on_another_connection_without_the_cookie(
    open_app: Open, ada: Actor, connection: dict[str, str]
) -> None:
    connection["key"] = "the first"
    app = sign_in(open_app(), "ada", PASSWORD)
    assert "Tasks" in [title.value for title in app.title]
    connection["key"] = "a thief"
    app.run()
    assert [field.label for field in app.text_input] == ["Username", "Password"]


def test_a_reconnect_with_the_cookie_goes_on(open_app: Open, ada: Actor, connection: dict[str, str]) -> None:
    connection["key"] = "the first"
    app = sign_in(open_app(), "ada", PASSWORD)
    connection["cookie"] = sessions.redeem(app.session_state["ticket"])
    connection["key"] = "after a pause"
    app.run()
    assert "Tasks" in [title.value for title in app.title]
    connection["cookie"] = ""
    app.run()
    assert "Tasks" in [title.value for title in app.title]
