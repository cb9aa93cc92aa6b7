"""Connections to clusters: certificates we trust, and those we show."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from finops_pipeline.errors import ServerRejected, ServerUnavailable
from finops_pipeline.installation.source_registry import open_clients
from finops_pipeline.settings import Cluster
from finops_pipeline.sources import probe

NOW = datetime(2026, 11, 23, tzinfo=UTC)
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.certificate = folder, folder / "ca.pem"
        self._openssl("req", "-x509", *KEY, "-keyout", "ca.key", "-out", "ca.pem", *subject("ca"))

    def issue(self, name: str, days: int = 1) -> Path:
        """Issue a certificate for 127.0.0.1, its key in the same file."""
        (self.folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
        request = ["-keyout", f"{name}.key", "-out", f"{name}.csr"]
        self._openssl("req", "-new", *KEY, *request, *subject(name))
        authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", str(days)]
        files = ["-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", "names"]
        self._openssl("x509", "-req", *files, *authority)
        whole = self.folder / f"{name}-with-key.pem"
        parts = (self.folder / f"{name}.{kind}" for kind in ("key", "pem"))
        whole.write_text("".join(part.read_text() for part in parts))
        return whole

    def _openssl(self, *arguments: str) -> None:
        command = ["openssl", *arguments]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)


def subject(name: str) -> list[str]:
    return ["-subj", f"/CN={name}"]


class Handler(BaseHTTPRequestHandler):
    """Answers as an OpenCost that is asked what it is."""

    def do_GET(self) -> None:
        body = b'{"version": "secret"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that is not let in: a test wants it."""


@contextmanager
def serving(certificate: Path, clients: Path | None = None) -> Iterator[str]:
    """Serve over TLS; with the authority of clients only those are let in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if clients:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def version(url: str, **settings: Any) -> str | None:
    cluster = Cluster(name="prod", opencost_url=url, prometheus_url=url, **settings)
    with open_clients(cluster) as clients:
        return probe.probe_opencost(clients.opencost).version


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates") / "ours")


@pytest.mark.needs("openssl")
def test_a_server_is_trusted_by_its_authority_or_on_request(ours):
    with serving(ours.issue("server")) as url:
        assert version(url, ca_file=ours.certificate) == "secret"
        assert version(url, verify=False) == "secret"
        with pytest.raises(ServerUnavailable, match="certificate verify failed"):
            version(url)


@pytest.mark.needs("openssl")
def test_a_certificate_of_another_authority_is_refused(ours, tmp_path):
    with (
        serving(Authority(tmp_path / "theirs").issue("server")) as url,
        pytest.raises(ServerUnavailable, match="certificate verify failed"),
    ):
        version(url, ca_file=ours.certificate)


@pytest.mark.needs("openssl")
def test_an_expired_certificate_is_refused(ours):
    with (
        serving(ours.issue("expired", days=-1)) as url,
        pytest.raises(ServerUnavailable, match="certificate has expired"),
    ):
        version(url, ca_file=ours.certificate)


@pytest.mark.needs("openssl")
def test_a_server_that_wants_one_is_shown_our_certificate(ours):
    mine = ours.issue("client")
    with serving(ours.issue("server"), clients=ours.certificate) as url:
        trusted = {"ca_file": ours.certificate}
        assert version(url, **trusted, client_certificate_file=mine) == "secret"
        parts = {
            "client_certificate_file": mine.with_name("client.pem"),
            "client_key_file": mine.with_name("client.key"),
        }
        assert version(url, **trusted, **parts) == "secret"
        with pytest.raises(ServerUnavailable, match="no answer"):
            version(url, **trusted)


def test_a_certificate_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ServerRejected, match="cluster prod: its settings do not work"):
        version("https://127.0.0.1:9", client_certificate_file=tmp_path / "nothing.pem")
