"""HTTP origin on loopback: ``/opencost``, ``/prometheus``, ``/kubernetes``, ``/manifest``.

An ``asyncio`` protocol instead of ``http.server``: one thread serves every connection, so that the
model needs no lock, stopping leaves no thread behind, and a request costs about half of the CPU.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from email.utils import formatdate
from http import HTTPStatus
from types import ModuleType
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote

import msgspec

from finops_pipeline.simulation import kubernetes, manifest, opencost, prometheus
from finops_pipeline.simulation.answer import JSON, TEXT, Answer, not_found
from finops_pipeline.simulation.cluster import Cluster

DEFAULT_SEED: Final = 7
_DIALECTS: Final[Mapping[str, ModuleType]] = {
    "opencost": opencost,
    "prometheus": prometheus,
    "kubernetes": kubernetes,
}
# The pipeline's longest query has some 10 kB.
_MAX_REQUEST_BYTES: Final = 2**20


class Request(NamedTuple):
    """HTTP request to the pretend cluster."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case


# What a path answers instead: a canned answer, or a function that may leave it alone (None).
Fault = Answer | Callable[[Request], Answer | None]


def utc_now() -> datetime:
    """Return the real time."""
    return datetime.now(UTC)


class Service:
    """Routes requests to the dialects; knows no sockets.

    Args:
        cluster: the model.
        clock: what time it is; nothing later is answered.
    """

    def __init__(self, cluster: Cluster, clock: Callable[[], datetime]) -> None:
        self.cluster, self.clock = cluster, clock
        self.faults: dict[str, Fault] = {}

    def answer(self, request: Request) -> Answer:
        """Answer one request, by the fault with the longest matching prefix if there is one."""
        for prefix in sorted(self.faults, key=len, reverse=True):
            if request.path.startswith(prefix):
                fault = self.faults[prefix]
                answer = fault(request) if callable(fault) else fault
                if answer is not None:
                    return answer
        return self._route(request)

    def _route(self, request: Request) -> Answer:
        _, name, *rest = request.path.split("/", 2)
        if name == "manifest":
            return Answer(msgspec.json.encode(manifest.plant(self.cluster.anchor)))
        if name not in _DIALECTS:
            return not_found()
        if request.method != "GET" and (name, request.method) != ("prometheus", "POST"):
            is_api = name == "kubernetes"
            refusal = Answer(b"Method Not Allowed\n", 405, TEXT)
            return kubernetes.method_not_allowed() if is_api else refusal
        path = "/" + "".join(rest)
        answer: Answer = _DIALECTS[name].answer(self.cluster, path, request.params, self.clock())
        return answer


class _Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive; one buffered write per answer."""

    def __init__(self, service: Service, transports: set[asyncio.Transport]) -> None:
        self._service, self._open = service, transports
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        self._open.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while not self._transport.is_closing() and (request := self._next_request()):
            self._write(request, self._service.answer(request))

    def _next_request(self) -> Request | None:
        """Return the next complete request, and take it out of the buffer."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            self._refuse_if_too_long(len(self._buffer))
            return None
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        method, _, rest = first.partition(" ")
        length = headers.get("content-length", "0")
        if not rest.endswith(("HTTP/1.1", "HTTP/1.0")) or not length.isdigit():
            self._refuse()
            return None
        stop = end + 4 + int(length)
        if len(self._buffer) < stop:
            self._refuse_if_too_long(stop)
            return None
        body = self._buffer[end + 4 : stop].decode("latin-1")
        del self._buffer[:stop]
        path, _, query = rest.rpartition(" ")[0].partition("?")
        params = dict(parse_qsl(query, keep_blank_values=True))
        if method == "POST":
            params |= dict(parse_qsl(body, keep_blank_values=True))
        return Request(method, unquote(path), params, headers)

    def _refuse_if_too_long(self, size: int) -> None:
        if size > _MAX_REQUEST_BYTES:
            self._refuse()

    def _refuse(self) -> None:
        self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        self._transport.close()

    def _write(self, request: Request, answer: Answer) -> None:
        closes = request.headers.get("connection", "").lower() == "close"
        head = (
            f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
            f"Date: {formatdate(answer.sent_at, usegmt=True)}\r\n"
            f"Content-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(answer.body)}\r\n"
            f"Connection: {'close' if closes else 'keep-alive'}\r\n\r\n"
        ).encode()
        self._transport.write(head if request.method == "HEAD" else head + answer.body)
        if closes:
            self._transport.close()


