"""A cluster: the servers that know about it, how they are reached, what its resources cost."""

import json
import re
from itertools import combinations
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator, model_validator

from finops_pipeline.settings.values import (
    PREFIX,
    Amount,
    FilePath,
    HttpUrl,
    LabelNames,
    Lenient,
    Section,
    find_repeated,
    key,
)

SECRET_HEADERS = {"authorization", "proxy-authorization", "cookie", "x-api-key"}
HEADER_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
HEADER_VALUE = re.compile(r"|[!-~]([ -~]*[!-~])?")


def _price(text: str, unit: str) -> Any:
    """Return the field of a price that may be left out."""
    return key(text, unit, default=None, ge=0, le=1e6, allow_inf_nan=False)


class Price(Section):
    """Prices of resources where the source has none, and the discount where it has one."""

    node_pool: str = key(
        "Nodes it is for; empty: all, where their own entry has no price", default=""
    )
    cpu_core_hour_price: Amount = _price("Of a core", "currency per core-hour")
    memory_gib_hour_price: Amount = _price("Of memory", "currency per GiB-hour")
    gpu_hour_price: Amount = _price("Of a GPU", "currency per GPU-hour")
    storage_gb_month_price: Amount = _price(
        "Of a volume, of all node pools", "currency per GB and month of 730 hours"
    )
    load_balancer_month_price: Amount = _price(
        "Of a load balancer, of all node pools", "currency per month of 730 hours"
    )
    discount_ratio: float = key(
        "Taken off the source's prices of nodes, not off these", "ratio", default=0.0, ge=0, lt=1
    )
    is_preferred: bool = key("Use these prices also where the source has its own", default=False)

    @model_validator(mode="after")
    def _refuse_pool_without_nodes(self) -> Self:
        for name in ("storage_gb_month_price", "load_balancer_month_price"):
            if self.node_pool and getattr(self, name) is not None:
                raise ValueError(f"{name} has no node pool: give it in the entry without one")
        return self


