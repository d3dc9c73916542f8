"""Who has an account, and inviting somebody; one person's account."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest
from streamlit.testing.v1 import AppTest

from core.database.models import Role
from core.database.ownership import Actor
from core.identity import audit, links, people, sessions, tokens
from core.tasks import commands, listing, removal
from tests.pages.conftest import Open
from tests.pages.widgets import (
    buttons,
    captions,
    errors,
    everything_kept,
    fill,
    html,
    is_signed_out,
    press,
    texts,
    titles,
    toasts,
)
from tests.pages.widgets import links as links_of

Show = Callable[[str], AppTest]


def invite(app: AppTest, name: str, username: str, email: str) -> AppTest:
    fill(press(app, "Invite a person…"), Name=name, Username=username)
    next(field for field in app.text_input if field.label == "E-mail").input(email)
    return press(app, "Invite a person…", "Invite")


@pytest.fixture
def show(as_grace: Open) -> Callable[[str], AppTest]:
    """Open somebody's page as an administrator."""
    return lambda username: as_grace("admin/person", username=username)


def state(username: str) -> people.Account:
    account = people.account(username, by=None)
    assert account
    return account


def test_everybody_is_listed_with_role_and_state(as_grace: Open, grace: Actor, ada: Actor, bob: Actor) -> None:
    people.invite("dan", "dan@example.org", "Dan", Role.ANALYST, by=grace)
    people.set_active(bob.id, False, by=grace)
    app = as_grace("admin/people")
    assert links_of(app) == ["Ada", "Bob", "Dan", "Grace"]
    assert "Signed in as **Grace** · Administrator" in captions(app)
    shown = html(app)
    for said in ("ada@example.org", "Administrator", "Analyst", "Member", "Active", "Invited", "Disabled"):
        assert f">{said}<" in shown
    assert "last seen just now" in shown and "never signed in" in shown
    assert not app.text_input, "so few need no search"


