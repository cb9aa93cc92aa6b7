"""A failed run is reported once to a real server, and so is the tick that succeeds after it."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import dagster as dg
import pytest

from finops_pipeline.definitions import defs
from finops_pipeline.errors import ServerUnavailable
from finops_pipeline.orchestration.jobs import TICK
from finops_pipeline.orchestration.sensors import alerts
from finops_pipeline_tests.servers import Recorded, responding, send

VARIABLE = "FINOPS_ALERTS__WEBHOOK_URL"
CLUSTERS = '[{"name": "prod", "opencost_url": "http://oc", "prometheus_url": "http://prom"}]'
Messages = list[dict[str, str]]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def messages(monkeypatch) -> Iterator[Messages]:
    """Messages that the webhook gets."""
    messages: Messages = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        messages.append(json.loads(handler.rfile.read(length)))
        send(handler, Recorded(204, "text/plain", b""))

    with responding(respond) as url:
        monkeypatch.setenv("FINOPS_CLUSTERS", CLUSTERS)
        monkeypatch.setenv(VARIABLE, url)
        yield messages


def run(instance: dg.DagsterInstance, why: str = "", job_name: str = TICK):
    """Execute a run with one step, which fails if there is a reason to."""

    @dg.op
    def step() -> None:
        if why:
            raise ValueError(why)

    @dg.job(name=job_name)
    def job() -> None:
        step()

    return job.execute_in_process(instance=instance, raise_on_error=False)


def evaluate(instance: dg.DagsterInstance, result):
    """Evaluate a sensor as the daemon does when it sees that a run has ended."""
    kind = "RUN_SUCCESS" if result.success else "RUN_FAILURE"
    (ended,) = [
        event for event in result.all_events if event.event_type_value == f"PIPELINE_{kind[4:]}"
    ]
    sensor = alerts.alert_on_recovery if result.success else alerts.alert_on_failure
    context = dg.build_run_status_sensor_context(sensor.name, ended, instance, result.dagster_run)
    return sensor(context if result.success else context.for_run_failure())


def test_what_failed_is_told_in_one_sentence(instance, messages):
    failed = run(instance, "the disk is full")

    evaluate(instance, failed)

    assert messages == [
        {
            "text": f"run {failed.run_id[:8]} of tick failed: step: ValueError: the disk is full",
            "kind": "failed",
            "job": "tick",
            "run_id": failed.run_id,
        }
    ]


def test_only_the_first_tick_that_succeeds_is_a_recovery(instance, messages):
    run(instance)
    failed = run(instance, "no")
    run(instance, job_name="backfill_days")
    recovered, next_one = run(instance), run(instance)

    evaluate(instance, recovered)
    outcome = evaluate(instance, next_one)

    (message,) = messages
    assert (message["kind"], message["run_id"]) == ("recovered", recovered.run_id)
    assert failed.run_id[:8] in message["text"]
    assert outcome.skip_message == "the tick before did not fail either"


def test_the_first_tick_of_all_is_no_recovery(instance, messages):
    evaluate(instance, run(instance))

    assert messages == []


def test_without_a_webhook_it_is_only_logged(instance, messages, monkeypatch):
    monkeypatch.delenv(VARIABLE)

    evaluate(instance, run(instance, "no"))

    assert messages == []


def test_a_webhook_that_does_not_answer_lets_the_sensor_fail(instance, monkeypatch):
    with responding(lambda _: None) as url:
        pass
    monkeypatch.setenv("FINOPS_CLUSTERS", CLUSTERS)
    monkeypatch.setenv(VARIABLE, url)

    with pytest.raises(ServerUnavailable, match="no answer"):
        evaluate(instance, run(instance, "no"))


def test_a_webhook_that_is_down_for_a_moment_hears_it_all_the_same(instance, monkeypatch):
    statuses, messages = [503, 429, 204], []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        messages.append(json.loads(handler.rfile.read(int(handler.headers["Content-Length"]))))
        send(handler, Recorded(statuses[len(messages) - 1], "text/plain", b""))

    with responding(respond) as url:
        monkeypatch.setenv("FINOPS_CLUSTERS", CLUSTERS)
        monkeypatch.setenv(VARIABLE, url)
        evaluate(instance, run(instance, "no"))

    assert [message["kind"] for message in messages] == ["failed"] * 3


@pytest.mark.parametrize("name", ["alert_on_failure", "alert_on_recovery"])
def test_it_runs_without_being_switched_on(name):
    assert defs.resolve_sensor_def(name).default_status == dg.DefaultSensorStatus.RUNNING
