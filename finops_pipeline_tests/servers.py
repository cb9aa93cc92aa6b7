"""Real servers on free loopback ports: each ends with its block, and only what it started.

Prometheus over a history, Pushgateway, recorded OpenCost answers over real HTTP, and any answer a
test thinks of.
"""

import gzip
import json
import lzma
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from urllib.parse import parse_qsl, urlsplit
from urllib.request import urlopen
from uuid import uuid4

from finops_pipeline_tests import programs

ANSWERS = Path(__file__).parent / "answers"
HISTORY = ANSWERS / "prometheus" / "history.om.xz"  # behind opencost/day, to 2026-11-24T00:30Z

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0

Respond = Callable[[BaseHTTPRequestHandler], None]
Question = tuple[str, tuple[tuple[str, str], ...]]  # path and sorted parameters


@dataclass(frozen=True)
class Process:
    """A program that listens."""

    url: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End it without warning, as a crash would."""
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True)
class Recorded:
    """Status, content type and body as a real server sent them."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Replay:
    """Recorded answers over HTTP; a test may change ``answers`` and look at ``asked``."""

    url: str
    answers: dict[Question, Recorded]
    asked: list[str]


def blocks(history: Path, folder: Path) -> Path:
    """Return the data folder of a Prometheus that has seen a history.

    Args:
        history: OpenMetrics text, ``.xz`` or plain; must end with ``# EOF``.
        folder: filled once; side by side, the first wins and all are equal.
    """
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    text, made = (folder.with_name(f"{folder.name}.{uuid4().hex}.{end}") for end in ("om", "tsdb"))
    unpack = lzma.open if history.suffix == ".xz" else open
    with unpack(history, "rb") as source, text.open("wb") as target:
        shutil.copyfileobj(source, target)
    subprocess.run(
        [
            _program("promtool"),
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            "--max-block-duration=720h",
            text,
            made,
        ],
        check=True,
        capture_output=True,
    )
    text.unlink()
    with suppress(OSError):  # another process was faster
        made.rename(folder)
    return folder


@contextmanager
def prometheus(blocks: Path, folder: Path, port: int | None = None) -> Iterator[Process]:
    """Start a Prometheus that scrapes nothing and keeps all samples.

    Args:
        blocks: from :func:`blocks`; copied, so that several servers may share it.
        folder: empty or missing; for its data.
        port: any free one by default.
    """
    data = folder / "data"
    shutil.copytree(blocks, data)
    settings = folder / "prometheus.yml"
    settings.write_text("")
    arguments = [
        f"--config.file={settings}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        "--log.level=error",
    ]
    with _running("prometheus", arguments, "/-/ready", port) as server:
        yield server


@contextmanager
def pushgateway() -> Iterator[Process]:
    """Start an empty Pushgateway that keeps nothing."""
    with _running("prometheus-pushgateway", ["--persistence.file="], "/-/ready") as server:
        yield server


@contextmanager
def opencost(folder: Path = ANSWERS / "opencost" / "day", prefix: str = "") -> Iterator[Replay]:
    """Recorded answers of an OpenCost, by path and parameters; anything else is 404.

    What was recorded container by container is not added up, as servers do that know no aggregate.
    """
    answers, asked = recorded(folder, prefix), list[str]()
    with responding(lambda handler: _replay(handler, answers, asked)) as url:
        yield Replay(url, answers, asked)


@contextmanager
def responding(respond: Respond) -> Iterator[str]:
    """Start a server that does to each request what a function says; yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each body waits 40 ms for its headers' receipt

        def do_GET(self) -> None:
            with suppress(ConnectionError):  # the client has heard enough
                respond(self)

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send(handler: BaseHTTPRequestHandler, answer: Recorded) -> None:
    """Send a complete answer."""
    handler.send_response(answer.status)
    handler.send_header("Content-Type", answer.content_type)
    handler.send_header("Content-Length", str(len(answer.body)))
    handler.end_headers()
    handler.wfile.write(answer.body)


def recorded(folder: Path, prefix: str = "") -> dict[Question, Recorded]:
    """Answers of a folder by question; the first of each.

    Args:
        folder: of recorded answers with their ``index.json``.
        prefix: of the files, where one question was asked under several faults.
    """
    answers: dict[Question, Recorded] = {}
    for entry in json.loads((folder / "index.json").read_text()):
        if entry["file"] and entry["file"].startswith(prefix):
            headers = {name.lower(): value for name, value in entry["headers"]}
            kind = headers.get("content-type", "application/json")
            answer = Recorded(entry["status"], kind, body(folder / entry["file"]))
            answers.setdefault(question(entry["url"]), answer)
    return answers


def body(file: Path) -> bytes:
    """Read a recorded body, unpacked."""
    packed = file.read_bytes()
    return gzip.decompress(packed) if file.suffix == ".gz" else packed


def question(url: str) -> Question:
    """Parse what a URL asks for, in any encoding of its parameters."""
    parts = urlsplit(url)
    return parts.path, tuple(sorted(parse_qsl(parts.query)))


def _replay(
    handler: BaseHTTPRequestHandler, answers: dict[Question, Recorded], asked: list[str]
) -> None:
    asked.append(handler.path)
    unknown = Recorded(404, "text/plain", b"not recorded")
    path, parameters = question(handler.path)
    plain = path, tuple(pair for pair in parameters if pair[0] != "aggregate")
    send(handler, answers.get((path, parameters)) or answers.get(plain, unknown))


@contextmanager
def _running(
    program: str, arguments: list[str], ready: str, port: int | None = None
) -> Iterator[Process]:
    address = f"127.0.0.1:{port or _free_port()}"
    command = [_program(program), f"--web.listen-address={address}", *arguments]
    with (
        TemporaryFile() as log,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log) as process,
    ):
        try:
            _wait(process, f"http://{address}{ready}", log)
            yield Process(f"http://{address}", process)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen[bytes], url: str, log: IO[bytes]) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), urlopen(url, timeout=1):
            return
        time.sleep(0.05)
    log.seek(0)
    raise RuntimeError(f"{url} does not answer: {log.read().decode()}")


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _program(name: str) -> str:
    found = programs.find(name)
    if found is None:
        raise RuntimeError(f"{name} is missing: {programs.remedy(name)}")
    return os.fspath(found)
