"""Bounded requests against a real server that misbehaves."""

import gzip
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler

import httpx
import pytest

from finops_pipeline import http
from finops_pipeline.errors import (
    ServerError,
    ServerExpired,
    ServerMalformed,
    ServerRejected,
    ServerUnavailable,
)
from finops_pipeline_tests.servers import Recorded, Respond, responding, send

TEN = "Mon, 23 Nov 2026 10:00:00 GMT"


@contextmanager
def client_of(respond: Respond, path: str = "", **options) -> Iterator[httpx.Client]:
    with responding(respond) as url, http.client(url + path, **options) as client:
        yield client


def answering(status: int, body: bytes, **headers: str) -> Respond:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return respond


def echo(handler: BaseHTTPRequestHandler) -> None:
    form = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    lines = [handler.command, handler.path, form.decode(), handler.headers.get("Authorization", "")]
    send(handler, Recorded(200, "text/plain", "\n".join(lines).encode()))


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.2)


def cut(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"code":200')
    handler.close_connection = True


def test_keeps_the_path_of_the_base_url_and_sends_the_token():
    with client_of(echo, "/model", token="secret") as client:
        answer = http.get(client, "/allocation", {"window": "a,b", "includeIdle": "true"})

    assert answer.body.decode().split("\n") == [
        "GET",
        "/model/allocation?window=a%2Cb&includeIdle=true",
        "",
        "Bearer secret",
    ]


def test_posts_a_form():
    with client_of(echo) as client:
        answer = http.post_form(client, "/api/v1/query", {"query": 'up{job="x"}'})

    assert answer.body.decode().split("\n")[:3] == [
        "POST",
        "/api/v1/query",
        "query=up%7Bjob%3D%22x%22%7D",
    ]


def post_hook(client: httpx.Client) -> None:
    http.post_json(client, "/s3cret?token=y", {"text": "a"}, name="hook", deadline_seconds=1.0)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_document_is_taken_with_any_2xx_and_its_answer_left_unread(status: int):
    with client_of(answering(status, b"", Content_Encoding="gzip, gzip")) as client:
        post_hook(client)
    with client_of(cut) as client:
        post_hook(client)


@pytest.mark.parametrize(
    ("status", "error"), [(302, ServerRejected), (410, ServerExpired), (429, ServerUnavailable)]
)
def test_a_refused_document_names_the_host_alone(status: int, error: type[ServerError]):
    refusing = answering(status, b"no", Location="/elsewhere")
    with client_of(refusing) as client, pytest.raises(error) as raised:
        post_hook(client)

    assert str(raised.value) == f"hook at 127.0.0.1: status {status}: refused"


def test_an_unanswered_document_names_the_host_alone():
    with responding(echo) as url:
        pass

    with http.client() as client, pytest.raises(ServerUnavailable) as raised:
        http.post_json(client, f"{url}/s3cret", {}, name="hook")

    assert str(raised.value).startswith("hook at 127.0.0.1: no answer: ConnectError")
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, ServerUnavailable),
        (500, ServerUnavailable),
        (503, ServerUnavailable),
        (400, ServerRejected),
        (401, ServerRejected),
        (404, ServerRejected),
        (302, ServerRejected),
        (204, ServerRejected),
    ],
)
def test_an_error_names_url_status_and_the_start_of_the_body(status: int, error: type[ServerError]):
    body = b"" if status == 204 else b"x" * 200 + b"y" * 34_000
    with client_of(answering(status, body, Location="/elsewhere")) as client:
        with pytest.raises(error) as raised:
            http.get(client, "/allocation", {"window": "w"})

        assert f"GET {client.base_url}/allocation?window=w: status {status}" in str(raised.value)
    assert repr(body[:200]) in str(raised.value)
    assert "yy" not in str(raised.value)


def test_an_error_holds_no_secret():
    with responding(answering(500, b"")) as url:
        secret = url.replace("//", "//user:password@")
        with (
            http.client(secret, token="token") as client,
            pytest.raises(ServerUnavailable) as raised,
        ):
            http.get(client, "/allocation", {})

    assert "password" not in str(raised.value)
    assert "token" not in str(raised.value)


def test_a_port_without_a_server_is_unavailable():
    with responding(echo) as url:
        pass

    with http.client(url) as client, pytest.raises(ServerUnavailable, match="ConnectError"):
        http.get(client, "/allocation", {})


def test_a_cut_body_is_unavailable():
    with client_of(cut) as client, pytest.raises(ServerUnavailable, match="RemoteProtocolError"):
        http.get(client, "/allocation", {})


def test_a_dripping_answer_ends_at_its_deadline():
    with client_of(drip) as client, pytest.raises(ServerUnavailable, match="before its deadline"):
        http.get(client, "/allocation", {}, deadline_seconds=1.0)


