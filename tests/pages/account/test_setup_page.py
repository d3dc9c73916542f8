from streamlit.testing.v1 import AppTest

from core.identity import sessions, setup
from tests.conftest import PASSWORD
from tests.pages.conftest import Open
from tests.pages.widgets import errors, everything_kept, press


def set_up(app: AppTest, **changes: str) -> AppTest:
    typed = {"Your name": "Ada", "E-mail": "ada@example.org", "Username": "ada"}
    values = typed | dict.fromkeys(("Password", "Password, again"), PASSWORD) | changes
    for field in app.text_input:
        field.input(values[field.label])
    return press(app, "Create the account")


def setup_token() -> str:
    return (setup.link() or "").partition("token=")[2]


def test_the_setup_link_creates_an_admin_and_signs_in(open_app: Open) -> None:
    app = set_up(open_app(page="account/setup", token=setup_token()))
    assert not app.exception
    person = sessions.person(app.session_state["session_id"])
    assert person is not None
    assert (person.username, person.role) == ("ada", "admin")


def test_an_unusable_account_is_refused_with_a_sentence(open_app: Open) -> None:
    app = open_app(page="account/setup", token=setup_token())
    for changes, sentence in (
        ({"Password, again": "another one"}, "The two passwords differ"),
        ({"Password": "short", "Password, again": "short"}, "at least 10 characters"),
        ({"Username": "a b"}, "A username has"),
        ({"E-mail": "nobody"}, "not an e-mail address"),
        ({"Your name": " "}, "A name has"),
    ):
        assert sentence in errors(set_up(app, **changes))[0]
    assert setup.link() is not None


def test_a_forged_or_used_setup_link_offers_no_form(open_app: Open) -> None:
    token = setup_token()
    first = set_up(open_app(page="account/setup", token=token))
    assert token not in everything_kept(first)
    for dead in ("", "forged", "ImZpcnN0IGFkbWluIg.aaaaaa.bbbb", token):
        app = open_app(page="account/setup", token=dead)
        assert "used up or too old" in app.warning[0].value
        assert not app.text_input
