"""Settings that say who pays a cost: labels, rules, teams, sharing and budgets."""

from typing import Annotated, Any, Literal, Self

from pydantic import field_validator, model_validator

from finops_pipeline.settings.overlap import Dated
from finops_pipeline.settings.values import (
    Day,
    LabelNames,
    Lenient,
    Money,
    Name,
    Pattern,
    Patterns,
    Section,
    as_opencost_writes_it,
    find_repeated,
    key,
)

PARTS = ("team", "environment", "project", "cost_center")  # of an owner
# Teams of costs that no team has caused: no team may be named so, in upper or lower case.
RESERVED = ("idle", "shared", "unmounted", "unattributed")


def _valid_from() -> Any:
    return key("First day it holds; left out: always did", default=None)


def _valid_until() -> Any:
    return key("First day it no longer holds; left out: none", default=None)


class Rule(Section):
    """Owner of costs without a label; the first rule that matches and says a part decides it."""

    name: Name = key("What it is called where a cost says which rule decided")
    cluster: Pattern = key("Clusters it is for; * is any text, ? any character", default="*")
    namespace: Pattern = key("Namespaces it is for, in the same way", default="*")
    workload: Pattern = key("Workloads it is for, in the same way", default="*")
    team: Name | None = key("Team it names; left out: does not say", default=None)
    environment: Name | None = key("Environment it names", default=None)
    project: Name | None = key("Project it names", default=None)
    cost_center: Name | None = key("Cost center it names", default=None)
    valid_from: Day = _valid_from()
    valid_until: Day = _valid_until()

    @property
    def patterns(self) -> tuple[str, str, str]:
        """Patterns of the clusters, namespaces and workloads it is for."""
        return self.cluster, self.namespace, self.workload

    @property
    def parts(self) -> set[str]:
        """Parts of an owner that it names."""
        return {part for part in PARTS if getattr(self, part) is not None}

    def __str__(self) -> str:
        """Return its name in messages."""
        return f"rule {self.name!r}"

    @model_validator(mode="after")
    def _require_a_part(self) -> Self:
        if not self.parts:
            raise ValueError(f"{self}: says nothing: give it one of {', '.join(PARTS)}")
        _refuse_reserved(self, self.team)
        _require_a_day(self)
        return self


class Attribution(Section):
    """Labels that name the owner of a cost, and rules for costs without them."""

    team_labels: LabelNames = key("Labels that name the team", default=("team",))
    environment_labels: LabelNames = key(
        "Labels that name the environment", default=("environment", "env")
    )
    project_labels: LabelNames = key("Labels that name the project", default=("project",))
    cost_center_labels: LabelNames = key(
        "Labels that name the cost center", default=("cost_center",)
    )
    cost_labels: LabelNames = key("Labels that costs.label_daily sums costs by", default=())
    rules: Annotated[tuple[Rule, ...], Lenient] = ()

    @field_validator("cost_labels")
    @classmethod
    def _refuse_twin_labels(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if label := find_repeated([as_opencost_writes_it(label) for label in labels]):
            raise ValueError(f"has two keys that OpenCost writes as {label}: give one of them")
        return labels


class Sharing(Section):
    """Split of costs that no team causes alone."""

    idle: Literal["separate", "by_node", "by_cluster"] = key(
        "Idle cost: separate, or split by what teams cost on the node or in the cluster: by_node,"
        " by_cluster",
        default="separate",
    )
    shared: Literal["proportional", "even", "weighted", "separate"] = key(
        "Shared cost: proportional to what teams cost, even, weighted by teams' shared_weight, or"
        " separate",
        default="proportional",
    )
    # Kubernetes itself, and what the guide in deploy/ installs.
    shared_namespaces: Patterns = key(
        "Namespaces that all teams use; * is any text, ? any character",
        default=("kube-*", "finops", "opencost", "monitoring"),
    )


class Team(Section):
    """Contact and accounts of a team; one entry for each time in which they hold."""

    name: Name = key("The team, as labels and rules name it")
    owner: Name | None = key("Person who answers for its cost", default=None)
    email: Name | None = key("Address for its reports", default=None)
    channel: Name | None = key("Channel for its messages", default=None)
    cost_center: Name | None = key("Cost center of its costs that name none", default=None)
    project: Name | None = key("Project of its costs that name none", default=None)
    shared_weight: float = key(
        'Its part of shared cost with shared = "weighted"',
        default=1.0,
        ge=0,
        le=1e6,
        allow_inf_nan=False,
    )
    valid_from: Day = _valid_from()
    valid_until: Day = _valid_until()

    def __str__(self) -> str:
        """Return its name in messages."""
        return f"team {self.name!r}"

    @model_validator(mode="after")
    def _check_name_and_days(self) -> Self:
        _refuse_reserved(self, self.name)
        _require_a_day(self)
        return self


class Budget(Section):
    """Amount that may be spent in a month."""

    scope: Literal["team", "project", "namespace"] = key(
        "What it limits: a team, project or namespace"
    )
    name: Name = key("Name of that team, project or namespace")
    month_amount: Money = key(
        "For each calendar month",
        "currency",
        gt=0,
        max_digits=28,
        decimal_places=10,
    )
    valid_from: Day = _valid_from()
    valid_until: Day = _valid_until()

    def __str__(self) -> str:
        """Return its name in messages."""
        return f"budget of {self.scope} {self.name!r}"

    @model_validator(mode="after")
    def _check_name_and_days(self) -> Self:
        _refuse_reserved(self, self.name if self.scope == "team" else None)
        _require_a_day(self)
        return self


def _refuse_reserved(entry: object, team: str | None) -> None:
    if team is not None and team.casefold() in RESERVED:
        raise ValueError(
            f"{entry}: {team!r} is a name that costs without a team have: choose another"
        )


def _require_a_day(entry: Dated) -> None:
    start, end = entry.valid_from, entry.valid_until
    if start and end and end <= start:
        raise ValueError(
            f"{entry}: valid_until {end} is not after valid_from {start}: it would hold on no day"
        )