def test_a_silent_server_ends_at_the_deadline():
    with (
        client_of(lambda handler: time.sleep(1.0)) as client,
        pytest.raises(ServerUnavailable, match="before its deadline"),
    ):
        http.get(client, "/allocation", {}, deadline_seconds=0.2)


def drip_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(100):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.1)


def stall_late(handler: BaseHTTPRequestHandler) -> None:
    """Send no length: what was cut off looks complete."""
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    time.sleep(0.3)
    handler.wfile.write(b"{}")
    time.sleep(3)


@pytest.mark.parametrize("respond", [drip, drip_headers, stall_late])
def test_the_deadline_holds_for_headers_and_bodies_that_drip_or_stall(respond: Respond):
    with client_of(respond) as client:
        began = time.monotonic()
        with pytest.raises(ServerUnavailable, match="before its deadline"):
            http.get(client, "/allocation", {}, deadline_seconds=0.5)

        assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "9" * 400}, math.inf),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "soon"}, None),
        # By the server's own clock, where it has one.
        ({"Retry-After": "Mon, 23 Nov 2026 10:02:00 GMT", "Date": TEN}, 120),
        ({"Retry-After": "Mon, 23 Nov 2026 09:00:00 GMT", "Date": TEN}, 0),
        ({"Retry-After": "Mon, 23 Nov 1970 10:02:00 GMT"}, 0),
        ({"Retry-After": "Mon, 23 Nov 99999999999 10:02:00 GMT"}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_says_how_long_to_wait(
    status: int, headers: dict[str, str], seconds: float | None
):
    with fake(httpx.Response(status, headers=headers)) as client:
        with pytest.raises(ServerUnavailable) as raised:
            http.get(client, "/allocation", {})

        assert raised.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("headers", "sent_at"),
    [
        ({"Date": TEN}, datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ({"Date": "Mon, 23 Nov 2026 10:00:00 -0000"}, datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ({"Date": TEN, "Age": "600"}, None),  # of a cache
        ({}, None),
        ({"Date": "yesterday"}, None),
        ({"Date": "Mon, 23 Nov 99999999999 10:00:00 GMT"}, None),
    ],
)
def test_an_answer_tells_the_time_of_its_server(
    headers: dict[str, str], sent_at: datetime | None, time_zone: str
):
    with fake(httpx.Response(200, headers=headers)) as client:
        answer = http.get(client, "/allocation", {})

    assert answer.sent_at == sent_at
    if answer.clock_difference is not None:
        assert answer.received_at + answer.clock_difference == sent_at


def fake(answer: httpx.Response) -> httpx.Client:
    return httpx.Client(base_url="http://it", transport=httpx.MockTransport(lambda _: answer))


def test_gzip_within_gzip_is_not_unpacked():
    bomb = gzip.compress(gzip.compress(b" " * 50_000_000))
    with (
        client_of(answering(200, bomb, Content_Encoding="gzip, gzip")) as client,
        pytest.raises(ServerMalformed, match="an encoding that was not asked for: 'gzip, gzip'"),
    ):
        http.get(client, "/allocation", {})


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "deflate"])
def test_an_error_in_a_wrong_encoding_is_the_same_error(encoding: str):
    with (
        client_of(answering(503, b"no gzip", Content_Encoding=encoding)) as client,
        pytest.raises(ServerUnavailable, match="status 503: refused: b''"),
    ):
        http.get(client, "/allocation", {})


def test_an_error_whose_body_stalls_is_the_same_error():
    def stall(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 404 No\r\nContent-Length: 10\r\n\r\nno")
        time.sleep(1)

    with (
        client_of(stall) as client,
        pytest.raises(ServerRejected, match="status 404: refused: b'no'"),
    ):
        http.get(client, "/allocation", {}, deadline_seconds=0.2)


def test_a_bomb_stops_at_the_cap():
    bomb = gzip.compress(b" " * 50_000_000)
    with (
        client_of(answering(200, bomb, Content_Encoding="gzip")) as client,
        pytest.raises(ServerMalformed, match="more than 1000000 bytes"),
    ):
        http.get(client, "/allocation", {}, max_bytes=1_000_000)


def test_compressed_answers_are_unpacked():
    packed = gzip.compress(b"{}")
    with client_of(answering(200, packed, Content_Encoding="gzip")) as client:
        assert http.get(client, "/allocation", {}).body == b"{}"


def test_a_body_that_is_not_in_its_encoding_is_malformed():
    with (
        client_of(answering(200, b"{}", Content_Encoding="gzip")) as client,
        pytest.raises(ServerMalformed, match="not in its encoding"),
    ):
        http.get(client, "/allocation", {})
