"""Settings that contradict each other are refused, or doubted, by rule, team or budget."""

import json
import re

import pytest

from finops_pipeline.errors import ConfigError
from finops_pipeline.settings import load, warnings
from finops_pipeline_tests.settings.written import CLUSTERS, cluster

HEAD = "\n".join(
    f'[[clusters]]\nname = "{name}"\nopencost_url = "http://{name}"\nprometheus_url = "http://p"'
    for name in ("prod-eu", "test")
)


def rule(name: str, *lines: str) -> str:
    return "\n".join(["[[attribution.rules]]", f"name = '{name}'", *lines, ""])


def entry(kind: str, name: str, *lines: str) -> str:
    return "\n".join([f"[[{kind}]]", f"name = '{name}'", *lines, ""])


TEAM_A = "team = 'a'"
BUDGET = ("scope = 'team'", "month_amount = 100")
TWICE = "is for the same workloads at the same time, and names"
WRONG = {
    "says nothing": (
        rule("r", "namespace = 'shop'"),
        "attribution.rules.0: rule 'r': says nothing: give it one of team, environment, project",
    ),
    "two of one name": (
        rule("r", TEAM_A, "namespace = 'x'") + rule("r", TEAM_A, "namespace = 'y'"),
        "attribution.rules.1: rule 'r': an earlier rule has this name: give it one of its own",
    ),
    "ends before it begins": (
        rule("r", TEAM_A, "valid_from = 2026-03-01", "valid_until = 2026-03-01"),
        "attribution.rules.0: rule 'r': valid_until 2026-03-01 is not after valid_from 2026-03-01",
    ),
    "of no cluster": (
        rule("r", TEAM_A, "cluster = 'prd-*'"),
        "attribution.rules.0: rule 'r': cluster 'prd-*' matches none of prod-eu, test: correct it",
    ),
    "match twice": (
        rule("r", TEAM_A) + rule("s", "team = 'b'"),
        f"attribution.rules.1: rule 's': rule 'r' {TWICE} team, too: let one end (valid_until)",
    ),
    "match twice for a day": (
        rule("r", TEAM_A, "project = 'p'", "valid_until = 2026-03-02")
        + rule("s", "project = 'q'", "valid_from = 2026-03-01"),
        f"attribution.rules.1: rule 's': rule 'r' {TWICE} project, too",
    ),
    "never applies": (
        rule("r", TEAM_A, "namespace = 'shop-*'") + rule("s", TEAM_A, "namespace = 'shop-eu-?'"),
        "attribution.rules.1: rule 's': never applies: rule 'r' before it decides all that it says",
    ),
    "never applies beside two": (
        rule("r", TEAM_A, "workload = 'w*'")
        + rule("s", "project = 'p'", "cluster = '*eu'")
        + rule("t", TEAM_A, "project = 'q'", "workload = 'web'", "cluster = 'prod-eu'"),
        "attribution.rules.2: rule 't': never applies: rule 'r' and rule 's' before it decides all",
    ),
    "name of ours in a rule": (
        rule("r", "team = 'shared'"),
        "attribution.rules.0: rule 'r': 'shared' is a name that costs without a team have",
    ),
    "name of ours as a team": (
        entry("teams", "idle"),
        "teams.0: team 'idle': 'idle' is a name that costs without a team have: choose another",
    ),
    "name of ours in a budget": (
        entry("budgets", "unattributed", *BUDGET),
        "budgets.0: budget of team 'unattributed': 'unattributed' is a name that costs without",
    ),
    "name of ours in capitals in a rule": (
        rule("r", "team = 'UnAttributed'"),
        "attribution.rules.0: rule 'r': 'UnAttributed' is a name that costs without a team have",
    ),
    "name of ours in capitals as a team": (
        entry("teams", "Idle"),
        "teams.0: team 'Idle': 'Idle' is a name that costs without a team have: choose another",
    ),
    "name of ours in capitals in a budget": (
        entry("budgets", "SHARED", *BUDGET),
        "budgets.0: budget of team 'SHARED': 'SHARED' is a name that costs without a team have",
    ),
    "team that is two at once": (
        entry("teams", "a", "valid_until = 2026-03-02") + entry("teams", "a", "owner = 'Ada'"),
        "teams.1: team 'a': an earlier entry of it holds at the same time: let one end",
    ),
    "team that never is": (
        entry("teams", "a", "valid_from = 2026-03-02", "valid_until = 2026-03-01"),
        "teams.0: team 'a': valid_until 2026-03-01 is not after valid_from 2026-03-02",
    ),
    "weight below nothing": (
        entry("teams", "a", "shared_weight = -1"),
        "teams.0.shared_weight: Input should be greater than or equal to 0, not -1 (of 'a')",
    ),
    "budget that is two at once": (
        entry("budgets", "a", *BUDGET) + entry("budgets", "a", *BUDGET),
        "budgets.1: budget of team 'a': an earlier entry of it holds at the same time",
    ),
    "budget of nothing": (
        entry("budgets", "a", "scope = 'team'", "month_amount = 0"),
        "budgets.0.month_amount: Input should be greater than 0 (of 'a')",
    ),
    "budget of a person": (
        entry("budgets", "a", "scope = 'person'", "month_amount = 1"),
        "budgets.0.scope: Input should be 'team', 'project' or 'namespace', not 'person' (of 'a')",
    ),
    "label without a name": (
        "[attribution]\nteam_labels = ['team', '']\n",
        "attribution.team_labels.1: should be visible text",
    ),
    "labels that are one": (
        "[attribution]\ncost_labels = ['a.b', 'a-b']\n",
        "attribution.cost_labels: has two keys that OpenCost writes as a_b: give one of them",
    ),
    "brackets": (
        rule("r", TEAM_A, "namespace = 'shop[12]'"),
        "attribution.rules.0.namespace: should be a name, in which * is any text and ? any",
    ),
    "shared brackets": (
        "[sharing]\nshared_namespaces = ['kube-[a-z]']\n",
        "sharing.shared_namespaces.0: should be a name, in which * is any text",
    ),
    "a date with a time": (
        rule("r", TEAM_A, "valid_from = 2026-03-01T00:00:00"),
        "attribution.rules.0.valid_from: should be a date without a time (of 'r')",
    ),
    "no date": (
        rule("r", TEAM_A, "valid_from = 'soon'"),
        "attribution.rules.0.valid_from: should be a date such as 2026-01-31, not 'soon' (of 'r')",
    ),
    "unknown key": (
        rule("r", TEAM_A, "pod = 'x'"),
        "attribution.rules.0.pod: there is no such setting (of 'r')",
    ),
    "a month that is none": (
        "[calendar]\nfiscal_year_start_month = 13\n",
        "calendar.fiscal_year_start_month: Input should be less than or equal to 12, not 13",
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=list(WRONG))
def test_what_is_wrong_names_what_it_is_about(file, text, message):
    path = file(text + HEAD)

    with pytest.raises(ConfigError, match=rf"^{re.escape(f'{path}: {message}')}[^\n]*$"):
        load(path, {})


RIGHT = {
    "one after the other": (
        rule("r", TEAM_A, "valid_until = 2026-03-01")
        + rule("s", "team = 'b'", "valid_from = 2026-03-01")
    ),
    "another part of the same": rule("r", TEAM_A) + rule("s", "project = 'p'"),
    "one part that is left": rule("r", TEAM_A)
    + rule("s", "team = 'b'", "project = 'p'", "workload = 'w'"),
    "narrow before wide": rule("r", TEAM_A, "namespace = 'shop'") + rule("s", "team = 'b'"),
    "wide for a time": (
        rule("r", TEAM_A, "valid_until = 2026-03-01") + rule("s", "team = 'b'", "workload = 'w'")
    ),
    "a team that changes hands": (
        entry("teams", "a", "valid_until = 2026-03-01")
        + entry("teams", "a", "owner = 'Ada'", "valid_from = 2026-03-01")
    ),
    "budgets of two scopes": (
        entry("budgets", "a", *BUDGET)
        + entry("budgets", "a", "scope = 'project'", "month_amount = 0.1")
    ),
    "a project with a name of ours": entry(
        "budgets", "shared", "scope = 'project'", "month_amount = 1"
    ),
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=list(RIGHT))
def test_what_fits_together_is_taken(file, text):
    assert warnings(load(file(text + HEAD), {})) == []


def test_all_that_does_not_fit_is_told_at_once(file):
    rules = rule("r", TEAM_A) + rule("s", TEAM_A) + rule("t", "team = 'b'", "cluster = 'nowhere'")
    path = file("[retention]\nraw_days = 2\n" + rules + HEAD)

    with pytest.raises(ConfigError) as refused:
        load(path, {})

    keys = [line.split(": ")[1] for line in str(refused.value).splitlines()]
    assert keys == ["retention.raw_days", "attribution.rules.1", *["attribution.rules.2"] * 2]


def test_what_a_variable_says_is_named_by_the_variable():
    rules = [{"name": "r", "team": "a", "cluster": "nowhere"}]
    environ = {"FINOPS_CLUSTERS": CLUSTERS, "FINOPS_ATTRIBUTION__RULES": json.dumps(rules)}

    with pytest.raises(ConfigError, match=r"^FINOPS_ATTRIBUTION__RULES: attribution\.rules\.0: "):
        load(environ=environ)


def test_a_rule_by_variable_may_have_dates():
    rules = [{"name": "r", "team": "a", "valid_from": "2026-03-01"}]
    environ = {"FINOPS_CLUSTERS": CLUSTERS, "FINOPS_ATTRIBUTION__RULES": json.dumps(rules)}

    (only,) = load(environ=environ).attribution.rules

    assert f"{only.valid_from:%d.%m.%Y}" == "01.03.2026"


DOUBTFUL = {
    "attribution.rules.0: rule 'r': no entry of [[teams]] is named 'retial': add one, or correct"
    " the name to one of retail": rule("r", "team = 'retial'"),
    "budgets.0: budget of team 'retial': no entry of [[teams]] is named 'retial': add one, or"
    " correct the name to one of retail": entry("budgets", "retial", *BUDGET),
}


@pytest.mark.parametrize(("message", "text"), DOUBTFUL.items(), ids=["rule", "budget"])
def test_a_team_that_has_no_entry_is_doubted_where_teams_have(file, message, text):
    assert warnings(load(file(text + entry("teams", "retail") + HEAD), {})) == [message]
    assert warnings(load(file(text + HEAD), {})) == []


def test_a_lookback_too_short_for_kubecost_is_refused():
    environ = cluster(opencost_url="http://kubecost:9090/model")
    with pytest.raises(ConfigError, match="2 days are too short .* whose last is 49"):
        load(environ=environ | {"FINOPS_INGEST__LOOKBACK_DAYS": "2"})


def test_a_lookback_too_short_names_the_variable():
    for name, text in {"LOOKBACK_DAYS": "1", "REREAD_HOURS": "[400]"}.items():
        with pytest.raises(ConfigError, match=rf"^FINOPS_INGEST__{name}: .*never become final"):
            load(environ={"FINOPS_CLUSTERS": CLUSTERS, f"FINOPS_INGEST__{name}": text})
