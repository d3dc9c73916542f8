from pathlib import Path

import pytest

from core.repositories.secrets import contains_secret

SECRETS = ["orange-giraffe-73", "begins here\nsecond-line-of-it\n", "short", ""]

#: Put together here, so that this file holds none itself.
SECRET_LINES = {
    "a known one": "key: orange-giraffe-73", "a line of a known one": "second-line-of-it",
    "a cloud's key": "AKIA" + "IOSFODNN7EXAMPLE", "a host's token": "ghp_" + "0123456789abcdefghij",
    "our own token": "tsk_" + "0123456789abcdefghij", "a private key": "-----BEGIN OPENSSH PRIVATE" + " KEY-----",
}  # fmt: skip
NONE = ("a short", "password = form.password", "token: Token = make()", "sk-", "-----BEGIN CERTIFICATE-----", "")


@pytest.mark.parametrize("what", SECRET_LINES)
def test_a_secret_is_found_in_what_is_added_and_in_the_message_but_not_in_what_goes(what: str, tmp_path: Path) -> None:
    difference = tmp_path / "difference"
    difference.write_bytes(b"@@ -1 +1 @@\n+x\xff\n+    " + SECRET_LINES[what].encode() + b"\r\n")
    assert contains_secret(difference, "Fix it\n", SECRETS)
    difference.write_text(f"@@ -1 +1 @@\n-{SECRET_LINES[what]}\n+x\n")
    assert not contains_secret(difference, "Fix it\n", SECRETS)
    assert contains_secret(difference, f"Fix {SECRET_LINES[what]}\n", SECRETS)


def test_what_is_none_by_its_form_is_let_through(tmp_path: Path) -> None:
    difference, text = tmp_path / "difference", "\n".join(NONE)
    difference.write_text("".join(f"+{line}\n" for line in NONE))
    assert not contains_secret(difference, text, SECRETS)
