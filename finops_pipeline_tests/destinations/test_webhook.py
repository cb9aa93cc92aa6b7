"""A message to a real server, which may refuse it, break off, or not be there."""

import json
import time
from base64 import b64encode
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from threading import Event
from urllib.parse import quote, unquote

import pytest

from finops_pipeline.destinations import webhook
from finops_pipeline.errors import ServerRejected, ServerUnavailable
from finops_pipeline_tests.servers import Recorded, responding, send

MESSAGE = {"text": "run 1 failed: 'Größe'", "kind": "failed"}


def answering(status: int, body: bytes = b""):
    return responding(lambda handler: send(handler, Recorded(status, "text/plain", body)))


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_message_is_posted_as_json(status):
    seen = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        body = json.loads(handler.rfile.read(length))
        seen.append((handler.command, handler.path, handler.headers["Content-Type"], body))
        send(handler, Recorded(status, "text/plain", b""))

    with responding(respond) as url:
        webhook.post(f"{url}/hooks/x?token=y", MESSAGE)

    assert seen == [("POST", "/hooks/x?token=y", "application/json", MESSAGE)]


def answering_in_turn(*statuses: int | None):
    """Serve one answer after the other, None being none; return what it was sent, too."""
    seen, left = [], list(statuses)

    def respond(handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        seen.append(json.loads(handler.rfile.read(length)))
        status = left.pop(0)
        if status is None:
            handler.close_connection = True
        else:
            send(handler, Recorded(status, "text/plain", b"not now"))

    return seen, responding(respond)


@pytest.mark.parametrize("first", [None, 429, 500, 503])
def test_what_may_pass_is_tried_again(first):
    seen, server = answering_in_turn(first, 502, 200)

    with server as url:
        webhook.post(url, MESSAGE)

    assert seen == [MESSAGE] * 3


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_what_was_refused_is_refused(status):
    seen, server = answering_in_turn(status, 200)

    with (
        server as url,
        pytest.raises(ServerRejected, match=f"status {status}: refused$"),
    ):
        webhook.post(url, MESSAGE)

    assert seen == [MESSAGE]


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_no_delivery(status):
    seen = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.command)
        handler.send_response(status)
        handler.send_header("Location", "/login")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with responding(respond) as url, pytest.raises(ServerRejected, match=f"status {status}"):
        webhook.post(url, MESSAGE)

    assert seen == ["POST"]


def test_an_answer_that_breaks_off_is_tried_again_as_one_that_does_not():
    seen = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        seen.append(handler.command)
        handler.send_response(503 if len(seen) == 1 else 200)
        handler.send_header("Content-Length", "100" if len(seen) == 1 else "0")
        handler.end_headers()
        handler.close_connection = True

    with responding(respond) as url:
        webhook.post(url, MESSAGE)

    assert seen == ["POST", "POST"]


def test_an_answer_that_drips_is_left_at_the_deadline():
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        with suppress(OSError):  # it is left
            for _ in range(100):
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.05)

    began = time.monotonic()
    with responding(drip) as url, pytest.raises(ServerUnavailable, match="no answer"):
        webhook.post(url, MESSAGE, deadline_seconds=0.3)

    assert time.monotonic() - began < 4


def test_it_is_tried_three_times_and_never_logs_the_path(caplog, capsys):
    seen, server = answering_in_turn(503, 503, 503, 200)

    with server as url, pytest.raises(ServerUnavailable, match="status 503: refused$"):
        webhook.post(f"{url}/s3cret", MESSAGE)

    assert seen == [MESSAGE] * 3
    logged = caplog.text + "".join(capsys.readouterr())  # stamina logs by structlog, if it is there
    assert "status 503" in logged
    assert "s3cret" not in logged


def test_a_refusal_says_its_status_and_keeps_the_path_secret():
    with (
        answering(403, b"no such hook") as url,
        pytest.raises(ServerRejected, match="webhook at 127.0.0.1: status 403: refused$") as raised,
    ):
        webhook.post(f"{url}/s3cret", MESSAGE)

    assert "s3cret" not in str(raised.value)


def test_a_port_without_a_server():
    with responding(lambda _: None) as url:
        pass

    with pytest.raises(ServerUnavailable, match="127.0.0.1: no answer: .*refused") as raised:
        webhook.post(url, MESSAGE)

    # A cause would hold the request, and so the URL, for whoever prints more than messages.
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_a_server_that_never_answers_is_left():
    ended = Event()

    def hang(_: BaseHTTPRequestHandler) -> None:
        ended.wait(5)

    with responding(hang) as url:
        with pytest.raises(ServerUnavailable, match="no answer before its deadline"):
            webhook.post(url, MESSAGE, deadline_seconds=0.2)
        ended.set()


@pytest.mark.parametrize(
    "form", [str, quote, unquote, str.upper, lambda path: b64encode(path.encode()).decode()]
)
def test_a_refusal_that_repeats_the_url_keeps_it_secret(form):
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        send(handler, Recorded(404, "text/plain", form(handler.path).encode()))

    with responding(respond) as url, pytest.raises(ServerRejected) as raised:
        webhook.post(f"{url}/bot123%3AT0ken/x?sig=a+b", MESSAGE)

    assert str(raised.value) == "webhook at 127.0.0.1: status 404: refused"


@pytest.mark.parametrize("line", [b"BOGUS %s", b"HTTP/1.1 200 OK\r\nno header %s"])
def test_an_answer_that_is_no_http_keeps_the_url_secret(line):
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(line % handler.path.encode() + b"\r\n\r\n")

    with responding(respond) as url, pytest.raises(ServerUnavailable) as raised:
        webhook.post(f"{url}/T0ken", MESSAGE)

    assert "RemoteProtocolError" in str(raised.value)
    assert "T0ken" not in str(raised.value)
