import random
import re
import time
import unicodedata

import pytest

from core.log_text import MASK, MAX_CHARACTERS, clean, hidden, mask, storable

CLEANED = {
    "plain": ("hello\tworld\nnext", "hello\tworld\nnext"),
    "colours are kept": ("\x1b[1;31mred\x1b[0m \x1b[mplain", "\x1b[1;31mred\x1b[0m \x1b[mplain"),
    "the cursor is not moved": ("a\x1b[2Jb\x1b[1;1Hc\x1b[3Ad\x1b[?25le", "abcde"),
    "a title": ("a\x1b]0;evil\x07b\x1b]2;evil\x1b\\c", "abc"),
    "a link": ("\x1b]8;;https://evil\x1b\\text\x1b]8;;\x1b\\", "text"),
    "the clipboard": ("\x1b]52;c;ZXZpbA==\x07a", "a"), "an open title takes the rest": ("a\x1b]0;evil", "a"),
    "a device string": ("a\x1bP+q544e\x1b\\b\x1bXevil\x1b\\c\x1b^evil\x1b\\d\x1b_evil\x1b\\e", "abcde"),
    "two-character escapes": ("a\x1bcb\x1b7c\x1b(Bd", "abcd"), "an escape at the end": ("a\x1b", "a"),
    "an open sequence": ("a\x1b[12;", "a12;"), "a C1 sequence": ("a\x9b2Jb", "ab"),
    "a sequence inside a sequence": ("\x1b[\x1b[0K31mred", "31mred"),
    "a doubled escape": ("\x1b\x1b[31mred", "\x1b[31mred"),
    "controls": ("a\0b\x07c\x08d\x7fe\x85f\x0bg", "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\ufffdg"),
    "bidirectional marks": ("\u202eevil\u202c \u2066x\u2069\u200f", "\ufffdevil\ufffd \ufffdx\ufffd\ufffd"),
    "half a character": ("a\ud800b\udfffc", "a\ufffdb\ufffdc"),
    "other scripts": ("naïve — 日本語 🎉 אב", "naïve — 日本語 🎉 אב"), "a Windows line": ("a\r\nb\r\n", "a\nb\n"),
    "what a progress bar last showed": ("10%\r50%\r100%\nnext", "100%\nnext"),
    "a progress bar that ends with a return": ("10%\r100%\r", "100%"),
}  # fmt: skip


@pytest.mark.parametrize("what", CLEANED)
def test_clean(what: str) -> None:
    given, expected = CLEANED[what]
    assert clean(given) == expected


KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"
MASKED = {
    "a password in an address": ("git clone https://u:p4ss@h/x", f"git clone https://{MASK}@h/x"),
    "an empty user": ("redis://:p4ss@h", f"redis://{MASK}@h"),
    "any scheme": ("postgresql+psycopg://app:p4ss@db/x", f"postgresql+psycopg://{MASK}@db/x"),
    "no password": ("see https://h:8080/a@b and mail a@b.c", "see https://h:8080/a@b and mail a@b.c"),
    "a header": ("Authorization: Basic dXNlcjpwYXNz", f"Authorization: {MASK}"),
    "a bearer": ("curl -H 'authorization:Bearer abcdefgh12'", f"curl -H 'authorization:Bearer {MASK}'"),
    "Taskdeck": ("use tsk_" + "a-_B1" * 8 + " now", f"use {MASK} now"), "GitHub": ("ghp_" + "aB1" * 12, MASK),
    "GitHub's fine-grained": ("github_pat_" + "aB1_" * 10, MASK), "GitLab": ("glpat-" + "aB1-" * 5, MASK),
    "Slack": ("xoxb-1234567890-abc", MASK), "Anthropic": ("key sk-ant-api03-" + "aB1" * 10 + ".", f"key {MASK}."),
    "AWS": ("AKIAIOSFODNN7EXAMPLE", MASK), "Google": ("AIza" + "a" * 35, MASK),
    "a private key": (f"before {KEY} after", f"before {MASK} after"),
    "an unfinished private key": ("x -----BEGIN PRIVATE KEY-----\nMIIEow", f"x {MASK}"),
    "NAME=value": ("export DB_PASSWORD=hunter22 OTHER=1", f"export DB_PASSWORD={MASK} OTHER=1"),
    "name: value": ("api-key: abcd1234", f"api-key: {MASK}"),
    "JSON": ('{"client_secret": "abcd", "id": 7}', f'{{"client_secret": "{MASK}", "id": 7}}'),
    "a query": ("https://h/x?access_token=abcd1234&page=2", f"https://h/x?access_token={MASK}&page=2"),
    "in capitals": ("PASSWD='abcd1234'", f"PASSWD='{MASK}'"),
    "a word about it": ("the token: a word; 3 tokens left; secrets=2", "the token: a word; 3 tokens left; secrets=2"),
    "numbers and names": ("task-skeleton sk-1 ghp_x AKIA", "task-skeleton sk-1 ghp_x AKIA"),
}  # fmt: skip