class Cluster(Section):
    """Kubernetes cluster, and the servers that know about it."""

    name: str = key(
        "Its name in every table; never change it",
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        max_length=63,
    )
    opencost_url: HttpUrl = key(
        "OpenCost's API, or Kubecost's with its path /model: then read again after 49 h, too"
    )
    prometheus_url: HttpUrl = key("The Prometheus that OpenCost reads, or one like it")
    prometheus_matchers: dict[str, str] = key(
        "Label values that select this cluster where several share one Prometheus",
        default_factory=dict,
    )
    opencost_token_file: FilePath | None = key(
        "File with the bearer token for OpenCost", default=None
    )
    prometheus_token_file: FilePath | None = key(
        "File with the bearer token for Prometheus", default=None
    )
    headers: dict[str, str] = key(
        "Headers sent to both, such as X-Scope-OrgID; no secrets", default_factory=dict
    )
    verify: bool = key("Check the servers' certificates", default=True)
    ca_file: FilePath | None = key(
        "Certificate authorities to trust instead of the usual ones", default=None
    )
    client_certificate_file: FilePath | None = key(
        "Certificate that we show to both servers, where they want one", default=None
    )
    client_key_file: FilePath | None = key("Its key; by default in the same file", default=None)
    kubernetes_access: Literal["none", "in-cluster", "kubeconfig"] = key(
        "How its Kubernetes API is reached: none, in-cluster (as the pod's service account) or"
        " kubeconfig",
        default="none",
    )
    kubeconfig_file: FilePath | None = key(
        "kubeconfig to use; by default where kubectl looks", default=None
    )
    kubeconfig_context: str = key("Its context; empty: the current one", default="")
    bill_accounts: LabelNames = key(
        "Its accounts in the cloud's bill: charges of these SubAccountIds are its own", default=()
    )
    bill_tags: dict[str, str] = key(
        "Tags that such charges must have, too, where clusters share an account",
        default_factory=dict,
    )
    prices: Annotated[tuple[Price, ...], Lenient] = ()
    opencost_token: SecretStr | None = key("Bearer token for OpenCost", default=None)
    prometheus_token: SecretStr | None = key("Bearer token for Prometheus", default=None)

    @field_validator("opencost_token", "prometheus_token", mode="before")
    @classmethod
    def _refuse_token(cls, token: object) -> object:
        """Refuse a token that stands among the settings."""
        if token is not None:
            raise ValueError("is a secret: use its variable or token file")
        return token

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        if SECRET_HEADERS & {name.lower() for name in headers}:
            raise ValueError("holds a secret: use the token's variable or token file")
        for name, value in headers.items():
            if not (HEADER_NAME.fullmatch(name) and HEADER_VALUE.fullmatch(value)):
                raise ValueError("has a name or value that is no header: use visible ASCII")
        return headers

    @field_validator("prometheus_matchers")
    @classmethod
    def _check_labels(cls, matchers: dict[str, str]) -> dict[str, str]:
        if any(not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", label) for label in matchers):
            raise ValueError("has a key that is not a Prometheus label name")
        return matchers

    @model_validator(mode="after")
    def _check_certificates(self) -> Self:
        if self.ca_file and not self.verify:
            raise ValueError("ca_file is of no use with verify = false: give one of them")
        if self.client_key_file and not self.client_certificate_file:
            raise ValueError("client_key_file is of no use without client_certificate_file")
        return self

    @field_validator("prices")
    @classmethod
    def _refuse_twin_pools(cls, prices: tuple[Price, ...]) -> tuple[Price, ...]:
        pools = [price.node_pool for price in prices]
        for pool in pools:
            if pools.count(pool) > 1:
                raise ValueError(f"has two entries for node_pool {pool!r}")
        return prices

    @model_validator(mode="after")
    def _check_kubeconfig(self) -> Self:
        names = ("kubeconfig_file", "kubeconfig_context")
        key = next((name for name in names if getattr(self, name)), None)
        if key and self.kubernetes_access != "kubeconfig":
            raise ValueError(f'{key} is of no use without kubernetes_access = "kubeconfig"')
        return self

    @model_validator(mode="after")
    def _check_bill_tags(self) -> Self:
        if self.bill_tags and not self.bill_accounts:
            raise ValueError("bill_tags is of no use without bill_accounts")
        return self

    @property
    def is_kubecost(self) -> bool:
        """Return whether Kubecost answers: its API lies under ``/model``."""
        return urlsplit(self.opencost_url).path.rstrip("/").endswith("/model")

    def promql_matchers(self) -> str:
        """Return ``cluster="prod-eu"``, for every selector of a query; empty without matchers."""
        quoted = {k: json.dumps(v, ensure_ascii=False) for k, v in self.prometheus_matchers.items()}
        return ",".join(f"{label}={value}" for label, value in sorted(quoted.items()))


def token_variables(cluster: str) -> tuple[str, str]:
    """Return the variables with the bearer tokens of a cluster: for OpenCost, for Prometheus."""
    stem = f"{PREFIX}CLUSTER_{cluster.upper().replace('-', '_')}"
    return f"{stem}_TOKEN", f"{stem}_PROMETHEUS_TOKEN"


def refuse_twins(clusters: tuple[Cluster, ...]) -> tuple[Cluster, ...]:
    """Refuse clusters that share a name, a token, a server or an account.

    Raises:
        ValueError: two clusters share one of these, or there is no cluster.
    """
    if not clusters:
        raise ValueError("should name at least one cluster")
    for twin in (
        find_repeated([cluster.name for cluster in clusters]),
        find_repeated([name for cluster in clusters for name in token_variables(cluster.name)]),
    ):
        if twin:
            raise ValueError(f"two clusters would share {twin}: give each a name of its own")
    if url := find_repeated([_normalize(cluster.opencost_url) for cluster in clusters]):
        raise ValueError(f"two clusters have the opencost_url {url}: its cost would double")
    apis = [_kubernetes_api(cluster) for cluster in clusters]
    if api := find_repeated([api for api in apis if api]):
        raise ValueError(f"two clusters have the same Kubernetes API, {api}: give each its own")
    for first, second in combinations(clusters, 2):
        if account := _shared_account(first, second):
            raise ValueError(
                f"{first.name} and {second.name} have the bill_account {account}: tell their"
                " charges apart by bill_tags, one key with two values"
            )
    return clusters


def _shared_account(first: Cluster, second: Cluster) -> str:
    """Return an account of which a charge could be either cluster's; empty without one."""
    tags = first.bill_tags.keys() & second.bill_tags.keys()
    if any(first.bill_tags[tag] != second.bill_tags[tag] for tag in tags):
        return ""
    return min({*first.bill_accounts} & {*second.bill_accounts}, default="")


def _normalize(url: str) -> str:
    """Return the URL as its server sees it."""
    parts = urlsplit(url)
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(default)}{parts.path.rstrip('/')}"


def _kubernetes_api(cluster: Cluster) -> str:
    """Return the way to the Kubernetes API, which clusters cannot share; empty without access."""
    if cluster.kubernetes_access != "kubeconfig":
        return cluster.kubernetes_access.removeprefix("none")
    file = cluster.kubeconfig_file or "the usual file"
    return f"context {cluster.kubeconfig_context or 'in use'} of {file}"