class Server:
    """A running pretend cluster; ``faults`` makes paths fail, by prefix such as ``/opencost``."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.Transport] = set()

    @property
    def faults(self) -> dict[str, Fault]:
        """Path prefixes, and the faults that answer there instead."""
        return self.service.faults

    @property
    def url(self) -> str:
        """The origin."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def opencost_url(self) -> str:
        """Base URL of the pretend OpenCost."""
        return f"{self.url}/opencost"

    @property
    def prometheus_url(self) -> str:
        """Base URL of the pretend Prometheus."""
        return f"{self.url}/prometheus"

    @property
    def kubernetes_url(self) -> str:
        """Base URL of the pretend Kubernetes API."""
        return f"{self.url}/kubernetes"

    def start(self, port: int) -> None:
        """Open the port (0: any free one); connections are served by ``serve_forever``.

        Raises:
            OSError: the port is taken.
        """
        opening = self._loop.create_server(
            lambda: _Connection(self.service, self._open), "127.0.0.1", port
        )
        try:
            self._listening = self._loop.run_until_complete(opening)
        except OSError:
            self._loop.close()
            raise
        self.port = self._listening.sockets[0].getsockname()[1]

    def serve_forever(self) -> None:
        """Serve until ``stop``, then close every connection."""
        self._loop.run_forever()
        self._listening.close()
        for transport in list(self._open):
            transport.abort()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.run_until_complete(self._listening.wait_closed())
        self._loop.close()

    def stop(self) -> None:
        """Make ``serve_forever`` return; from any thread or signal handler."""
        self._loop.call_soon_threadsafe(self._loop.stop)


def create(
    port: int = 0,
    *,
    seed: int = DEFAULT_SEED,
    anchor: date | None = None,
    cluster_name: str = "demo",
    clock: Callable[[], datetime] = utc_now,
) -> Server:
    """Create a server with its port open, not yet serving.

    Args:
        port: 0 takes any free one.
        seed: another seed is another cluster of the same shape.
        anchor: day the planted events are counted from; today (UTC) by default.
        cluster_name: how the pretend OpenCost calls the cluster.
        clock: what time it is; nothing later is answered.

    Raises:
        OSError: the port is taken.
    """
    cluster = Cluster(seed, anchor or clock().astimezone(UTC).date(), cluster_name)
    server = Server(Service(cluster, clock))
    server.start(port)
    return server


@contextmanager
def serve(
    port: int = 0,
    *,
    seed: int = DEFAULT_SEED,
    anchor: date | None = None,
    cluster_name: str = "demo",
    clock: Callable[[], datetime] = utc_now,
) -> Iterator[Server]:
    """Run the server of ``create`` in a thread of its own; stop it when the block ends."""
    server = create(port, seed=seed, anchor=anchor, cluster_name=cluster_name, clock=clock)
    thread = threading.Thread(target=server.serve_forever, name="simulation", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def run(
    port: int,
    *,
    seed: int = DEFAULT_SEED,
    anchor: date | None = None,
    cluster_name: str = "demo",
    clock: Callable[[], datetime] = utc_now,
    ready: Callable[[Server], None] = lambda server: None,
) -> None:
    """Serve until SIGTERM or SIGINT; call it in the main thread.

    Args:
        port: 0 takes any free one.
        seed: as for ``create``.
        anchor: as for ``create``.
        cluster_name: as for ``create``.
        clock: as for ``create``.
        ready: called with the server once its port is open.
    """
    server = create(port, seed=seed, anchor=anchor, cluster_name=cluster_name, clock=clock)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    ready(server)
    server.serve_forever()


__all__ = ["JSON", "TEXT", "Answer", "Fault", "Request", "Server", "create", "run", "serve"]
