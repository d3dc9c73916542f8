import pytest

from core.errors import TimedOut
from core.runner.clock import Clock
from core.words import duration
from tests.core.living import Hand


def test_the_warning_comes_once_and_names_what_is_left() -> None:
    hand = Hand()
    clock = Clock(300, 240, 60, hand)
    hand.time += 239.9
    assert clock.warning() is None
    hand.time += 0.1
    assert clock.warning() == "1 min left: the task will be stopped at 5 min."
    assert clock.warning() is None


def test_the_limit_raises_at_the_second_it_is_reached() -> None:
    hand = Hand()
    clock = Clock(300, 240, 60, hand)
    hand.time += 299.99
    clock.check()
    hand.time += 0.01
    with pytest.raises(TimedOut, match="stopped at its limit of 5 min"):
        clock.check()


def test_each_full_minute_is_marked_once_even_after_a_long_silence() -> None:
    hand = Hand()
    clock = Clock(300, 240, 60, hand)
    hand.time += 59
    assert clock.tick() is None
    hand.time += 1
    assert (clock.tick(), clock.tick()) == ("1 min", None)
    hand.time += 130
    assert (clock.tick(), clock.tick()) == ("3 min 10 s", None)
    hand.time += 49
    assert clock.tick() is None
    hand.time += 1
    assert clock.tick() == "4 min"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (221, "3 min 41 s"), (300, "5 min")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_an_extension_moves_the_limit_and_the_warning_comes_again_before_it() -> None:
    hand = Hand()
    clock = Clock(300, 240, 60, hand)
    hand.time += 250
    assert clock.warning()
    clock.extend(120)
    hand.time += 109.9
    assert clock.warning() is None
    hand.time += 0.1
    assert clock.warning() == "1 min left: the task will be stopped at 7 min."
    assert clock.warning() is None
    hand.time += 59.9
    clock.check()
    hand.time += 0.1
    with pytest.raises(TimedOut, match="stopped at its limit of 7 min"):
        clock.check()


def test_an_extension_before_the_warning_leaves_one_warning() -> None:
    hand = Hand()
    clock = Clock(300, 240, 60, hand)
    clock.extend(120)
    hand.time += 240
    assert clock.warning() is None
    hand.time += 120
    assert clock.warning()
    clock.extend(120)  # as often as the runner hears of it
    assert clock.warning() is None


def test_an_extension_is_counted_from_the_first_limit_and_moves_no_tick() -> None:
    hand = Hand()
    clock = Clock(300, 240, 60, hand)
    clock.extend(60), clock.extend(60)
    hand.time += 60
    assert clock.tick() == "1 min"
    hand.time += 300
    with pytest.raises(TimedOut, match="6 min"):
        clock.check()


def test_without_an_extension_nothing_moves() -> None:
    hand = Hand()
    clock = Clock(300, 240, 60, hand)
    hand.time += 240
    assert clock.warning()
    clock.extend(0)
    assert clock.warning() is None
    hand.time += 60
    with pytest.raises(TimedOut):
        clock.check()
