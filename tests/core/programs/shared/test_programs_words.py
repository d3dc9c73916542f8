"""Figures, shares and names in words."""

import pytest

from core.programs.shared import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1234567, "1,234,567"), (0.5, "0.5"), (12.3456, "12.35"),
        (-0.00001, "-1.000e-05"),
        (1e15, "1.000e+15"), (1.7e308, "1.700e+308"), (100.0, "100"), (1234.5, "1,234.5"),
    ],
)  # fmt: skip
def test_figures_in_words(value: float, text: str) -> None:
    assert words.figure(value) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 5, "0 %"), (5, 5, "100 %"), (1, 3, "33.3 %"), (1, 10**6, "under 0.1 %"), (0, 0, "0 %"),
     (999_999, 10**6, "over 99.9 %")],
)  # fmt: skip
def test_shares_in_words(part: int, whole: int, text: str) -> None:
    assert words.share(part, whole) == text
