"""What the gateway lets through, how it changes it, and what it counts."""

import http.client
import json
import logging
import time

import pytest

from core.sandbox.gateway import calls, conversation, server
from tests.core.agents.model_api import KEY, Cut, Page, Silence, Status, Text
from tests.core.sandbox.gateway.conftest import MESSAGES, RESPONSES, Opener
from tests.support.waiting import eventually
from tests.support.world import Patch


@pytest.mark.attack(96)
@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_the_key_goes_on_in_place_of_the_token_where_the_api_wants_it_and_nowhere_else(
    header: str, opened: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with opened(Text("hello"), Text("hello"), Status(401), Status(307), header=header) as gateway:
        token = gateway.endpoint.token
        for sent in ({"x_api_key": token}, {"Authorization": f"Bearer {token}"}):
            status, body = gateway.ask(b"{}", RESPONSES, **sent)
            assert (status, b"hello" in body, KEY.encode() in body) == (200, True, False)
        assert [gateway.ask()[0] for _ in range(2)] == [401, 502]
        for call in gateway.api.calls:
            given = {name: call.headers[name] for name in ("x-api-key", "authorization") if name in call.headers}
            assert given == {header: KEY if header == "x-api-key" else f"Bearer {KEY}"}
            assert token not in str(call)
        assert KEY not in repr(gateway.gateway) + repr(gateway.endpoint) + str(vars(gateway.gateway))
    assert caplog.records and KEY not in caplog.text


def test_a_call_without_the_tasks_token_goes_nowhere_and_each_gateway_has_its_own(opened: Opener) -> None:
    with opened(Text()) as before:
        other = before.endpoint.token
    with opened(Text()) as gateway:
        token = gateway.endpoint.token
        for sent in (
            *({"x_api_key": "wrong"}, {"x_api_key": "wörng"}, {"x_api_key": other}, {"x": "y"}),
            *({"Authorization": f"Basic {token}"}, {"Authorization": token}),
        ):
            assert gateway.error(**sent) == (401, "authentication_error"), sent
        assert gateway.api.asked == []
        assert token != other and len(token) > 40


def test_only_the_listed_paths_may_be_asked_and_what_is_no_post_is_answered_here(opened: Opener) -> None:
    others = ("/v1/files", "/v1/messages/", "/v1/messages/../files", "/v1/messages/batches", "/v1/%6dessages", "/")
    hosts = ("http://127.0.0.1:9/v1/messages", "//127.0.0.1:9/v1/messages", "@127.0.0.1:9/v1/messages")
    with opened(Text()) as gateway:
        for path in (*others, *hosts, "/V1/messages"):
            assert gateway.error(b"{}", path) == (404, "invalid_request_error"), path
        assert gateway.ask(b"", "/", "HEAD", x="no token") == (200, b"")
        assert (gateway.ask(b"", "/v1/models", "GET")[0], gateway.ask(b"", MESSAGES, "DELETE")[0]) == (404, 501)
        assert gateway.api.asked == []


def test_the_query_and_the_agents_own_headers_go_on_and_what_is_between_two_does_not(opened: Opener) -> None:
    with opened(Text()) as gateway:
        headers = {"anthropic_version": "2023-06-01", "Cookie": "a=b", "TE": "trailers", "Proxy_Authorization": "x"}
        path = f"{MESSAGES}?beta=true"
        with gateway.begin(b"{}", path, x_api_key=gateway.endpoint.token, **headers) as response:
            response.read()
            assert response.getheader("Set-Cookie") is None
            assert response.getheader("Content-Type") == "text/event-stream"
        (call,) = gateway.api.calls
        assert (call.path, call.headers["anthropic-version"]) == (path, "2023-06-01")
        assert call.headers["host"] == gateway.api.url.removeprefix("http://")
        assert not call.headers.keys() & {"cookie", "te", "proxy-authorization"}


def test_an_error_or_a_page_arrives_as_it_is_and_a_redirect_is_neither_followed_nor_passed_on(opened: Opener) -> None:
    with opened(Status(401), Status(529, "overloaded_error"), Status(307), Page()) as gateway:
        assert (gateway.error(), gateway.error()) == ((401, "api_error"), (529, "overloaded_error"))
        assert (gateway.error(), gateway.ask()) == ((502, "api_error"), (200, Page().text.encode()))
        assert len(gateway.api.asked) == 4


def test_a_stream_arrives_piece_by_piece_each_a_sign_of_life_and_its_break_is_no_end(opened: Opener) -> None:
    began = time.monotonic()
    with opened(Silence(begun=True)) as gateway:
        assert gateway.gateway.heard < began
        with gateway.begin() as response:
            assert response.readline() == b"event: message_start\n"
            heard = gateway.gateway.heard
            assert began < heard < time.monotonic() and not gateway.api.ending.is_set()
            gateway.api.ending.set()
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                response.read()
        assert gateway.gateway.heard == heard


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://no-such-host.invalid", "http://[", "gopher://x"])
def test_an_api_that_cannot_be_reached_is_a_502(address: str, opened: Opener, caplog: pytest.LogCaptureFixture) -> None:
    with opened(Text(), address=address) as gateway:
        status, body = gateway.ask()
    assert (status, json.loads(body)["error"]["message"]) == (502, "The model's API could not be reached.")
    (warning,) = (record for record in caplog.records if record.name.startswith("core."))
    assert "could not be asked" in warning.getMessage()


def test_a_task_has_only_so_many_calls_and_so_many_at_once(opened: Opener, monkeypatch: Patch) -> None:
    monkeypatch.setattr(calls, "MOST_CALLS", 2)
    monkeypatch.setattr(server, "MOST_CONVERSATIONS", 2)
    with opened(Silence(begun=True)) as gateway:
        going_on = [gateway.begin() for _ in range(2)]
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            gateway.begin()
        for response in going_on:
            assert response.readline() == b"event: message_start\n"
            response.close()
        monkeypatch.undo()
        monkeypatch.setattr(calls, "MOST_CALLS", 2)
        assert (gateway.error(), len(gateway.api.calls)) == ((400, "invalid_request_error"), 2)


def test_a_call_of_megabytes_arrives_whole_and_a_larger_one_is_refused(opened: Opener, monkeypatch: Patch) -> None:
    body = json.dumps({"text": "x" * 3 * 2**20}).encode()
    with opened(Text()) as gateway:
        assert (gateway.ask(body)[0], gateway.api.calls[0].body) == (200, json.loads(body))
        monkeypatch.setattr(conversation, "MOST_BYTES", len(body) - 1)
        assert (gateway.error(body), gateway.ask()[0]) == ((413, "request_too_large"), 200)
        assert len(gateway.api.calls) == 2


HEAD = b"POST /v1/messages HTTP/1.1\r\nx-api-key: %b\r\n"


LENGTH, LONG = HEAD + b"Content-Length: ", b"x" * 70_000
NO_CALLS = {
    HEAD + b"\r\n": 411, LENGTH + b"-1\r\n\r\n": 411, LENGTH + b"9999999999999\r\n\r\n": 411,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n": 411, b"\x16\x03\x01\x02\x00\x01 %b\r\n\r\n": 400,
    b"POST /v1/messages HTTP/9.9 %b\r\n\r\n": 400, b"POST /v1/messages%b" + LONG + b" HTTP/1.1\r\n\r\n": 414,
    HEAD + b"x: " + LONG + b"\r\n\r\n": 431,
}  # fmt: skip


def test_what_is_no_call_gets_an_error_and_goes_nowhere(opened: Opener) -> None:
    with opened(Text()) as gateway:
        for sent, status in NO_CALLS.items():
            line = gateway.answer_to(sent % gateway.endpoint.token.encode())
            assert line.split()[1] == str(status).encode(), sent[:80]
        assert gateway.api.asked == []
        head = HEAD % gateway.endpoint.token.encode() + b"Content-Length: 2\r\n"
        gateway.answer_to(head + b"a: b\r\n x-evil: 1\r\nContent-Length: 7\r\n\r\n{}")  # no header carries a second one
        assert all("x-evil" not in call.headers and call.body == {} for call in gateway.api.calls)
        assert gateway.ask()[0] == 200  # for others all goes on


@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
def test_the_tokens_of_all_calls_are_counted_and_of_one_that_was_cut_what_came(path: str, opened: Opener) -> None:
    with opened(Text(), Status(500), Text(), Cut()) as gateway:
        assert gateway.gateway.summary() is None
        for _ in range(3):
            gateway.ask(b"{}", path)
        eventually(lambda: gateway.gateway.summary() == "3 calls, 2,400 tokens in, 68 out")
        with pytest.raises(http.client.IncompleteRead):
            gateway.ask()
    assert gateway.gateway.summary() == "4 calls, 3,600 tokens in, 69 out"
