"""The commands that manage people, as an operator runs them."""

from pathlib import Path

import pytest

from core.database.models import Channel, EndReason, Role
from core.database.ownership import Actor
from core.identity import links, people, sessions, tokens
from core.tasks import commands
from tests.conftest import PASSWORD
from tests.core.identity.trail import NEW, events, token_of, told, verify
from tests.core.living import ended, left_behind
from tests.core.operating import one_sentence, operate
from tests.support.world import World


def test_users_list_says_who_is_active_disabled_and_invited(ada: Actor, bob: Actor, admin: Actor) -> None:
    people.set_active(bob.id, False, by=None)
    people.invite("cleo", "cleo@example.org", "Cleo", Role.ANALYST, by=None)
    done = operate("users", "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split("\t") for line in done.stdout.splitlines()] == [
        ["ada", "ada@example.org", "member", "active"], ["bob", "bob@example.org", "member", "disabled"],
        ["cleo", "cleo@example.org", "analyst", "invited"], ["grace", "grace@example.org", "admin", "active"],
    ]  # fmt: skip


def test_users_invite_prints_the_link_alone_by_which_the_person_chooses_a_password(world: World) -> None:
    world.settle(TASKDECK_PUBLIC_URL="https://tasks.example.org")
    words = ("Cleo", "--email", "cleo@example.org", "--name", "Cleo C", "--role", "analyst")
    done = operate("users", "invite", *words)
    assert done.returncode == 0
    assert done.stderr == "It sets the password, once, within 7 days: give it to nobody else.\n"
    address = done.stdout.removesuffix("\n")
    assert address.startswith("https://tasks.example.org/password?token=")
    offer = links.look(token_of(address))
    assert offer and offer.is_invitation
    assert (offer.actor.username, offer.actor.name, offer.actor.role) == ("cleo", "Cleo C", Role.ANALYST)
    links.set_password(token_of(address), NEW)
    assert verify("cleo", NEW)
    assert [(event.kind, event.way, event.subject) for event in events()[:2]] == [
        ("person.invited", Channel.CLI, "cleo"),
        ("person.link", Channel.CLI, "cleo"),
    ]


def test_users_reset_link_prints_a_link_for_another_password(ada: Actor) -> None:
    done = operate("users", "reset-link", "ADA")
    assert done.returncode == 0
    assert done.stderr == "It sets the password, once, within an hour: give it to nobody else.\n"
    assert done.stdout.count("\n") == 1
    assert verify("ada", PASSWORD) == ada, "the old one is good until the link is used"
    links.set_password(token_of(done.stdout.strip()), NEW)
    assert (verify("ada", PASSWORD), verify("ada", NEW)) == (None, ada)


def test_users_role_disable_and_enable_say_nothing_and_do_it(ada: Actor, bob: Actor) -> None:
    session_id, theirs = sessions.start(ada), sessions.start(bob)
    for words in (("role", "ada", "analyst"), ("disable", "Ada"), ("enable", "ada"), ("enable", "ada")):
        done = operate("users", *words)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), words
        if words[0] == "disable":
            assert people.find("ada") is None
    found = people.find("ada")
    assert found and found.role is Role.ANALYST
    assert (sessions.person(session_id), sessions.person(theirs)) == (None, bob)
    changes = events("person.role", "person.disabled", "person.enabled")
    assert {(event.actor_id, event.actor, event.way) for event in changes} == {(None, "", Channel.CLI)}
    assert [(event.kind, event.subject, event.detail) for event in changes] == [
        ("person.role", "ada", "member -> analyst"), ("person.disabled", "ada", ""), ("person.enabled", "ada", ""),
    ]  # fmt: skip


def test_users_delete_takes_everything_of_this_person_alone(ada: Actor, bob: Actor, data: Path) -> None:
    gone, kept = ended(ada, EndReason.COMPLETED).id, commands.create(bob, prompt="stays").id
    (data / "artifacts" / str(gone)).mkdir(parents=True)
    token = tokens.create(ada, "laptop")
    done = operate("users", "delete", "ada")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (people.account("ada", by=None), tokens.person(token), left_behind(data)) == (None, None, [])
    assert commands.find(bob, kept).prompt == "stays"
    assert told("person.deleted") == [("person.deleted", "", "ada", "ada@example.org")]
    assert {event.way for event in events("person.deleted", "task.deleted")} == {Channel.CLI}


LAST_ADMIN = "That would leave no active administrator: make somebody else one first."
GOOD_FOR = "A token is good for 1 to 365 days."
EMAIL = ("--email", "x@example.org")
TOKEN = ("tokens", "create", "--name", "laptop", "--user")


@pytest.mark.parametrize(("words", "sentence"), [
    *((("users", word, "nobody"), "There is no account nobody; see users list.") for word in ("disable", "delete")),
    *((("users", "enable", name), "There is no account ") for name in ("", "\udcff", "' or 1=1", "%")),
    *((("users", *words), LAST_ADMIN) for words in (("role", "grace", "member"), ("disable", "grace"))),
    (("users", "delete", "grace"), LAST_ADMIN), (("users", "invite", "ADA", *EMAIL), "already in use"),
    (("users", "invite", "x", "--email", "Ada@example.org"), "already in use"),
    (("users", "invite", "x y", *EMAIL), "A username has"),
    (("users", "invite", "x", "--email", "x"), "not an e-mail address"),
    (("users", "invite", "x", *EMAIL, "--name", "\u202e"), "A name has"),
    (("users", "reset-link", "off"), "enable it first"),
    *((((*TOKEN, "ada", "--days", days)), GOOD_FOR) for days in ("0", "366")),
    ((*TOKEN, "off"), "no active person off"),
], ids=str)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence_and_changes_nothing(
    words: tuple[str, ...], sentence: str, ada: Actor, admin: Actor
) -> None:
    off = people.add("off", "off@example.org", "Off", PASSWORD)
    people.set_active(off.id, False, by=None)
    before = told(), people.accounts(by=None)
    one_sentence(operate(*words), sentence, status=1)
    assert (told(), people.accounts(by=None)) == before


def test_a_token_is_made_for_the_days_it_is_asked_for_and_told_without_its_text(ada: Actor) -> None:
    token = operate(*TOKEN, "ada", "--days", "7").stdout.strip()
    assert tokens.person(token)
    assert told("token.created") == [("token.created", "ada", "laptop", f"{token[:12]}…, write, 7 d")]
