"""Address and credentials of a context of a kubeconfig, by the official client.

Left alone it only logs what goes wrong with a plugin, waits for one without end, and goes on
without credentials where it does not find the user: the error would name missing rights instead.
"""

import json
import subprocess
from base64 import b64encode
from pathlib import Path

import msgspec
from kubernetes.client import Configuration
from kubernetes.config import ConfigException
from kubernetes.config.exec_provider import ExecProvider
from kubernetes.config.kube_config import (
    KUBE_CONFIG_DEFAULT_LOCATION,
    KubeConfigLoader,
    KubeConfigMerger,
)
from msgspec import Struct, field

_PLUGIN_SECONDS = 30.0  # those of clouds take a second or two; a login in a browser never ends
_SHOWN_CHARACTERS = 200


def read_context(
    file: Path | None, context: str, *, plugin_seconds: float = _PLUGIN_SECONDS
) -> Configuration:
    """Read address and credentials of a context.

    Args:
        file: by default where kubectl looks.
        context: by default the current one.
        plugin_seconds: how long a plugin is waited for.

    Raises:
        ConfigException: there is no such file, context or user, or it has no credentials.
        TypeError: so do AttributeError, LookupError and ValueError: the file is no kubeconfig.
    """
    merged = KubeConfigMerger(str(file or KUBE_CONFIG_DEFAULT_LOCATION)).config  # type: ignore[no-untyped-call]
    if merged is None:
        raise ConfigException(f"there is no kubeconfig {file or KUBE_CONFIG_DEFAULT_LOCATION}")
    configuration = Configuration()
    loader = _Loader(merged, active_context=context or None)  # type: ignore[no-untyped-call]
    loader.plugin_seconds = plugin_seconds
    loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
    loader.require_credentials(configuration)
    return configuration


class _Loader(KubeConfigLoader):
    plugin_seconds = _PLUGIN_SECONDS

    def require_credentials(self, configuration: Configuration) -> None:
        """Refuse a user that is not there, or of whose credentials none was understood."""
        context, user = self._current_context, self._user
        name = context and context["context"].safe_get("user")
        if name and user is None:
            raise ConfigException(f"there is no user {name!r}")
        if user and user.value and not (configuration.api_key or configuration.cert_file):
            raise ConfigException(f"user {name!r} has no credentials of a kind that we know")

    def _load_from_exec_plugin(self) -> bool:
        user, cluster = self._user, self._cluster
        if not user or not cluster or "exec" not in user:
            return False
        folder = self._get_base_path(cluster.path)  # type: ignore[no-untyped-call]
        plugin = ExecProvider(user["exec"], folder, cluster)  # type: ignore[no-untyped-call]
        credentials = _run(plugin, self.plugin_seconds)
        if credentials.token:
            self.token = f"Bearer {credentials.token}"
        elif credentials.certificate and credentials.key:
            user.value["client-certificate-data"] = b64encode(credentials.certificate.encode())
            user.value["client-key-data"] = b64encode(credentials.key.encode())
        return True


class _Status(Struct):
    token: str = ""
    certificate: str = field(default="", name="clientCertificateData")
    key: str = field(default="", name="clientKeyData")


class _Credential(Struct):
    status: _Status


def _run(plugin: ExecProvider, seconds: float) -> _Status:
    """Run a plugin and parse the credentials it prints; it cannot ask a question of its own.

    Raises:
        ConfigException: it fails, is too slow, or prints something else.
    """
    spec = {"interactive": False, **({"cluster": plugin.cluster.value} if plugin.cluster else {})}
    request = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    try:
        process = subprocess.run(  # noqa: S603  # what the kubeconfig says, as kubectl does
            plugin.args,
            env={**plugin.env, "KUBERNETES_EXEC_INFO": json.dumps(request)},
            cwd=plugin.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        message = f"plugin {plugin.args[0]} gave no answer in {seconds:.0f} s"
        raise ConfigException(message) from error
    if process.returncode:
        reason = process.stderr.decode(errors="replace").strip()[:_SHOWN_CHARACTERS]
        raise ConfigException(f"plugin {plugin.args[0]} failed, {process.returncode}: {reason}")
    try:
        return msgspec.json.decode(process.stdout, type=_Credential).status
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # shown without what it printed
        raise ConfigException(f"plugin {plugin.args[0]} printed no credential: {error}") from None
