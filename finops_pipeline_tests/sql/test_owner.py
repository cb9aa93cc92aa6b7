"""Tests of the owner of a cost: the nearest label, else the first rule, and what decided."""

from typing import Any

import pytest

from finops_pipeline_tests.sql.data import Data
from finops_pipeline_tests.sql.rows import CONTAINER

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
PARTS = ("team", "team_rule", "project", "project_rule")
STATE = {
    "cluster": "prod",
    "namespace": "shop",
    "name": "web",
    "workload_kind": "Deployment",
    "created_at": "2026-01-01 00:00:00+00",
}


def owner(data: Data, **columns: Any) -> dict[str, Any]:
    """Return the owner of a container; empty where nothing names any part of it."""
    data.given("core.label_key", *KEYS)
    data.given("raw.allocation", {**CONTAINER, **columns})
    data.fill("core.workload_label")
    rows = data.part("owner")
    return rows[0] if rows else dict.fromkeys(PARTS)


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
        ({}, None, None),
    ],
)
def test_the_nearest_place_decides(data, places, team, rule):
    row = owner(data, **places)

    assert (row["team"], row["team_rule"]) == (team, rule)


@pytest.mark.parametrize(
    ("labels", "team"), [('{"team": "pods"}', "pods"), (None, "deployment"), ("{}", "deployment")]
)
def test_a_label_of_the_workload_stands_behind_those_of_its_pods(data, labels, team):
    data.given("raw.workload", {**STATE, "labels": '{"team": "deployment"}'})

    row = owner(data, labels=labels, namespace_labels='{"team": "namespace"}')

    assert row["team"] == team


def test_the_workload_counts_as_the_day_first_saw_it(data):
    later = {**STATE, "labels": '{"team": "new"}', "window_start": "2026-03-01 10:15:00+00"}
    data.given("raw.workload", {**STATE, "labels": '{"team": "old"}'}, later)

    assert owner(data)["team"] == "old"


def test_a_key_matches_a_label_as_kubernetes_spells_it(data):
    data.given(
        "core.label_key", {"owner_part": "environment", "position_count": 0, "label": "acme_io_env"}
    )
    data.given("raw.workload", {**STATE, "labels": '{"acme.io/env": "prod"}'})

    row = owner(data)

    assert (row["environment"], row["environment_rule"]) == ("prod", "workload label acme_io_env")


def test_the_jobs_of_a_cronjob_have_its_labels(data):
    cron = {**STATE, "workload_kind": "CronJob", "labels": '{"team": "night"}'}
    data.given("raw.workload", cron)

    assert owner(data, workload_kind="job")["team"] == "night"


def test_a_rule_decides_where_no_label_does(data):
    data.given("core.attribution_rule", RULE)

    row = owner(data)

    assert (row["team"], row["team_rule"]) == ("retail", "rule the shop")
    assert (row["project"], row["project_rule"]) == (None, None)


def test_a_label_beats_a_rule(data):
    data.given("core.attribution_rule", RULE)

    assert owner(data, labels='{"team": "pods"}')["team"] == "pods"


def test_the_first_rule_that_says_something_decides_each_part(data):
    first = {**RULE, "rule": "first", "team": None, "project": "atlas"}
    second = {**RULE, "rule": "second", "position_count": 1, "project": "zeus"}
    data.given("core.attribution_rule", first, second)

    row = owner(data)

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
        ("2026-03-02", None, None),
        (None, "2026-03-02", "retail"),
        (None, "2026-03-01", None),
    ],
)
def test_a_rule_holds_from_its_first_day_to_the_one_before_its_end(
    data, valid_from, valid_until, team
):
    data.given(
        "core.attribution_rule", {**RULE, "valid_from": valid_from, "valid_until": valid_until}
    )

    assert owner(data)["team"] == team


@pytest.mark.parametrize(
    "other",
    [{"cluster_pattern": "test"}, {"namespace_pattern": "sh"}, {"workload_pattern": "we"}],
)
def test_a_pattern_has_to_match_all_of_a_name(data, other):
    data.given("core.attribution_rule", {**RULE, **other})

    assert owner(data)["team"] is None


def test_a_shared_namespace_is_shared_despite_its_labels(data):
    data.given("core.shared_namespace", {"position_count": 0, "namespace_pattern": "sh*"})

    row = owner(data, labels='{"team": "pods"}')

    assert (row["team"], row["team_rule"]) == ("shared", "shared namespace sh*")


def test_a_team_brings_its_project_and_cost_center(data):
    data.given(
        "core.team",
        {"team": "retail", "project": "atlas", "cost_center": "4711", "valid_until": "2026-03-01"},
        {"team": "retail", "project": "zeus", "cost_center": "4712", "valid_from": "2026-03-01"},
    )

    row = owner(data, labels='{"team": "retail", "project": "own"}')

    assert (row["project"], row["project_rule"]) == ("own", "pod label project")
    assert (row["cost_center"], row["cost_center_rule"]) == ("4712", "team retail")


def test_values_of_labels_that_costs_are_wanted_for_stand_beside_the_owner(data):
    data.given("core.cost_label", {"position_count": 0, "label": "app"})

    assert owner(data, labels='{"app": "web", "tier": "1"}')["label_values"] == {"app": "web"}


@pytest.mark.parametrize("name", ["idle", "shared", "unmounted", "unattributed", "IDLE", "Shared"])
def test_no_label_claims_the_name_of_what_no_team_pays(data, name):
    row = owner(data, labels=f'{{"team": "{name}", "squad": "red"}}')

    assert (row["team"], row["team_rule"]) == ("red", "pod label squad")


@pytest.mark.parametrize(
    ("labels", "namespace_labels", "team", "rule"),
    [
        ('{"team":"retail"}', None, "retail", "pod label team"),
        ('{"team":"retail"}', '{"team":"retail"}', "retail", "namespace label team"),
        ('{"team":"retail"}', '{"team":"other"}', "retail", "pod label team"),
        ('{"squad":"red","team":"retail"}', None, "retail", "pod label team"),
        ('{"squad":"red"}', None, "red", "pod label squad"),
        ('{"team":""}', None, None, None),
        ("{}", None, None, None),
        (None, None, None, None),
        ('{"team":"a \\"quoted\\" ü"}', None, 'a "quoted" ü', "pod label team"),
    ],
)
def test_the_first_label_that_is_set_names_the_team(data, labels, namespace_labels, team, rule):
    row = owner(data, labels=labels, namespace_labels=namespace_labels)

    assert (row["team"], row["team_rule"]) == (team, rule)
