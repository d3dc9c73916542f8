from pages.parts import text


def test_a_title_is_the_first_line_and_says_when_there_is_more() -> None:
    for prompt, title in (("short", "short"), ("two\nlines", "two…"), ("x" * 91, "x" * 90 + "…"), ("x" * 90, "x" * 90)):
        assert text.first_line(prompt) == title


def test_a_repository_is_shown_by_owner_and_name() -> None:
    for address in ("https://h/team/data.git", "https://h/team/data/", "https://h/group/team/data", "/srv/team/data"):
        assert text.repository_name(address) == "team/data"


def test_sizes_and_days_are_in_words() -> None:
    sizes = {0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1_000: "1.0 kB", 9_960: "10 kB", 12_345: "12 kB"}
    sizes |= {999_499: "999 kB", 999_500: "1.0 MB", 3_449_999: "3.4 MB", 524_288_000: "524 MB"}
    assert {count: text.size(count) for count in sizes} == sizes
    assert [text.days(number) for number in (1, 30, 0.5)] == ["1 day", "30 days", "0.5 days"]


def test_counting_stops_at_ten_thousand() -> None:
    assert [text.number(count) for count in (0, 10_000, 10_001)] == ["0", "10,000", "10,000+"]
