from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from core import config
from core.database.models import Channel, SignInThrottle
from core.identity import audit, throttle
from tests.core.identity.trail import QUARTER, SECOND, at_once, rows_of
from tests.support.world import World

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIMITS = {"name:a": 3, "address:b": 5}


def rows() -> dict[str, int]:
    return {row.key: row.failures for row in rows_of(SignInThrottle)}


def test_the_last_try_is_allowed_and_locks_its_key_alone_and_the_next_one_is_not_counted() -> None:
    assert [throttle.count(LIMITS, now=NOON) for _ in range(5)] == [[], [], ["name:a"], None, None]
    assert rows() == {"name:a": 3, "address:b": 3}
    names = [throttle.count({f"name:{turn}": 3, "address:c": 3}, now=NOON) for turn in range(4)]
    assert names == [[], [], ["address:c"], None]
    assert throttle.count({"name:0": 3, "address:d": 3}, now=NOON) == []


def test_a_lock_lasts_fifteen_minutes_from_the_failure_that_closed_it_and_nothing_is_left_of_it() -> None:
    for minutes in (0, 7, 14):
        throttle.count(LIMITS, now=NOON + timedelta(minutes=minutes))
    closed = NOON + timedelta(minutes=14)
    assert throttle.count(LIMITS, now=closed + QUARTER - SECOND) is None
    assert (throttle.count(LIMITS, now=closed + QUARTER), rows()) == ([], {"name:a": 1, "address:b": 1})


def test_failures_that_are_far_apart_never_lock_and_of_what_no_longer_counts_only_locks_stay() -> None:
    for turn in range(12):
        assert throttle.count(LIMITS, now=NOON - (20 - turn) * timedelta(minutes=8)) == []
    throttle.count({"name:old": 3}, now=NOON)
    throttle.count({"name:locked": 1}, now=NOON + timedelta(minutes=5))
    throttle.count({"name:new": 3}, now=NOON + QUARTER)
    assert rows() == {"name:locked": 1, "name:new": 1}


def test_a_success_forgets_the_name_and_takes_back_its_own_try_of_the_address() -> None:
    for _ in range(3):
        throttle.count({"name:a": 9, "address:b": 4}, now=NOON)
    assert throttle.count({"name:a": 9, "address:b": 4}, now=NOON) == ["address:b"]
    throttle.succeeded("name:a", "address:b", "address:nobody's")
    assert rows() == {"address:b": 3}
    assert throttle.count({"name:a": 9, "address:b": 4}, now=NOON) == ["address:b"]


def test_a_lock_of_a_clock_that_was_set_back_since_does_not_hold_for_ever() -> None:
    for _ in range(3):
        throttle.count(LIMITS, now=NOON + timedelta(days=400))
    assert throttle.count(LIMITS, now=NOON) == []
    throttle.count({"name:c": 1}, now=NOON + timedelta(minutes=2))
    assert throttle.count({"name:c": 1}, now=NOON) is None, "another server's clock may be a little ahead"


def test_a_locked_try_waits_for_no_writer(lock: Callable[[], Callable[[], None]]) -> None:
    throttle.count({"name:a": 1})
    lock()
    assert throttle.count({"name:a": 1}) is None


@pytest.mark.attack(46)
@pytest.mark.parametrize(("address", "same", "other"), [
    ("203.0.113.7", "203.0.113.7", "203.0.113.8"), ("203.0.113.7", "::ffff:203.0.113.7", "::ffff:203.0.113.8"),
    ("2001:db8:1:2::1", "2001:db8:1:2:ffff::7", "2001:db8:1:3::1"), (None, "not an address", "127.0.0.1"),
])  # fmt: skip
def test_an_address_is_one_of_ipv4_or_a_network_of_ipv6(address: str | None, same: str, other: str) -> None:
    def key(arrived: str | None) -> str:
        audit.set_origin(Channel.UI, arrived)
        return throttle.address()

    assert key(address) == key(same) != key(other)


@pytest.mark.attack(45)
def test_of_thirty_tries_at_once_as_many_are_allowed_as_may_be() -> None:
    limits = {"name:a": 5, "address:b": 50}
    said = at_once(30, lambda _: throttle.count(limits, now=NOON))
    assert sorted(said, key=repr) == [None] * 25 + [["name:a"]] + [[]] * 4
    assert rows() == {"name:a": 5, "address:b": 5}


def test_a_key_tells_nothing_of_what_it_is_made_of_and_differs_by_kind_and_secret(world: World) -> None:
    keys = {throttle.key(kind, what) for kind in ("name", "address") for what in ("rosa", "bob", "", "\ud800", "é")}
    assert len(keys) == 10
    assert not any("rosa" in key for key in keys)
    world.settle(TASKDECK_SECRET="another key, of 32 bytes and more")
    config.signing_secret.cache_clear()
    assert throttle.key("name", "rosa") not in keys
