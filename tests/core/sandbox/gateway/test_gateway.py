"""What the gateway lets through, how it changes it, and what it counts."""

import http.client
import json
import logging
import time

import pytest

from core.sandbox.gateway import calls, conversation, server
from tests.core.agents.model_api import KEY, Cut, Page, Silence, Status, Text
from tests.core.sandbox.gateway.conftest import RESPONSES, Opener


@pytest.mark.attack(96)
def test_the_key_goes_on_in_place_of_the_token_and_never_comes_back(opened: Opener) -> None:
    with opened(Text("hello")) as gateway:
        status, body = gateway.ask()
        (call,) = gateway.api.calls
        assert (status, call.headers["x-api-key"]) == (200, KEY)
        assert b"hello" in body
        assert KEY.encode() not in body
        assert gateway.endpoint.token not in str(call)


def test_a_bearer_token_is_a_token_too_and_the_key_goes_where_the_api_wants_it(opened: Opener) -> None:
    with opened(Text(), header="authorization") as gateway:
        assert gateway.ask(b"{}", RESPONSES, Authorization=f"Bearer {gateway.endpoint.token}")[0] == 200
        (call,) = gateway.api.calls
        assert call.headers["authorization"] == f"Bearer {KEY}"
        assert "x-api-key" not in call.headers


def test_a_call_without_the_tasks_token_goes_nowhere_and_each_gateway_has_its_own(opened: Opener) -> None:
    with opened(Text()) as before:
        other = before.endpoint.token
    with opened(Text()) as gateway:
        token = gateway.endpoint.token
        for headers in (
            *({"x_api_key": "wrong"}, {"x_api_key": "wörng"}, {"x_api_key": other}, {"x": "y"}),
            *({"Authorization": f"Basic {token}"}, {"Authorization": token}),
        ):
            assert gateway.error(**headers) == (401, "authentication_error"), headers
        assert gateway.api.asked == []
        assert token != other
        assert len(token) > 40


def test_only_the_listed_paths_may_be_asked(opened: Opener) -> None:
    with opened(Text()) as gateway:
        for path in (
            *("/v1/files", "/v1/messages/", "/v1/messages/../files", "/v1/messages/batches", "/v1/%6dessages", "/"),
            *(
                "http://127.0.0.1:9/v1/messages",
                "//127.0.0.1:9/v1/messages",
                "/V1/messages",
                "@127.0.0.1:9/v1/messages",
            ),
        ):
            assert gateway.error(b"{}", path) == (404, "invalid_request_error"), path
        assert gateway.api.asked == []


def test_what_is_no_post_is_answered_here(opened: Opener) -> None:
    with opened(Text()) as gateway:
        assert gateway.ask(b"", "/", "HEAD", x="no token") == (200, b"")
        assert gateway.ask(b"", "/v1/models", "GET")[0] == 404
        assert gateway.ask(b"", "/v1/messages", "DELETE")[0] == 501
        assert gateway.api.asked == []


def test_the_query_and_the_agents_own_headers_go_on_and_what_is_between_two_does_not(opened: Opener) -> None:
    with opened(Text()) as gateway:
        token = gateway.endpoint.token
        headers = {"anthropic_version": "2023-06-01", "Cookie": "a=b", "TE": "trailers", "Proxy_Authorization": "x"}
        with gateway.begin(b"{}", "/v1/messages?beta=true", x_api_key=token, **headers) as response:
            response.read()
            assert response.getheader("Set-Cookie") is None
            assert response.getheader("Content-Type") == "text/event-stream"
        (call,) = gateway.api.calls
        assert call.path == "/v1/messages?beta=true"
        assert call.headers["anthropic-version"] == "2023-06-01"
        assert call.headers["host"] == gateway.api.url.removeprefix("http://")
        assert not call.headers.keys() & {"cookie", "te", "proxy-authorization"}


@pytest.mark.parametrize("turn", [Status(401), Status(429), Status(529, "overloaded_error"), Page()])
def test_an_answer_that_is_an_error_or_a_page_arrives_as_it_is(turn: Status | Page, opened: Opener) -> None:
    with opened(turn) as gateway:
        status, body = gateway.ask()
        if isinstance(turn, Status):
            assert (status, json.loads(body)["error"]["type"]) == (turn.number, turn.kind)
        else:
            assert (status, body.decode()) == (200, turn.text)


def test_a_stream_arrives_piece_by_piece(opened: Opener) -> None:
    with opened(Silence(begun=True)) as gateway, gateway.begin() as response:
        assert response.readline() == b"event: message_start\n"
        assert not gateway.api.ending.is_set()


def test_the_gateway_knows_when_the_api_last_gave_a_sign_of_life(opened: Opener) -> None:
    began = time.monotonic()
    with opened(Silence(begun=True)) as gateway:
        assert gateway.gateway.heard < began
        with gateway.begin() as response:
            response.readline()
            heard = gateway.gateway.heard
            assert began < heard < time.monotonic()
        assert gateway.gateway.heard == heard


