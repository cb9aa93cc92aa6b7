"""An origin that breaks HTTP in every way we thought of: raw sockets before the embedded cluster.

``KINDS`` says how an answer is broken and what has to come of it, ``PLACES`` which question gets
it: both grow by a line.
"""

import gzip
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from email.utils import formatdate
from functools import partial
from time import time
from urllib.parse import parse_qsl, unquote, urlsplit

from finops_pipeline.simulation.cluster import Cluster
from finops_pipeline.simulation.server import DEFAULT_SEED, Request, Service

RIGHT = ""  # the fault does no harm: what is kept equals the right answer
NO_ANSWER = "no answer"
LATE = "before its deadline"
UNREADABLE = "status 200: "
CLOCK = "synchronise both machines"

_BETWEEN_BYTES_SECONDS = 0.05
_BOMB_BYTES = 300 * 2**20
_JSON = "Content-Type: application/json"

# Which question; the rest of the cluster answers as it should.
PLACES: dict[str, Callable[[Request], bool]] = {
    "allocation": lambda request: request.path == "/opencost/allocation",
    "assets": lambda request: request.path == "/opencost/assets",
    "presence": lambda request: "running_sample_count" in request.params.get("query", ""),
    "container_usage": lambda request: "cpu_throttled_ratio" in request.params.get("query", ""),
    "volume_usage": lambda request: "capacity_bytes" in request.params.get("query", ""),
    "price": lambda request: "storage_gib_hour_price" in request.params.get("query", ""),
}


@dataclass(frozen=True)
class Call:
    """A question that gets a broken answer.

    Args:
        connection: to the one who asks.
        right: body of the right answer.
        healed: set when the fault is over.
        refuse: makes the server listen no more until it is healed.
    """

    connection: socket.socket
    right: bytes
    healed: threading.Event
    refuse: Callable[[], None]

    def send(self, *parts: bytes) -> None:
        """Send the parts as they are."""
        self.connection.sendall(b"".join(parts))

    def stall(self) -> None:
        """Say nothing until the fault is over."""
        self.healed.wait()

    def drip(self, text: bytes) -> None:
        """Send one byte at a time, and no more once the fault is over."""
        for byte in text:
            self.send(bytes([byte]))
            if self.healed.wait(_BETWEEN_BYTES_SECONDS):
                return

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


Speak = Callable[[Call], None]


@dataclass(frozen=True)
class Kind:
    """A way to break an answer.

    Args:
        speak: says something instead of the right answer.
        outcome: what the reason of the failure has to say; ``RIGHT`` where none may come of it.
    """

    speak: Speak
    outcome: str


def head(status: int | str, *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status} x", *headers)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def length(body: bytes) -> str:
    return f"Content-Length: {len(body)}"


def status(code: int | str, body: bytes = b"", *headers: str) -> Speak:
    return lambda call: call.send(head(code, length(body), *headers), body)


def headers(*lines: str) -> Speak:
    """Send the right body under other headers."""
    return lambda call: call.send(head(200, length(call.right), *lines), call.right)


def changed(change: Callable[[bytes], bytes], *lines: str) -> Speak:
    """Send another body, with its right length."""

    def speak(call: Call) -> None:
        body = change(call.right)
        call.send(head(200, _JSON, length(body), *lines), body)

    return speak


def send_bytes(*parts: bytes) -> Speak:
    """Send the same bytes to all clients; ``BODY`` among them is the right body."""
    return lambda call: call.send(*(call.right if part is BODY else part for part in parts))


BODY = b"the right body"


def half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def refused(call: Call) -> None:
    call.refuse()
    call.reset()


def reset_after(*parts: bytes, share: float = 0) -> Speak:
    def speak(call: Call) -> None:
        call.send(*parts, call.right[: int(len(call.right) * share)])
        call.reset()

    return speak


def stalled_after(*parts: bytes, share: float = 0) -> Speak:
    def speak(call: Call) -> None:
        call.send(*parts, call.right[: int(len(call.right) * share)])
        call.stall()

    return speak


def dripped(start: bytes, text: bytes) -> Speak:
    def speak(call: Call) -> None:
        call.send(start)
        call.drip(text)

    return speak


def cut_with_length(call: Call) -> None:
    call.send(head(200, length(call.right)), half(call.right))


def longer_than_declared(call: Call) -> None:
    call.send(head(200, f"Content-Length: {len(call.right) - 10}"), call.right)


def shorter_than_declared(call: Call) -> None:
    call.send(head(200, f"Content-Length: {len(call.right) + 10}"), call.right)


def two_lengths(call: Call) -> None:
    call.send(head(200, length(call.right), "Content-Length: 7"), call.right)


