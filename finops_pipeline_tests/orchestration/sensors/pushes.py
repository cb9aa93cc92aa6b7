"""What the metrics sensor pushes to a gateway."""

from typing import NamedTuple

import dagster as dg
import httpx
from prometheus_client.parser import text_string_to_metric_families

from finops_pipeline.definitions import defs
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline_tests.installation.homes import Home
from finops_pipeline_tests.servers import Process

Samples = dict[str, list[tuple[dict[str, str], float]]]  # labels and value, by metric


class Evaluation(NamedTuple):
    """Answer of the sensor to the daemon, every half minute."""

    message: str
    cursor: str | None


def evaluate(own_home: Home, cursor: str | None = None) -> Evaluation:
    """Evaluate the sensor as Dagster's daemon does."""
    resources = {"installation": InstallationResource()}
    with (
        own_home.settings(),
        dg.build_sensor_context(own_home.instance, cursor, resources=resources) as context,
    ):
        outcome = defs.resolve_sensor_def("push_metrics").evaluate_tick(context)
    return Evaluation(outcome.skip_message or "", outcome.cursor)


def samples_in(gateway: Process) -> Samples:
    """Return the gateway's samples, without labels that it adds itself or that are empty."""
    families = text_string_to_metric_families(httpx.get(f"{gateway.url}/metrics").text)
    return {
        family.name: [(_own(sample.labels), sample.value) for sample in family.samples]
        for family in families
    }


def _own(labels: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in labels.items() if v and k not in {"job", "instance"}}
