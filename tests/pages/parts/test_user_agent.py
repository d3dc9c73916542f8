import pytest

from pages.parts.user_agent import in_words

KHTML = "AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "iPhone; CPU iPhone OS 26_0 like Mac OS X"


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (f"Mozilla/5.0 (X11; Linux x86_64) {KHTML} Chrome/156.0.0.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:146.0) Gecko/20100101 Firefox/146.0", "Firefox on Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0) {KHTML} Chrome/156.0 Safari/537.36 Edg/156.0", "Edge on Windows"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {KHTML} Version/26.0 Safari/605.1.15", "Safari on macOS"),
        (f"Mozilla/5.0 ({IPHONE}) {KHTML} Version/26.0 Safari/604.1", "Safari on iPhone"),
        (f"Mozilla/5.0 (Linux; Android 16) {KHTML} Chrome/156.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "Unknown browser"),
        ("", "Unknown browser"),
    ],
)
def test_browsers_in_words(agent: str, words: str) -> None:
    assert in_words(agent) == words