def chunk(body: bytes, size: int | None = None) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body) if size is None else size, body)


def chunked(*parts: Callable[[bytes], bytes], stalls: bool = False) -> Speak:
    def speak(call: Call) -> None:
        call.send(head(200, "Transfer-Encoding: chunked"), *(part(call.right) for part in parts))
        if stalls:
            call.stall()

    return speak


def whole_chunk(body: bytes) -> bytes:
    return chunk(body)


def last_chunk(_: bytes) -> bytes:
    return b"0\r\n\r\n"


def wrong_checksum(body: bytes) -> bytes:
    packed = gzip.compress(body)
    return packed[:-8] + bytes(8)


def spaces(count: int) -> Iterator[bytes]:
    for _ in range(count // 2**20):
        yield b" " * 2**20


def much_whitespace(call: Call) -> None:
    """Send 100 MB of spaces before the right document."""
    call.send(head(200, f"Content-Length: {100 * 2**20 + len(call.right)}"))
    for piece in spaces(100 * 2**20):
        call.send(piece)
    call.send(call.right)


def bomb(call: Call) -> None:
    packer = zlib.compressobj(wbits=31)
    packed = b"".join(packer.compress(piece) for piece in spaces(_BOMB_BYTES)) + packer.flush()
    call.send(head(200, "Content-Encoding: gzip", length(packed)), packed)


def replace_bytes(old: bytes, new: bytes) -> Speak:
    """Send a body that says something else at each place where ``old`` stood."""
    return changed(lambda body: body.replace(old, new))


def first_number(text: bytes) -> Speak:
    """Send a number, or the text of a number, that cannot be."""

    def change(body: bytes) -> bytes:
        name = b'"minutes":' if b'"minutes":' in body else b'"value":['
        start = body.index(name) + len(name)
        end = min(body.find(mark, start) % len(body) for mark in (b",", b"}"))
        return body[:start] + text + body[end:]

    return changed(change)


def other_window(body: bytes) -> bytes:
    """Move the window by a year, or into another century."""
    return body.replace(b'"start":"2026', b'"start":"2025').replace(b"[17", b"[27")


HTML = b"<!doctype html><title>Sign in</title>"
INNER = b'{"code":500,"message":"' + b"query failed at http://inner:9090 " * 1000 + b'"}'
TWO_IN_ONE = b'Invalid window\n{"code":500,"status":"","data":null,"message":"bad window"}'
OPENCOST_DOWN = b'{"code":500,"status":"","data":null,"message":"Prometheus communication error"}'
AHEAD = "Date: " + formatdate(4e9, usegmt=True)
_OK = head(200)
_NOT_FOUND = b"404 page not found\n"

KINDS: dict[str, Kind] = {
    # The connection
    "refused": Kind(refused, NO_ANSWER),
    "closed without an answer": Kind(send_bytes(), NO_ANSWER),
    "closed in the status line": Kind(send_bytes(b"HTTP/1.1 20"), NO_ANSWER),
    "closed in the headers": Kind(send_bytes(_OK[:-10]), NO_ANSWER),
    "reset without an answer": Kind(reset_after(), NO_ANSWER),
    "reset in the headers": Kind(reset_after(_OK[:-10]), NO_ANSWER),
    "reset after the headers": Kind(reset_after(head(200, "Content-Length: 9999999")), NO_ANSWER),
    "reset in the body": Kind(
        reset_after(head(200, "Content-Length: 9999999"), share=0.5), NO_ANSWER
    ),
    # Time
    "stalled without an answer": Kind(stalled_after(), LATE),
    "stalled in the headers": Kind(stalled_after(_OK[:-10]), LATE),
    "stalled after the headers": Kind(stalled_after(head(200, "Content-Length: 9999999")), LATE),
    "stalled in the body": Kind(
        stalled_after(head(200, "Content-Length: 9999999"), share=0.5), LATE
    ),
    "whole without a length, then stalled": Kind(stalled_after(_OK, share=1), LATE),
    "chunked without an end": Kind(chunked(whole_chunk, stalls=True), LATE),
    "headers byte by byte": Kind(dripped(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000), LATE),
    "body byte by byte": Kind(dripped(head(200, "Content-Length: 1000"), b" " * 1000), LATE),
    "body byte by byte without a length": Kind(dripped(_OK, b" " * 1000), LATE),
    "continue for ever": Kind(dripped(b"", b"HTTP/1.1 100 C\r\n\r\n" * 100), LATE),
    # Lengths
    "cut with a length": Kind(cut_with_length, NO_ANSWER),
    "cut without a length": Kind(lambda call: call.send(_OK, half(call.right)), UNREADABLE),
    "whole without a length": Kind(send_bytes(_OK, BODY), RIGHT),
    "longer than said": Kind(longer_than_declared, UNREADABLE),
    "shorter than said": Kind(shorter_than_declared, NO_ANSWER),
    "two lengths": Kind(two_lengths, NO_ANSWER),
    "a negative length": Kind(send_bytes(head(200, "Content-Length: -1"), BODY), NO_ANSWER),
    "a length that is no number": Kind(
        send_bytes(head(200, "Content-Length: all"), BODY), NO_ANSWER
    ),
    "an absurd length": Kind(send_bytes(head(200, "Content-Length: " + "9" * 30), BODY), NO_ANSWER),
    "chunked": Kind(chunked(whole_chunk, last_chunk), RIGHT),
    "chunked and cut": Kind(chunked(lambda body: chunk(half(body))), NO_ANSWER),
    "chunk longer than said": Kind(
        chunked(lambda body: chunk(body, len(body) - 9), last_chunk), NO_ANSWER
    ),
    "chunk shorter than said": Kind(
        chunked(lambda body: chunk(body, len(body) + 9), last_chunk), NO_ANSWER
    ),
    "chunk of no size": Kind(chunked(lambda body: b"zz\r\n" + body), NO_ANSWER),
    "one answer too many": Kind(
        lambda call: call.send(head(200, length(call.right)), call.right, _OK), RIGHT
    ),
    # Encodings
    "gzip": Kind(changed(gzip.compress, "Content-Encoding: gzip"), RIGHT),
    "gzip bomb": Kind(bomb, "more than 268435456 bytes"),
    "gzip cut": Kind(
        changed(lambda body: half(gzip.compress(body)), "Content-Encoding: gzip"), UNREADABLE
    ),
    "gzip with a wrong checksum": Kind(
        changed(wrong_checksum, "Content-Encoding: gzip"), "not in its encoding"
    ),
    "gzip that is none": Kind(headers("Content-Encoding: gzip"), "not in its encoding"),
    "gzip that is not said": Kind(changed(gzip.compress), UNREADABLE),
    "gzip in gzip": Kind(
        changed(lambda body: gzip.compress(gzip.compress(body)), "Content-Encoding: gzip, gzip"),
        "an encoding that was not asked for",
    ),
    "deflate": Kind(changed(zlib.compress, "Content-Encoding: deflate"), "not asked for"),
    "brotli that is none": Kind(headers("Content-Encoding: br"), "not asked for"),
    "an unknown encoding": Kind(headers("Content-Encoding: x"), "not asked for"),
    "UTF-16": Kind(changed(lambda body: body.decode().encode("utf-16")), UNREADABLE),
    # Headers
    "a wrong content type": Kind(headers("Content-Type: text/html"), RIGHT),
    "a wrong charset": Kind(headers("Content-Type: application/json; charset=klingon"), RIGHT),
    "no content type": Kind(headers(), RIGHT),
    "a header of 1 MB": Kind(headers("X: " + "x" * 2**20), NO_ANSWER),
    "50,000 headers": Kind(headers(*["X: y"] * 50_000), NO_ANSWER),
    "a header without a colon": Kind(headers("nonsense"), NO_ANSWER),
    "a header with NUL": Kind(headers("X: \0"), NO_ANSWER),
    "a header beyond ASCII": Kind(headers("X: \xff\xe9"), RIGHT),
    "strange cookies": Kind(headers('Set-Cookie: =;;="; expires=never; =x', "Set-Cookie: "), RIGHT),
    "bare line feeds": Kind(
        lambda call: call.send(head(200, length(call.right)).replace(b"\r", b""), call.right), RIGHT
    ),
    # Times
    "a clock of 2096": Kind(headers(AHEAD), CLOCK),
    "a clock of 1970": Kind(headers("Date: Thu, 01 Jan 1970 00:00:00 GMT"), CLOCK),
    "a clock 400 s ahead": Kind(
        lambda call: headers("Date: " + formatdate(time() + 400, usegmt=True))(call), CLOCK
    ),
    "a clock beyond all years": Kind(headers("Date: Mon, 23 Nov 99999999999 10:00:00 GMT"), RIGHT),
    "a clock that is none": Kind(headers("Date: noon"), RIGHT),
    # Statuses
    "redirect to another host": Kind(status(302, b"", "Location: http://192.0.2.1/"), "status 302"),
    "redirect to itself": Kind(status(301, b"", "Location: ?"), "status 301"),
    "redirect to nowhere": Kind(status(307), "status 307"),
    "redirect to nonsense": Kind(status(308, b"", "Location: http://[::x\x01/"), NO_ANSWER),
    "101": Kind(status(101), NO_ANSWER),
    "201": Kind(lambda call: status(201, call.right)(call), "status 201: refused"),
    "204": Kind(send_bytes(head(204)), "status 204: refused: b''"),
    "206": Kind(lambda call: status(206, half(call.right))(call), "status 206: refused"),
    "304": Kind(send_bytes(head(304)), "status 304: refused: b''"),
    "400 of OpenCost": Kind(status(400, TWO_IN_ONE), "status 400: refused: b'Invalid window"),
    "401": Kind(status(401, b"", "WWW-Authenticate: Basic"), "status 401: refused"),
    "403": Kind(status(403, HTML), "status 403: refused: b'<!doctype"),
    "404": Kind(status(404, _NOT_FOUND), "status 404: refused: b'404 page"),
    "404 that stalls": Kind(
        stalled_after(head(404, "Content-Length: 99") + b"gone"), "status 404: refused: b'gone'"
    ),
    "422 of Prometheus": Kind(status(422, b'{"status":"error"}'), "status 422: refused"),
    "429": Kind(status(429, b"slow down"), "status 429: refused: b'slow down'"),
    "429 for a second": Kind(status(429, b"", "Retry-After: 1"), "status 429"),
    "429 for a moment": Kind(status(429, b"", "Retry-After: 0"), "status 429"),
    "429 for a year": Kind(status(429, b"", "Retry-After: 31536000"), "status 429"),
    "429 beyond all numbers": Kind(status(429, b"", "Retry-After: " + "9" * 999), "status 429"),
    "429 until 2096": Kind(status(429, b"", "Retry-After:" + AHEAD[5:]), "status 429"),
    "429 until nonsense": Kind(status(429, b"", "Retry-After: \xe9\xb2"), "status 429"),
    "500 of OpenCost": Kind(status(500, OPENCOST_DOWN), 'status 500: refused: b\'{"code":500'),
    "500 as a page": Kind(status(500, HTML), "status 500: refused: b'<!doctype"),
    "500 without a body": Kind(status(500), "status 500: refused: b''"),
    "500 of 34 kB": Kind(status(500, INNER), 'status 500: refused: b\'{"code":500'),
    "500 in a wrong encoding": Kind(status(500, b"x", "Content-Encoding: gzip"), "status 500"),
    "500 cut": Kind(
        send_bytes(head(500, "Content-Length: 99"), b"bo"), "status 500: refused: b'bo'"
    ),
    "502": Kind(status(502, HTML), "status 502"),
    "503": Kind(status(503, b"upstream connect error"), "status 503: refused: b'upstream"),
    "503 for a second": Kind(status(503, b"", "Retry-After: 1"), "status 503"),
    "503 with the right body": Kind(lambda call: status(503, call.right)(call), "status 503"),
    "504": Kind(status(504, HTML), "status 504"),
    "999": Kind(status(999, b"?"), "status 999"),
    "a status of two digits": Kind(status("20"), NO_ANSWER),
    "a status that is no number": Kind(status("OK"), NO_ANSWER),
    # Not HTTP
    "HTTP/0.9": Kind(send_bytes(BODY), NO_ANSWER),
    "HTTP/1.0": Kind(lambda call: call.send(b"HTTP/1.0 200 OK\r\n\r\n", call.right), RIGHT),
    "HTTP/2": Kind(send_bytes(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0d"), NO_ANSWER),
    "TLS": Kind(send_bytes(b"\x15\x03\x01\0\x02\x02\x46"), NO_ANSWER),
    "zeros": Kind(send_bytes(bytes(5000)), NO_ANSWER),
    "lines without an end": Kind(send_bytes(b"x" * 200_000), NO_ANSWER),
    # Bodies
    "an empty body": Kind(changed(lambda _: b""), UNREADABLE),
    "100 MB of whitespace": Kind(much_whitespace, RIGHT),
    "whitespace only": Kind(changed(lambda _: b" \n" * 100), UNREADABLE),
    "whitespace around": Kind(changed(lambda body: b" \n\t" + body + b"\r\n " * 100), RIGHT),
    "a page": Kind(changed(lambda _: HTML), UNREADABLE),
    "null": Kind(changed(lambda _: b"null"), UNREADABLE),
    "an empty list": Kind(changed(lambda _: b"[]"), UNREADABLE),
    "an empty object": Kind(changed(lambda _: b"{}"), UNREADABLE),
    "data that is null": Kind(
        changed(lambda _: b'{"code":200,"status":"success","data":null}'), UNREADABLE
    ),
    "an error document": Kind(
        changed(lambda _: b'{"code":500,"status":"error","data":{"result":[]}}'), UNREADABLE
    ),
    "two documents": Kind(changed(lambda body: body + body), UNREADABLE),
    "a half document": Kind(changed(half), UNREADABLE),
    "a byte too few": Kind(changed(lambda body: body.rstrip()[:-1]), UNREADABLE),
    "a byte too many": Kind(changed(lambda body: body + b"}"), UNREADABLE),
    "a byte order mark": Kind(changed(lambda body: b"\xef\xbb\xbf" + body), UNREADABLE),
    "a guard before it": Kind(changed(lambda body: b")]}'\n" + body), UNREADABLE),
    "zeros behind it": Kind(changed(lambda body: body + bytes(10)), UNREADABLE),
    "invalid UTF-8": Kind(replace_bytes(b"a", b"\xff"), UNREADABLE),
    "a lone surrogate": Kind(replace_bytes(b'":"', b'":"\\ud800'), UNREADABLE),
    "NaN": Kind(first_number(b"NaN"), UNREADABLE),
    "Infinity": Kind(first_number(b"-Infinity"), UNREADABLE),
    "1e999": Kind(first_number(b"1e999"), UNREADABLE),
    "a number of 400 digits": Kind(first_number(b"9" * 400), UNREADABLE),
    "a number as text": Kind(first_number(b'"15"'), UNREADABLE),
    "a list for a number": Kind(first_number(b"[15]"), UNREADABLE),
    "null for a number": Kind(first_number(b"null"), UNREADABLE),
    "deep nesting": Kind(
        changed(lambda body: b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"," + body[1:]),
        UNREADABLE,
    ),
    "another window": Kind(changed(other_window), UNREADABLE),
}
# These take a while for each reader.
HUGE = ("gzip bomb", "100 MB of whitespace")


@dataclass
class FaultyServer:
    """A pretend cluster with at most one fault at a time.

    Args:
        service: answers what is not faulty.
        port: stays the same, whether it listens or not.
    """

    service: Service
    port: int = 0
    _fault: tuple[Callable[[Request], bool], Speak] | None = None
    _healed: threading.Event = field(default_factory=threading.Event)
    _listening: socket.socket | None = None
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The origin."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def faulty(self, place: str, kind: str) -> Iterator[None]:
        """Give a broken answer to one question within the block."""
        self._healed = threading.Event()
        self._fault = (PLACES[place], KINDS[kind].speak)
        try:
            yield
        finally:
            self._fault = None
            self._healed.set()
            self.listen()

    def listen(self) -> None:
        """Accept connections, unless it does."""
        if self._listening is None:
            self._listening = socket.create_server(("127.0.0.1", self.port), backlog=64)
            self.port = self._listening.getsockname()[1]
            self._start(partial(self._accept, self._listening))

    def refuse(self) -> None:
        """Accept none until it listens again."""
        if self._listening is not None:
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
            self._listening.close()
            self._listening = None

    def stop(self) -> None:
        """End every thread."""
        self._healed.set()
        self.refuse()
        for thread in self._threads:
            thread.join()

    def _start(self, work: Callable[[], None]) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):  # it listens no more
            while True:
                connection, _ = listening.accept()
                self._start(partial(self._serve, connection))

    def _serve(self, connection: socket.socket) -> None:
        # The client may have heard enough before all was said.
        with suppress(OSError), closing(connection), connection.makefile("rb") as received:
            while (line := received.readline()).strip():
                request = _request(line.decode("latin-1"), received)
                answer = self.service.answer(request)
                fault = self._fault
                if fault and fault[0](request):
                    fault[1](Call(connection, answer.body, self._healed, self.refuse))
                    return
                date = f"Date: {formatdate(usegmt=True)}"
                connection.sendall(head(answer.status, date, length(answer.body)) + answer.body)


def _request(first: str, received) -> Request:
    method, target, _ = first.split(" ")
    lines = iter(lambda: received.readline().decode("latin-1").strip(), "")
    named = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    form = received.read(int(named.get("content-length", 0))).decode("latin-1")
    parts = urlsplit(target)
    params = dict(parse_qsl(parts.query)) | dict(parse_qsl(form))
    return Request(method, unquote(parts.path), params, named)


@contextmanager
def faulty_server(anchor: date, name: str, clock: Callable[[], datetime]) -> Iterator[FaultyServer]:
    """Start a pretend cluster that answers rightly until it is made faulty."""
    server = FaultyServer(Service(Cluster(DEFAULT_SEED, anchor, name), clock))
    server.listen()
    try:
        yield server
    finally:
        server.stop()
