"""Ways into the API of a cluster, as the official client finds them: service account or kubeconfig.

Only its configuration is used. Its import is slow, so that it comes late and only where a cluster
has such access.
"""

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import yaml

from finops_pipeline import http
from finops_pipeline.errors import ServerRejected
from finops_pipeline.settings import http_url

if TYPE_CHECKING:
    from kubernetes.client import Configuration

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@contextmanager
def from_service_account(
    cluster: str, folder: Path = SERVICE_ACCOUNT, environ: Mapping[str, str] = os.environ
) -> Iterator[httpx.Client]:
    """The API of the cluster this process runs in.

    Args:
        cluster: named in the error.
        folder: where Kubernetes mounts token and certificate authority.
        environ: variables with the address.

    Raises:
        ServerRejected: this is no pod, or it has no service account.
    """
    from kubernetes.client import Configuration
    from kubernetes.config.incluster_config import InClusterConfigLoader

    found = Configuration()
    with _translate_errors(cluster):
        loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]
            token_filename=str(folder / "token"),
            cert_filename=str(folder / "ca.crt"),
            try_refresh_token=False,  # a tick is shorter than a token's life
            environ=environ,
        )
        loader.load_and_set(found)  # type: ignore[no-untyped-call]
        client = _client(found)
    with client:
        yield client


@contextmanager
def from_kubeconfig(cluster: str, file: Path | None, context: str) -> Iterator[httpx.Client]:
    """The API that a context names: with token, client certificate, password or exec plugin.

    Args:
        cluster: named in the error.
        file: by default where kubectl looks: KUBECONFIG, then ``~/.kube/config``.
        context: by default the current one.

    Raises:
        ServerRejected: the file or the context is missing or wrong, or its plugin fails.
    """
    from finops_pipeline.sources.kubernetes.kubeconfig import read_context

    with _translate_errors(cluster):
        client = _client(read_context(file, context))
    with client:
        yield client


@contextmanager
def _translate_errors(cluster: str) -> Iterator[None]:
    from kubernetes.config import ConfigException

    try:
        yield
    # What stands in the file reaches the client unchecked: a list where it wants a table is a
    # TypeError or AttributeError deep inside.
    except (
        ConfigException,
        yaml.YAMLError,
        OSError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        RecursionError,
        ImportError,  # a proxy of a kind that httpx needs another package for
        httpx.InvalidURL,
    ) as error:
        raise ServerRejected(
            f"cluster {cluster}: its Kubernetes access does not work: {error}"
        ) from error


def _client(found: "Configuration") -> httpx.Client:
    token = found.api_key.get("BearerToken", "").strip()  # with its scheme, Bearer or Basic
    if not re.fullmatch("[ -~]*", token):  # refused here, where nobody repeats it in an error
        raise ValueError("its token is not all visible ASCII")
    return http.client(
        _address(found.host),
        headers={"Authorization": token} if token else {},
        verify=_verify(found),
        proxy=found.proxy,
    )


def _address(server: str) -> str:
    try:
        return http_url(server)
    except ValueError as error:
        raise ValueError(f"its server {error}") from error


def _verify(found: "Configuration") -> ssl.SSLContext | bool:
    if not found.host.startswith("https"):
        return True  # nothing to verify
    context = ssl.create_default_context(cafile=found.ssl_ca_cert)
    if not found.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if found.cert_file:
        context.load_cert_chain(found.cert_file, found.key_file)
    return context