def test_a_stream_that_breaks_does_not_look_like_one_that_has_ended(opened: Opener) -> None:
    with opened(Silence(begun=True)) as gateway, gateway.begin() as response:
        response.readline()
        gateway.api.ending.set()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://no-such-host.invalid", "http://[", "gopher://x"])
def test_an_api_that_cannot_be_reached_is_a_502_which_agents_understand(
    address: str, opened: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(Text(), address=address) as gateway:
        status, body = gateway.ask()
    assert (status, json.loads(body)["error"]["message"]) == (502, "The model's API could not be reached.")
    (warning,) = (record for record in caplog.records if record.name.startswith("core."))
    assert "could not be asked" in warning.getMessage()


def test_a_redirect_is_not_followed_and_not_passed_on(opened: Opener) -> None:
    with opened(Status(307)) as gateway:
        assert gateway.error() == (502, "api_error")
        assert len(gateway.api.asked) == 1


def test_a_proxy_of_the_servers_environment_is_not_used(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with opened(Text()) as gateway:
        assert gateway.ask()[0] == 200


def test_a_task_has_only_so_many_calls(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MOST_CALLS", 2)
    with opened(Text()) as gateway:
        assert [gateway.ask()[0] for _ in range(4)] == [200, 200, 400, 400]
        assert gateway.error() == (400, "invalid_request_error")
        assert len(gateway.api.calls) == 2


def test_a_call_of_many_megabytes_arrives_whole_and_one_that_is_larger_is_refused(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps({"text": "x" * 3 * 2**20}).encode()
    with opened(Text()) as gateway:
        assert gateway.ask(body)[0] == 200
        assert gateway.api.calls[0].body == json.loads(body)
        monkeypatch.setattr(conversation, "MOST_BYTES", len(body) - 1)
        assert gateway.error(body) == (413, "request_too_large")
        assert gateway.ask()[0] == 200
        assert len(gateway.api.calls) == 2


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /v1/messages HTTP/1.1\r\nx-api-key: %b\r\n\r\n", 411),
        (b"POST /v1/messages HTTP/1.1\r\nx-api-key: %b\r\nContent-Length: -1\r\n\r\n", 411),
        (b"POST /v1/messages HTTP/1.1\r\nx-api-key: %b\r\nContent-Length: 9999999999999\r\n\r\n", 411),
        (b"POST /v1/messages HTTP/1.1\r\nx-api-key: %b\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"\x16\x03\x01\x02\x00\x01 %b\r\n\r\n", 400),
        (b"POST /v1/messages HTTP/9.9 %b\r\n\r\n", 400),
        (b"POST /v1/messages%b" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"POST /v1/messages HTTP/1.1\r\nx: %b" + b"x" * 70_000 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_no_call_gets_an_error_and_goes_nowhere(request_bytes: bytes, status: int, opened: Opener) -> None:
    with opened(Text()) as gateway:
        connection, line = gateway.send(request_bytes % gateway.endpoint.token.encode())
        connection.close()
        assert line.split()[1] == str(status).encode()
        assert gateway.ask()[0] == 200  # for others all goes on
        assert len(gateway.api.asked) == 1


def test_a_header_cannot_carry_a_second_one(opened: Opener) -> None:
    with opened(Text()) as gateway:
        head = f"POST /v1/messages HTTP/1.1\r\nx-api-key: {gateway.endpoint.token}\r\nContent-Length: 2\r\n"
        connection, _ = gateway.send(f"{head}a: b\r\n x-evil: 1\r\nContent-Length: 7\r\n\r\n{{}}".encode())
        connection.close()
        assert all("x-evil" not in call.headers and call.body == {} for call in gateway.api.calls)


def test_only_so_many_conversations_go_on_at_once(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONVERSATIONS", 2)
    with opened(Silence(begun=True)) as gateway:
        going_on = [gateway.begin() for _ in range(2)]
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            gateway.begin()
        for response in going_on:
            assert response.readline() == b"event: message_start\n"
            response.close()


@pytest.mark.parametrize("path", ["/v1/messages", RESPONSES])
def test_the_tokens_of_all_calls_are_counted(path: str, opened: Opener) -> None:
    with opened(Text(), Status(500), Text()) as gateway:
        assert gateway.gateway.summary() is None
        for _ in range(3):
            gateway.ask(b"{}", path)
    assert gateway.gateway.summary() == "3 calls, 2,400 tokens in, 68 out"


def test_a_call_that_was_cut_counts_as_far_as_it_came(opened: Opener) -> None:
    with opened(Cut()) as gateway, pytest.raises(http.client.IncompleteRead):
        gateway.ask()
    assert gateway.gateway.summary() == "1 call, 1,200 tokens in, 1 out"


@pytest.mark.attack(96)
def test_the_key_is_in_no_log_and_no_text_about_the_gateway(opened: Opener, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with opened(Text(), Status(401), Status(307)) as gateway:
        for _ in range(3):
            gateway.ask()
        assert KEY not in repr(gateway.gateway) + repr(gateway.endpoint) + str(vars(gateway.gateway))
    assert caplog.records
    assert KEY not in caplog.text
