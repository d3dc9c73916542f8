import base64
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from itsdangerous import URLSafeSerializer
from pydantic import SecretStr

from core import config
from core.errors import ConfigurationError
from tests.core.identity.trail import at_once

KEY, OLD_KEY = "q7XcV0nBz1LmKdJfHgTsRpWyEuIoAa32", "0123456789abcdefghijklmnopqrstuv"

NO_WEB_ADDRESSES = [
    *("tasks.example.org", "//tasks.example.org", "ftp://tasks.example.org", "https://", "https:///x", "https://a b"),
    *("https://ada:pw@tasks.example.org", "https://tasks.example.org?x", "https://tasks.example.org#x"),
    *("https://tasks.example.org:port", "https://tasks.example.org, https://other.example.org", "javascript:alert(1)"),
    "https://tâsks.org",
]
NO_PROXIES = [
    *(("10.0.0.5, proxy.lan", "proxy.lan"), ("*", "*"), ("10.0.0.5/8", "10.0.0.5/8"), ("10.0.0.5,", "")),
    *(("10.0.0.5 10.0.0.6", "10.0.0.5 10.0.0.6"), ("10.0.0.0/40", "10.0.0.0/40"), ("10.0.0.5:80", "10.0.0.5:80")),
]


@pytest.fixture
def environment(data: Path) -> Iterator[pytest.MonkeyPatch]:
    """Variables of one test, gone again before the data folder is closed."""
    config.settings.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        yield patch
    config.settings.cache_clear()


