"""The clock of a task that may take 300 s, warns at 240 s and marks each minute."""

import pytest

from core.errors import TimedOut
from core.runner.clock import Clock
from core.words import duration
from tests.core.living import Hand


@pytest.fixture
def clock(hand: Hand) -> Clock:
    return Clock(300, 240, 60, hand)


@pytest.mark.parametrize(("extension", "limit"), [(0, "5 min"), (60, "6 min"), (120, "7 min")])
def test_the_limit_comes_at_its_second_after_a_warning(extension: float, limit: str, clock: Clock, hand: Hand) -> None:
    clock.extend(extension), clock.extend(extension)  # as often as the runner reads of it
    hand.time += 239.75 + extension
    assert clock.warning() is None
    hand.time += 0.25
    assert clock.warning() == f"1 min left: the task will be stopped at {limit}."
    clock.extend(extension)
    assert clock.warning() is None
    hand.time += 59.75
    clock.check()
    hand.time += 0.25
    with pytest.raises(TimedOut, match=f"stopped at its limit of {limit}"):
        clock.check()


def test_after_an_extension_the_warning_comes_again_before_the_new_limit(clock: Clock, hand: Hand) -> None:
    hand.time += 250
    assert clock.warning()
    clock.extend(120)
    hand.time += 109.75
    assert clock.warning() is None
    hand.time += 0.25
    assert (clock.warning(), clock.warning()) == ("1 min left: the task will be stopped at 7 min.", None)


def test_each_full_minute_is_marked_once_even_after_a_long_silence_or_an_extension(clock: Clock, hand: Hand) -> None:
    clock.extend(60)
    told = []
    for seconds in (59, 1, 0, 130, 0, 49, 1, 0):
        hand.time += seconds
        told.append(clock.tick())
    assert told == [None, "1 min", None, "3 min 10 s", None, None, "4 min", None]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (221, "3 min 41 s"), (300, "5 min")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