def test_many_people_are_searched_by_name_username_or_address_and_more_than_fit_are_shown_when_asked_for(
    as_grace: Open, grace: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(11):
        people.invite(f"user{number}", f"u{number}@example.org", f"Person {number}", by=grace)
    app = as_grace("admin/people")
    assert len(links_of(app)) == 12
    assert links_of(fill(app, Search="PERSON 7").run()) == ["Person 7"]
    assert links_of(fill(app, Search="u3@").run()) == ["Person 3"]
    assert links_of(as_grace("admin/people", find="user5")) == ["Person 5"]
    assert "Nobody matches" in html(fill(app, Search="' or 1=1 --").run())
    account = people.accounts(by=grace)[0]
    others = [replace(account, actor=replace(account.actor, id=uuid4(), name=f"P{number}")) for number in range(60)]
    monkeypatch.setattr(people, "accounts", lambda **_: others)
    app = as_grace("admin/people")
    assert len(links_of(app)) == 50
    assert len(links_of(press(app, "Show more (50 of 60)"))) == 60


def test_an_invitation_gives_a_link_once_and_nobody_keeps_it(as_grace: Open) -> None:
    app = as_grace("admin/people")
    assert "You are alone here" in html(app)
    invite(app, "Dan", "Dan", "DAN@example.org")
    (link,) = (element.value for element in app.code)
    assert "for 7 days" in texts(app)
    assert (offer := links.look(link.partition("token=")[2]))
    assert (offer.actor.username, offer.actor.role, offer.is_invitation) == ("dan", Role.MEMBER, True)
    assert link not in everything_kept(app)
    press(app, "Done")
    assert not app.code
    assert links_of(app) == ["Dan", "Grace"]


@pytest.mark.attack(53, 55)
def test_an_unusable_invitation_is_refused_with_a_sentence(as_grace: Open, ada: Actor) -> None:
    app = as_grace("admin/people")
    for name, username, email, sentence in (
        ("Ada", "ADA", "other@example.org", "already in use"),
        ("Ada", "other", "ADA@example.org", "already in use"),
        ("", "dan", "dan@example.org", "A name has"),
        ("Dan", "", "", "A username has"),
        ("Dan", "' or 1=1 --", "d@example.org", "A username has"),
        ("Dan", "dan", "' or 1=1 --", r"not an e\-mail address"),
        ("Dan", "dan", "dan@example.org\nBcc: x", r"not an e\-mail address"),
    ):
        assert sentence in errors(invite(app, name, username, email))[0]
        assert not app.code
    assert len(people.accounts(by=None)) == 2


def test_a_role_is_changed_after_a_warning_and_signs_out(show: Show, open_app: Open, ada: Actor) -> None:
    hers, app = open_app(ada), press(show("ada"), "Change the role…")
    assert "signs **Ada** out everywhere" in texts(app) and not app.warning
    app.radio[0].set_value(Role.ANALYST)
    press(app, "Change the role…", "Change the role")
    assert toasts(app) == ["Ada is analyst now."] and state("ada").actor.role is Role.ANALYST
    assert is_signed_out(hers.run())


def test_the_last_administrator_cannot_be_lowered_disabled_or_deleted_and_another_is_out_at_once(
    show: Show, ada: Actor
) -> None:
    app = show("grace")
    assert "Delete…" not in buttons(app)
    assert "Only another administrator can delete it" in app.info[0].value
    press(app, "Change the role…")
    assert "This is your own account" in app.warning[0].value
    app.radio[0].set_value(Role.MEMBER)
    assert "no active administrator" in errors(press(app, "Change the role…", "Change the role"))[0]
    app = press(show("grace"), "Disable…")
    assert "You are signed out at once" in app.warning[0].value
    assert "no active administrator" in errors(press(app, "Disable…", "Disable the account"))[0]
    assert (state("grace").actor.role, state("grace").is_active) == (Role.ADMIN, True)
    people.set_role(ada.id, Role.ADMIN, by=None)
    app = press(show("grace"), "Change the role…")
    app.radio[0].set_value(Role.MEMBER)
    assert is_signed_out(press(app, "Change the role…", "Change the role"))


@pytest.mark.attack(11)
def test_disabling_says_what_follows_and_enabling_takes_it_back(show: Show, open_app: Open, ada: Actor) -> None:
    hers, token = open_app(ada), tokens.create(ada, "script")
    app = press(show("ada"), "Disable…")
    assert "API tokens stop working" in texts(app)
    press(app, "Disable…", "Disable the account")
    assert toasts(app) == ["Ada is disabled."] and "Disabled" in html(app)
    assert is_signed_out(hers.run()) and tokens.person(token) is None
    assert "Reset link…" not in buttons(app), "a disabled account's link would be dead"
    press(app, "Enable…", "Enable the account")
    assert tokens.person(token) and is_signed_out(hers.run())


def test_a_reset_link_is_made_after_a_question_and_shown_once(show: Show, grace: Actor, ada: Actor) -> None:
    app = press(show("ada"), "Reset link…")
    assert not app.code
    assert audit.page(grace, kinds=[audit.Kind.LINK_MADE]) == []
    press(app, "Reset link…", "Make a link")
    (link,) = (element.value for element in app.code)
    assert "for an hour" in texts(app)
    assert link not in everything_kept(app)
    assert (offer := links.look(link.partition("token=")[2]))
    assert (offer.actor, offer.is_invitation) == (ada, False)
    press(app, "Done")
    assert not app.code
    people.invite("dan", "dan@example.org", "Dan", by=grace)
    app = press(show("dan"), "New invitation link…")
    assert "chooses a first password" in texts(app)
    assert "for 7 days" in texts(press(app, "New invitation link…", "Make a link"))


@pytest.mark.attack(12)
def test_deleting_counts_the_tasks_asks_for_the_name_and_deletes_all_of_it(
    show: Show, open_app: Open, grace: Actor, ada: Actor, bob: Actor
) -> None:
    for prompt in ("one secret", "two secret"):
        commands.create(ada, prompt=prompt, agent="data-processor")
    commands.create(bob, prompt="his own", agent="data-processor")
    hers, app = open_app(ada), press(show("ada"), "Delete…")
    assert "**2 tasks** with logs and files" in texts(app)
    assert "secret" not in texts(app), "an administrator sees how many, not which"
    app.text_input[0].input("bob")
    assert "That is not the username" in errors(press(app, "Delete…", "Delete the account"))[0]
    assert state("ada")
    app = press(show("ada"), "Delete…")
    app.text_input[0].input(" Ada ")
    press(app, "Delete…", "Delete the account")
    assert toasts(app) == ["The account of Ada is deleted."]
    assert (titles(app), links_of(app)) == (["People"], ["Bob", "Grace"])
    assert people.account("ada", by=None) is None
    assert listing.count_of(grace, bob.id) == 1
    assert is_signed_out(hers.run())


def test_an_account_that_is_not_there_or_goes_while_its_question_is_open_is_said_so(
    show: Show, grace: Actor, ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for username in ("", "nobody", "' or 1=1 --", "\x00", "x" * 5_000):
        assert titles(show(username)) == ["No such account"]
    known, app = state("ada"), press(show("ada"), "Disable…")
    removal.remove_person(ada.id, by=grace)
    monkeypatch.setattr(people, "account", lambda *_, **__: known)
    assert "no such account any more" in errors(press(app, "Disable…", "Disable the account"))[0]


def test_nobody_but_an_administrator_acts_however_the_page_was_reached(as_ada: Open, grace: Actor, ada: Actor) -> None:
    people.set_role(ada.id, Role.ADMIN, by=grace)
    app = press(as_ada("admin/person", username="grace"), "Disable…")
    people.set_role(ada.id, Role.MEMBER, by=grace)
    app.session_state["session_id"] = sessions.start(people.find("ada"))
    press(app, "Disable…", "Disable the account")
    assert titles(app) == ["Not for you"]
    assert state("grace").is_active


@pytest.mark.attack(55)
def test_names_are_text_and_no_markup(as_grace: Open, show: Show, grace: Actor) -> None:
    people.invite("eve", "eve@example.org", "<script>alert(1)</script> **x** [y](javascript:z)", by=grace)
    escaped = r"\<script\>alert\(1\)\</script\> \*\*x\*\* \[y\]\(javascript\:z\)"
    assert links_of(as_grace("admin/people"))[0] == escaped
    app = show("eve")
    assert titles(app) == [escaped]
    for opener in ("Change the role…", "New invitation link…", "Disable…", "Delete…"):
        press(app, opener)
        assert f"**{escaped}**" in texts(app)
        assert "<script" not in html(app)
    press(app, "Disable…", "Disable the account")
    assert escaped in app.toast[0].value
