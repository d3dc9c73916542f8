import pytest

from core.clock import Clock, duration
from core.errors import TimedOut


class Hand:
    """A monotonic clock that only the test moves."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time


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
