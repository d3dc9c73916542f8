from datetime import timedelta

import pytest

from core.database import engine
from pages.parts import times


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "just now"), (59, "just now"), (61, "1 minute ago"), (7_300, "2 hours ago"), (90_000, "1 day ago")],
)
def test_ages_in_words(seconds: float, words: str) -> None:
    assert times.ago(engine.now() - timedelta(seconds=seconds)) == words
