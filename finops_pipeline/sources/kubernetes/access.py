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
    """Connect to the API of the cluster this process runs in.

    Args:
        cluster: named in the error.
        folder: where Kubernetes mounts token and certificate authority.
        environ: variables with the address.

    Raises:
        ServerRejected: this is no pod, or it has no service account.
    """
    from kubernetes.client import Configuration
    from kubernetes.config.incluster_config import InClusterConfigLoader

    configuration = Configuration()
    with _translate_errors(cluster):
        loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]
            token_filename=str(folder / "token"),
            cert_filename=str(folder / "ca.crt"),
            try_refresh_token=False,  # a tick is shorter than a token's life
            environ=environ,
        )
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        client = _client(configuration)
    with client:
        yield client


@contextmanager
def from_kubeconfig(cluster: str, file: Path | None, context: str) -> Iterator[httpx.Client]:
    """Connect to the API that a context names: by token, certificate, password or exec plugin.

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


def _client(configuration: "Configuration") -> httpx.Client:
    token = configuration.api_key.get("BearerToken", "").strip()  # with its scheme, Bearer or Basic
    if not re.fullmatch("[ -~]*", token):  # refused here, where no error repeats it
        raise ValueError("its token is not all visible ASCII")
    return http.client(
        _address(configuration.host),
        headers={"Authorization": token} if token else {},
        verify=_verify(configuration),
        proxy=configuration.proxy,
    )


def _address(server: str) -> str:
    try:
        return http_url(server)
    except ValueError as error:
        raise ValueError(f"its server {error}") from error


def _verify(configuration: "Configuration") -> ssl.SSLContext | bool:
    if not configuration.host.startswith("https"):
        return True  # nothing to verify
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context
