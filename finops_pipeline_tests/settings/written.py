"""Settings as people write them: variables and TOML of one cluster."""

import json

CLUSTER = {"name": "prod-eu", "opencost_url": "http://oc:9003", "prometheus_url": "http://prom"}
CLUSTERS = json.dumps([CLUSTER])


def cluster(**changes: object) -> dict[str, str]:
    """Return variables for one cluster; None takes a key out."""
    keys = {key: value for key, value in {**CLUSTER, **changes}.items() if value is not None}
    return {"FINOPS_CLUSTERS": json.dumps([keys])}


def table(**keys: object) -> str:
    """Return TOML of one cluster; JSON's text and true are TOML's too."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in {**CLUSTER, **keys}.items()]
    return "\n".join(["[[clusters]]", *lines, ""])


def tokens(cluster):
    """Return the two tokens of a cluster as text."""
    secrets = (cluster.opencost_token, cluster.prometheus_token)
    return tuple(token and token.get_secret_value() for token in secrets)