@pytest.mark.parametrize("what", MASKED)
def test_mask(what: str) -> None:
    given, expected = MASKED[what]
    assert (mask(given), mask(expected)) == (expected, expected)


def test_known_secrets_are_masked_wherever_they_stand_also_line_by_line() -> None:
    assert mask("xx swordfish-swordfish, trout", ["swordfish", "trout"]) == f"xx {MASK}-{MASK}, {MASK}"
    assert mask("say swordfish and sword", ["sword", "swordfish", ""]) == f"say {MASK} and {MASK}"
    known = hidden(["\n -----BEGIN-----\r\n  orange-giraffe\r\n\r\nshort\r\n", "flat-value\n", "short", "", " \n"])
    assert known == (
        *("-----BEGIN-----\r\n  orange-giraffe\r\n\r\nshort", "-----BEGIN-----", "orange-giraffe"),
        *("flat-value", "short"),
    )
    assert (mask("a orange-giraffe b", known), mask("flat-value", known)) == (f"a {MASK} b", MASK)


@pytest.mark.parametrize("hiding", ["\x1b[0K", "\x1b]0;x\x07", "\x1b(B"])
def test_neither_an_escape_nor_a_colour_inside_a_secret_hides_it(hiding: str) -> None:
    assert storable(f"token=abcd{hiding}efgh") == f"token={MASK}"
    assert storable(f"sword{hiding}fish", ["swordfish"]) == MASK
    shown = storable("sword\x1b[31mfish and ghp_\x1b[0m" + "aB1" * 12, ["swordfish"])
    assert "fish" not in shown and "aB1" not in shown


def test_a_long_text_is_cut_and_says_how_long_it_was() -> None:
    assert storable("x" * 8_000) == "x" * 8_000
    shown = storable("x" * 123_456)
    assert (len(shown), shown[-32:]) == (MAX_CHARACTERS, "xxxxxx … (123,456 characters, cut)"[-32:])


@pytest.mark.parametrize("start", [7_940, 7_960, 7_980, 7_995])
def test_a_secret_on_the_border_of_the_cut_is_masked_before(start: int) -> None:
    token = "ghp_" + "aB1" * 12
    for shown in (storable("." * start + " " + token + "." * 500), storable("." * start + token, [token])):
        assert "ghp_" not in shown


def test_a_secret_behind_a_long_stretch_that_is_not_shown_is_masked_too() -> None:
    for skipped in ("\x1b[0K" * 7_998, "x" * 31_989 + "\r"):
        assert "sword" not in storable(skipped + "swordfish and more", ["swordfish"])
    assert storable("".join(f"{percent / 1_000:.3%}\r" for percent in range(10_001)) + "done") == "done"


def test_cleaning_twice_is_like_once_and_leaves_no_escape_but_colours() -> None:
    chance = random.Random(7)  # noqa: S311  the same texts each time
    pieces = (
        *("\x1b[", "\x1b]", "\x1b", "[", "m", "\x07", "0;1"),
        *("31m", "\x9b", "\x1b\\", "\ud800", "\u202e", "\r", "\n"),
    )
    for _ in range(3_000):
        bytes_ = chance.randbytes(20).decode("latin-1")
        once = clean("".join(chance.choice([*pieces, *bytes_]) for _ in range(60)))
        assert clean(once) == once
        assert not re.search(r"\x1b(?!\[[0-9;]*m)", once)
        assert not [character for character in once if unicodedata.category(character) == "Cs"]


def test_storing_random_bytes_twice_is_like_once() -> None:
    chance = random.Random(7)  # noqa: S311  the same texts each time
    for size in (10, 100, 7_990, 9_000, 60_000):
        once = storable(chance.randbytes(size).decode("utf-8", "replace"))
        assert len(once) <= MAX_CHARACTERS
        assert storable(once) == once


ADVERSARIAL = (
    *("a", "://", "token=", "a-", "a-a ", "\x1b]", "\x1b[0", "\x1b[", "-----BEGIN ", "\r", "://a:", "sk-", "\ud800"),
)


@pytest.mark.parametrize("piece", ADVERSARIAL)
def test_a_megabyte_of_anything_takes_less_than_a_second(piece: str) -> None:
    text = (piece * 10**6)[: 10**6]
    began = time.thread_time()
    assert len(storable(text, ["swordfish"])) <= MAX_CHARACTERS and time.thread_time() - began < 1
