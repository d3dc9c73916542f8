"""Whether what was deployed answers."""

import socket
import time
from collections.abc import Callable

import pytest

from core.programs.deployment_bot.health import Patience, is_healthy
from tests.core.programs.deployment_bot.conftest import Server

QUICK = Patience(tries=3, in_all=30, one_try=10, pause=0.02)


def asked(url: str, patience: Patience = QUICK) -> tuple[bool, list[str]]:
    said: list[str] = []
    return is_healthy(url, patience, said.append), said


@pytest.mark.attack(100)
def test_it_asks_until_the_answer_is_200_and_follows_no_redirect(serve: Callable[..., Server]) -> None:
    server = serve(503, 200)
    assert asked(f"{server.url}/health?full=1") == (True, ["Health check 1 of 3: 503.", "Health check 2 of 3: 200."])
    assert server.asked == ["/health?full=1"] * 2
    for status in (301, 302, 307, 204, 404, 500):
        server = serve(status)
        assert asked(server.url) == (False, [f"Health check {number} of 3: {status}." for number in (1, 2, 3)])
        assert server.asked == ["/"] * 3


def test_no_proxy_is_used(serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(200)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    assert asked(serve(500).url)[0] is False
    assert proxy.asked == []


def test_a_server_that_is_not_there_or_speaks_no_http_is_not_healthy(serve: Callable[..., Server]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        healthy, said = asked(f"http://127.0.0.1:{closed.getsockname()[1]}")
    assert (healthy, said[0]) == (False, "Health check 1 of 3: no answer, ConnectionRefusedError.")
    healthy, said = asked(serve(200).url.replace("http:", "https:"))
    assert (healthy, said[0]) == (False, "Health check 1 of 3: no answer, SSLError.")


def test_a_server_that_never_ends_its_answer_costs_no_more_than_the_time_there_is(serve: Callable[..., Server]) -> None:
    server = serve(200)
    server.drips = True
    began = time.monotonic()
    healthy, said = asked(server.url, Patience(tries=10, in_all=0.5, one_try=0.2, pause=0.02))
    assert time.monotonic() - began < 3 and not healthy
    assert said[0] == "Health check 1 of 10: no answer in time."
    assert len(said) <= 4
