"""Whose a cost is: labels, rules, teams, what is shared, and what may be spent."""

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
    key,
    repeated,
)

PARTS = ("team", "environment", "project", "cost_center")  # of an owner
# Teams that costs have which are nobody's: no team may be named so, in whatever letters.
RESERVED = ("idle", "shared", "unmounted", "unattributed")


def _valid_from() -> Any:
    return key("First day it holds; left out: always did", default=None)


def _valid_until() -> Any:
    return key("First day it no longer holds; left out: none", default=None)


class Rule(Section):
    """Whose a cost without a label is; the first rule that matches and says a part decides it."""

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
        """Which clusters, namespaces and workloads it is for."""
        return self.cluster, self.namespace, self.workload

    @property
    def parts(self) -> set[str]:
        """What it says of an owner."""
        return {part for part in PARTS if getattr(self, part) is not None}

    def __str__(self) -> str:
        """As messages name it."""
        return f"rule {self.name!r}"

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.parts:
            raise ValueError(f"{self}: says nothing: give it one of {', '.join(PARTS)}")
        _not_ours(self, self.team)
        _holds_a_day(self)
        return self


class Attribution(Section):
    """Whose a cost is: the first of these labels that there is, else the first rule."""

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
    def _sums_apart(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if label := repeated([as_opencost_writes_it(label) for label in labels]):
            raise ValueError(f"has two keys that OpenCost writes as {label}: give one of them")
        return labels


class Sharing(Section):
    """Who pays for what no team uses alone."""

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
    """Who stands behind a team's name; one entry for each time in which that is true."""

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
        """As messages name it."""
        return f"team {self.name!r}"

    @model_validator(mode="after")
    def _has_own_name(self) -> Self:
        _not_ours(self, self.name)
        _holds_a_day(self)
        return self


class Budget(Section):
    """What may be spent in a month."""

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
        """As messages name it."""
        return f"budget of {self.scope} {self.name!r}"

    @model_validator(mode="after")
    def _can_be_spent(self) -> Self:
        _not_ours(self, self.name if self.scope == "team" else None)
        _holds_a_day(self)
        return self


def _not_ours(it: object, team: str | None) -> None:
    if team is not None and team.casefold() in RESERVED:
        raise ValueError(f"{it}: {team!r} is a name that costs without a team have: choose another")


def _holds_a_day(it: Dated) -> None:
    if it.valid_from and it.valid_until and it.valid_until <= it.valid_from:
        raise ValueError(
            f"{it}: valid_until {it.valid_until} is not after valid_from {it.valid_from}: it would"
            " hold on no day"
        )
