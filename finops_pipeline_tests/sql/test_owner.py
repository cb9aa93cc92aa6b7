"""Whose a cost is: the nearest label, else the first rule; what decided stands beside it."""

from typing import Any

import pytest

from finops_pipeline_tests.sql.conftest import Data
from finops_pipeline_tests.sql.test_line_item import CONTAINER

KEYS = [
    {"owner_part": "team", "position_count": 0, "label": "team"},
    {"owner_part": "team", "position_count": 1, "label": "squad"},
    {"owner_part": "project", "position_count": 0, "label": "project"},
    {"owner_part": "cost_center", "position_count": 0, "label": "cost_center"},
]
RULE = {
    "rule": "the shop",
    "cluster_pattern": "pro*",
    "namespace_pattern": "sh?p",
    "workload_pattern": "*",
    "team": "retail",
}
STATE = {
    "cluster": "prod",
    "namespace": "shop",
    "name": "web",
    "workload_kind": "Deployment",
    "created_at": "2026-01-01 00:00:00+00",
}


def line(data: Data, **columns: Any) -> dict[str, Any]:
    """The line of one container."""
    data.given("core.label_key", *KEYS)
    data.given("raw.allocation", {**CONTAINER, **columns})
    (row,) = data.fill("core.price", "core.workload_label", "costs.line_item")
    return row


@pytest.mark.parametrize(
    ("places", "team", "rule"),
    [
        ({"labels": '{"squad":"a"}', "namespace_labels": '{"team":"b"}'}, "a", "pod label squad"),
        ({"namespace_labels": '{"team":"b"}'}, "b", "namespace label team"),
        (
            # The source hands a namespace's labels to its pods: the label is the namespace's.
            {"labels": '{"team":"b"}', "namespace_labels": '{"team":"b"}'},
            "b",
            "namespace label team",
        ),
        ({"namespace_annotations": '{"team":"c"}'}, "c", "namespace annotation team"),
        (
            {"namespace_labels": '{"squad":"b"}', "namespace_annotations": '{"team":"c"}'},
            "b",
            "namespace label squad",
        ),
        ({}, "unattributed", "none"),
    ],
)
def test_the_nearest_place_decides(data, places, team, rule):
    row = line(data, **places)

    assert (row["team"], row["team_rule"]) == (team, rule)


@pytest.mark.parametrize(
    ("labels", "team"), [('{"team": "pods"}', "pods"), (None, "deployment"), ("{}", "deployment")]
)
def test_a_label_of_the_workload_stands_behind_those_of_its_pods(data, labels, team):
    data.given("raw.workload", {**STATE, "labels": '{"team": "deployment"}'})

    row = line(data, labels=labels, namespace_labels='{"team": "namespace"}')

    assert row["team"] == team


def test_the_workload_counts_as_the_day_first_saw_it(data):
    later = {**STATE, "labels": '{"team": "new"}', "window_start": "2026-03-01 10:15:00+00"}
    data.given("raw.workload", {**STATE, "labels": '{"team": "old"}'}, later)

    assert line(data)["team"] == "old"


def test_a_key_is_found_however_kubernetes_spells_it(data):
    data.given(
        "core.label_key", {"owner_part": "environment", "position_count": 0, "label": "acme_io_env"}
    )
    data.given("raw.workload", {**STATE, "labels": '{"acme.io/env": "prod"}'})

    row = line(data)

    assert (row["environment"], row["environment_rule"]) == ("prod", "workload label acme_io_env")


def test_the_jobs_of_a_cronjob_have_its_labels(data):
    cron = {**STATE, "workload_kind": "CronJob", "labels": '{"team": "night"}'}
    data.given("raw.workload", cron)

    assert line(data, workload_kind="job")["team"] == "night"


def test_a_rule_decides_where_no_label_does(data):
    data.given("core.attribution_rule", RULE)

    row = line(data)

    assert (row["team"], row["team_rule"]) == ("retail", "rule the shop")
    assert (row["project"], row["project_rule"]) == ("unattributed", "none")


def test_a_label_beats_a_rule(data):
    data.given("core.attribution_rule", RULE)

    assert line(data, labels='{"team": "pods"}')["team"] == "pods"


def test_the_first_rule_that_says_something_decides_each_part(data):
    first = {**RULE, "rule": "first", "team": None, "project": "atlas"}
    second = {**RULE, "rule": "second", "position_count": 1, "project": "zeus"}
    data.given("core.attribution_rule", first, second)

    row = line(data)

    assert (row["team_rule"], row["project"], row["project_rule"]) == (
        "rule second",
        "atlas",
        "rule first",
    )


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "team"),
    [
        (None, None, "retail"),
        ("2026-03-01", None, "retail"),
        ("2026-03-02", None, "unattributed"),
        (None, "2026-03-02", "retail"),
        (None, "2026-03-01", "unattributed"),
    ],
)
def test_a_rule_holds_from_its_first_day_to_the_one_before_its_end(
    data, valid_from, valid_until, team
):
    data.given(
        "core.attribution_rule", {**RULE, "valid_from": valid_from, "valid_until": valid_until}
    )

    assert line(data)["team"] == team


@pytest.mark.parametrize(
    "other",
    [{"cluster_pattern": "test"}, {"namespace_pattern": "sh"}, {"workload_pattern": "we"}],
)
def test_a_pattern_has_to_match_all_of_a_name(data, other):
    data.given("core.attribution_rule", {**RULE, **other})

    assert line(data)["team"] == "unattributed"


def test_a_shared_namespace_is_shared_whatever_its_labels_say(data):
    data.given("core.shared_namespace", {"position_count": 0, "namespace_pattern": "sh*"})

    row = line(data, labels='{"team": "pods"}')

    assert (row["team"], row["team_rule"]) == ("shared", "shared namespace sh*")


def test_a_team_brings_its_project_and_cost_center(data):
    data.given(
        "core.team",
        {"team": "retail", "project": "atlas", "cost_center": "4711", "valid_until": "2026-03-01"},
        {"team": "retail", "project": "zeus", "cost_center": "4712", "valid_from": "2026-03-01"},
    )

    row = line(data, labels='{"team": "retail", "project": "own"}')

    assert (row["project"], row["project_rule"]) == ("own", "pod label project")
    assert (row["cost_center"], row["cost_center_rule"]) == ("4712", "team retail")


def test_values_of_labels_that_costs_are_wanted_for_stand_in_the_line(data):
    data.given("core.cost_label", {"position_count": 0, "label": "app"})

    assert line(data, labels='{"app": "web", "tier": "1"}')["label_values"] == {"app": "web"}


def test_each_label_adds_up_to_all_cost(data):
    data.given(
        "core.cost_label",
        {"position_count": 0, "label": "app"},
        {"position_count": 1, "label": "tier"},
    )
    labels = {"allocation": "b", "labels": '{"app": "web"}', "source_cpu_cost": 1}
    data.given("raw.allocation", {**CONTAINER, "source_cpu_cost": 2}, {**CONTAINER, **labels})

    rows = data.fill("costs.label_hourly", "costs.label_daily")

    assert [(row["label"], row["value"], row["total_cost"]) for row in rows] == [
        ("app", "", 2),
        ("app", "web", 1),
        ("tier", "", 3),
    ]


@pytest.mark.parametrize("name", ["idle", "shared", "unmounted", "unattributed", "IDLE", "Shared"])
def test_no_label_claims_the_name_of_what_is_nobodys(data, name):
    row = line(data, labels=f'{{"team": "{name}", "squad": "red"}}')

    assert (row["team"], row["team_rule"]) == ("red", "pod label squad")
