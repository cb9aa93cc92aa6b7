"""A message to a real server, which may refuse it, break off, or not be there."""

import json
from http.server import BaseHTTPRequestHandler
from threading import Event

import pytest

from finops_pipeline.destinations import webhook
from finops_pipeline.errors import DeliveryError
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


def test_a_refusal_says_why_and_keeps_the_path_secret():
    with (
        answering(403, b"no such hook") as url,
        pytest.raises(DeliveryError, match="127.0.0.1: status 403: no such hook") as raised,
    ):
        webhook.post(f"{url}/s3cret", MESSAGE)

    assert "s3cret" not in str(raised.value)


def test_nobody_listens():
    with responding(lambda _: None) as url:
        pass

    with pytest.raises(DeliveryError, match="127.0.0.1: no answer: .*refused"):
        webhook.post(url, MESSAGE)


def test_a_server_that_never_answers_is_left():
    ended = Event()

    def hang(_: BaseHTTPRequestHandler) -> None:
        ended.wait(5)

    with responding(hang) as url:
        with pytest.raises(DeliveryError, match="no answer: .*timed out"):
            webhook.post(url, MESSAGE, timeout_seconds=0.2)
        ended.set()