@pytest.mark.parametrize(("variable", "value", "sentence"), [
    ("TASKDECK_SECRET", "hunter2-too-short", "at least 32 bytes"),
    ("TASKDECK_OLD_SECRET", "hunter2-too-short", "at least 32 bytes"),
    *(("TASKDECK_PUBLIC_URL", url, "must be like https://tasks.example.org") for url in NO_WEB_ADDRESSES),
    *(("TASKDECK_PROXIES", text, f"{bad!r} is neither an address nor a network") for text, bad in NO_PROXIES),
    ("TASKDECK_TIMEOUT", "sk-not-a-number", "valid number"), ("TASKDECK_TIMEOUT", "-5.5", "greater than 0"),
    ("TASKDECK_TIMEOUT", "inf", "finite number"), ("TASKDECK_TICK", "inf", "finite number"),
    ("TASKDECK_LEASE", "inf", "finite number"), ("TASKDECK_WARNING", "nan", ""),
    ("TASKDECK_WARNING", "3456", "less than TASKDECK_TIMEOUT"),
    ("TASKDECK_LEASE", "0.125", "greater than or equal to 1"),
    ("TASKDECK_CONCURRENCY", "6543", "less than or equal to 64"), ("TASKDECK_CONCURRENCY", "two", "valid integer"),
    ("TASKDECK_LOG_LINES", "9", "greater than or equal to 10"), ("TASKDECK_SANDBOX", "docker", "'bwrap' or 'none'"),
    ("TASKDECK_LOG_FORMAT", "xml", "'text' or 'json'"),
    ("TASKDECK_LOG_LEVEL", "INFO", "'debug', 'info', 'warning' or 'error'"),
    ("PORT", "0", "greater than or equal to 1"), ("PORT", "987654", "less than or equal to 65535"),
    ("DATABASE_URL", "mysql://usr77:pw88@db99.example/x", "sqlite:///path/to/file.db"),
    ("DATABASE_URL", "sqlite://", "sqlite:///path/to/file.db"),
    ("DATABASE_URL", "sqlite:///", "sqlite:///path/to/file.db"),
    ("DATABASE_URL", "sqlite:///:memory:", "sqlite:///path/to/file.db"),
])  # fmt: skip
def test_a_bad_setting_is_named_alone(
    variable: str, value: str, sentence: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        config.settings()
    assert variable in caught.value.message and sentence in caught.value.message
    shown = f"{caught.value!r} {caught.value.__cause__!r}"
    assert not [part for part in ("hunter2", "sk-no", "987654", "usr77", "pw88", "db99") if part in shown]


def test_the_environment_is_read_once_and_the_settings_are_frozen(environment: pytest.MonkeyPatch) -> None:
    first = config.settings()
    environment.setenv("PORT", "9999")
    assert config.settings().port == first.port != 9999
    with pytest.raises(ValueError, match="frozen"):
        first.port = 1


def test_addresses_and_folders_follow_from_the_settings(environment: pytest.MonkeyPatch) -> None:
    assert config.settings().proxies == ()
    environment.setenv("TASKDECK_PROXIES", " 10.0.0.5, 172.16.0.0/12 ,2001:db8::/32,::1")
    config.settings.cache_clear()
    assert config.settings().proxies == ("10.0.0.5", "172.16.0.0/12", "2001:db8::/32", "::1")
    made = config.Settings(data=Path("/srv/deck"), port=9000)
    assert (made.url, made.home) == ("sqlite:////srv/deck/taskdeck.db", "http://localhost:9000")
    assert (made.workspaces, made.artifacts) == (Path("/srv/deck/workspaces"), Path("/srv/deck/artifacts"))
    other = config.Settings(database_url="sqlite:////mnt/a.db", public_url="https://deck.example.org/")
    assert (other.url, other.home) == ("sqlite:////mnt/a.db", "https://deck.example.org")


@pytest.mark.parametrize("variable", ["TASKDECK_SECRET", "TASKDECK_OLD_SECRET"])
@pytest.mark.parametrize("value", [
    *("s" * 32, " " * 40, "abc" * 20, "012345678" * 5, "changeme-changeme-changeme-1234567", "CHANGE_ME" + KEY),
    *("please-change-this-key-before-use", "this-is-the-default-key-0123456789"),
    *("an-example-key-0123456789-abcdefg", "my-long-Password-0123456789-abcdef"),
    *("your-secret-key-0123456789-abcdef", "some_key_0123456789-abcdefghijkl"),
])  # fmt: skip
def test_a_secret_that_can_be_guessed_is_refused(environment: pytest.MonkeyPatch, variable: str, value: str) -> None:
    environment.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        config.settings()
    assert caught.value.message == f"{variable}: can be guessed: make one with `openssl rand -base64 32`."
    assert value not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_random_secret_is_accepted_in_every_usual_form() -> None:
    for _ in range(200):
        for key in (secrets.token_hex(32), secrets.token_urlsafe(32), base64.b64encode(os.urandom(32)).decode()):
            assert config.Settings(secret=SecretStr(key)).secret.get_secret_value() == key


def test_given_secrets_are_used_the_old_first_and_the_new_signs(data: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TASKDECK_SECRET", KEY)
    assert (config.signing_secret(), config.signing_keys()) == (KEY, [KEY])
    environment.setenv("TASKDECK_OLD_SECRET", OLD_KEY)
    config.settings.cache_clear()
    assert config.signing_keys() == [OLD_KEY, KEY]
    assert not (data / "secret").exists(), "nothing is written"
    assert not [key for key in (KEY, OLD_KEY) if key in repr(config.settings())]
    kept, signed = (URLSafeSerializer(keys, salt="x").dumps("ada") for keys in ([OLD_KEY], config.signing_keys()))
    assert URLSafeSerializer(config.signing_keys(), salt="x").loads(kept) == "ada"
    assert URLSafeSerializer([KEY], salt="x").loads(signed) == "ada"


@pytest.mark.parametrize(("given", "home", "origin"), [
    ("https://Tasks.Example.org/", "https://tasks.example.org", "https://tasks.example.org"),
    ("HTTPS://tasks.example.org:443", "https://tasks.example.org", "https://tasks.example.org"),
    ("http://tasks.example.org:80/", "http://tasks.example.org", "http://tasks.example.org"),
    ("https://tasks.example.org:80", "https://tasks.example.org:80", "https://tasks.example.org:80"),
    ("http://192.0.2.7:8501", "http://192.0.2.7:8501", "http://192.0.2.7:8501"),
    ("http://[2001:DB8::1]:8501", "http://[2001:db8::1]:8501", "http://[2001:db8::1]:8501"),
    ("https://example.org/Deck/", "https://example.org/Deck", "https://example.org"),
    ("", "http://localhost:8501", None),
])  # fmt: skip
def test_the_public_address_is_written_as_browsers_do(given: str, home: str, origin: str | None) -> None:
    made = config.Settings(public_url=given, port=8501)
    assert (made.home, made.origin) == (home, origin)


def test_the_secret_is_made_once_by_eight_for_its_owner_alone(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    fresh = tmp_path / "fresh"
    environment.setenv("TASKDECK_DATA", str(fresh))
    environment.setenv("TASKDECK_OLD_SECRET", OLD_KEY)
    made = at_once(8, lambda _: config.signing_secret.__wrapped__())
    (secret,) = {*made, (fresh / "secret").read_text()}
    assert config.signing_keys() == [OLD_KEY, secret]
    assert len(secret.encode()) >= 32
    assert stat.S_IMODE((fresh / "secret").stat().st_mode) == 0o600
    assert [path.name for path in fresh.iterdir()] == ["secret"]  # no draft is left


@pytest.mark.parametrize("kept", ["", "  \n", "too short"])
def test_a_damaged_secret_file_stops_the_start(data: Path, kept: str) -> None:
    (data / "secret").write_text(kept)
    with pytest.raises(ConfigurationError, match="is damaged: delete it"):
        config.signing_secret()


def test_every_bad_setting_and_one_that_does_not_exist_is_named_and_an_empty_one_is_none(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("PORT", "")
    assert config.settings().port == 8501
    config.settings.cache_clear()
    environment.setenv("TASKDECK_TIMEOUTT", "hunter2")
    with pytest.raises(ConfigurationError, match="TASKDECK_TIMEOUTT: there is no such setting") as refused:
        config.settings()
    assert "hunter2" not in refused.value.message
    environment.delenv("TASKDECK_TIMEOUTT")
    environment.setenv("PORT", "0")
    environment.setenv("TASKDECK_TICK", "often")
    with pytest.raises(ConfigurationError, match=r"PORT.*; TASKDECK_TICK|TASKDECK_TICK.*; PORT"):
        config.settings()
