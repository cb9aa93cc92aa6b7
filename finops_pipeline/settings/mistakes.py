"""What is wrong with settings that are right one by one, and what is doubtful about them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from finops_pipeline.settings.attribution import Budget, Rule, Team
from finops_pipeline.settings.overlap import covers, matches, meet, outlasts
from finops_pipeline.settings.tree import Settings


@dataclass(frozen=True)
class Mistake:
    """Something that people should change."""

    keys: tuple[str, ...]  # where it is told, then what else may be changed instead
    message: str


def mistakes(settings: Settings) -> Iterator[Mistake]:
    """What the settings cannot be used with."""
    yield from _endless_windows(settings)
    yield from _lookback_beyond_raw(settings)
    for number, rule in enumerate(settings.attribution.rules):
        for message in _of_rule(number, settings):
            yield Mistake((f"attribution.rules.{number}",), f"{rule}: {message}")
    yield from _overlapping("teams", settings.teams)
    yield from _overlapping("budgets", settings.budgets)


def doubts(settings: Settings) -> Iterator[Mistake]:
    """What can be used, and is probably not meant."""
    known = {team.name for team in settings.teams}
    for key, it, team in _teams_named(settings) if known else ():
        if team not in known:
            yield Mistake(
                (key,),
                f"{it}: no entry of [[teams]] is named {team!r}: add one, or correct the name to"
                f" one of {', '.join(sorted(known))}",
            )
    if settings.bill.folder and not Path(settings.bill.folder).is_dir():
        yield Mistake(
            ("bill.folder",),
            f"there is no folder {settings.bill.folder}: mount it, or correct the path; until then"
            " no bill is read",
        )


def _teams_named(settings: Settings) -> Iterator[tuple[str, Rule | Budget, str]]:
    """Key, what names a team, and the team."""
    for number, rule in enumerate(settings.attribution.rules):
        if rule.team is not None:
            yield f"attribution.rules.{number}", rule, rule.team
    for number, budget in enumerate(settings.budgets):
        if budget.scope == "team":
            yield f"budgets.{number}", budget, budget.name


def _endless_windows(settings: Settings) -> Iterator[Mistake]:
    """A lookback that windows leave before they are read for the last time."""
    ingest = settings.ingest
    last = max([*ingest.reread_hours, *settings.last_reread_hours().values()])
    if ingest.lookback_days * 24 <= last + 1:
        yield Mistake(
            ("ingest.lookback_days", "ingest.reread_hours"),
            f"{ingest.lookback_days} days are too short for ingest.reread_hours, whose last is"
            f" {last}: windows would never become final",
        )


def _lookback_beyond_raw(settings: Settings) -> Iterator[Mistake]:
    """Windows that are asked for and would have expired."""
    lookback_days, raw_days = settings.ingest.lookback_days, settings.retention.raw_days
    if raw_days < lookback_days:
        yield Mistake(
            ("retention.raw_days", "ingest.lookback_days"),
            f"{raw_days} days are less than the {lookback_days} of ingest.lookback_days: what has"
            " expired would be read again",
        )


def _of_rule(number: int, settings: Settings) -> Iterator[str]:
    """What is wrong with a rule beside those before it and the clusters there are."""
    before, rule = settings.attribution.rules[:number], settings.attribution.rules[number]
    clusters = [cluster.name for cluster in settings.clusters]
    if rule.name in {other.name for other in before}:
        yield "an earlier rule has this name: give it one of its own, so that costs can say it"
    if not any(matches(rule.cluster, name) for name in clusters):
        yield (
            f"cluster {rule.cluster!r} matches none of {', '.join(clusters)}: correct it, or"
            " delete the rule"
        )
    if twice := [other for other in before if _match_twice(other, rule)]:
        yield (
            f"{twice[0]} is for the same workloads at the same time, and names"
            f" {_and(twice[0].parts & rule.parts)}, too: let one end (valid_until) where the other"
            " begins (valid_from), or delete one"
        )
    elif above := _decided_before(before, rule):
        yield (
            f"never applies: {_and({str(other) for other in above})} before it decides all that it"
            " says; move it up, or delete it"
        )


def _match_twice(one: Rule, other: Rule) -> bool:
    return bool(one.patterns == other.patterns and one.parts & other.parts and meet(one, other))


def _decided_before(before: Sequence[Rule], rule: Rule) -> list[Rule]:
    """Rules that, together, say everything for a rule wherever and whenever it applies."""
    wider = [
        other
        for other in before
        if all(map(covers, other.patterns, rule.patterns)) and outlasts(other, rule)
    ]
    deciding = [next((it for it in wider if part in it.parts), None) for part in rule.parts]
    return [it for it in deciding if it] if all(deciding) else []


def _overlapping(key: str, entries: Sequence[Team | Budget]) -> Iterator[Mistake]:
    """Entries of one name that hold at the same time."""
    for number, entry in enumerate(entries):
        if any(str(other) == str(entry) and meet(other, entry) for other in entries[:number]):
            yield Mistake(
                (f"{key}.{number}",),
                f"{entry}: an earlier entry of it holds at the same time: let one end (valid_until)"
                " where the other begins (valid_from), or delete one",
            )


def _and(names: set[str]) -> str:
    return " and ".join(sorted(names))
