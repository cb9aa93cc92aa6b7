"""Mistakes of settings that are right one by one, and doubts about them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from finops_pipeline.settings.attribution import Budget, Rule, Team
from finops_pipeline.settings.overlap import is_longer, is_simultaneous, is_wider, matches
from finops_pipeline.settings.tree import Settings


@dataclass(frozen=True)
class Mistake:
    """A setting that people should change, and why."""

    keys: tuple[str, ...]  # the one that messages name, then those that may be changed instead
    message: str


def mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield the mistakes that settings cannot be used with."""
    yield from _endless_windows(settings)
    yield from _lookback_beyond_raw(settings)
    for number, rule in enumerate(settings.attribution.rules):
        for message in _rule_mistakes(number, settings):
            yield Mistake((f"attribution.rules.{number}",), f"{rule}: {message}")
    yield from _overlapping("teams", settings.teams)
    yield from _overlapping("budgets", settings.budgets)


def doubts(settings: Settings) -> Iterator[Mistake]:
    """Yield settings that can be used, and are probably not meant."""
    teams = {team.name for team in settings.teams}
    for key, entry, team in _team_references(settings) if teams else ():
        if team not in teams:
            yield Mistake(
                (key,),
                f"{entry}: no entry of [[teams]] is named {team!r}: add one, or correct the name to"
                f" one of {', '.join(sorted(teams))}",
            )
    if settings.bill.folder and not Path(settings.bill.folder).is_dir():
        yield Mistake(
            ("bill.folder",),
            f"there is no folder {settings.bill.folder}: mount it, or correct the path; until then"
            " no bill is read",
        )


def _team_references(settings: Settings) -> Iterator[tuple[str, Rule | Budget, str]]:
    """Yield each entry that names a team: its key, the entry, the team."""
    for number, rule in enumerate(settings.attribution.rules):
        if rule.team is not None:
            yield f"attribution.rules.{number}", rule, rule.team
    for number, budget in enumerate(settings.budgets):
        if budget.scope == "team":
            yield f"budgets.{number}", budget, budget.name


def _endless_windows(settings: Settings) -> Iterator[Mistake]:
    """Find a lookback that windows leave before they are read for the last time."""
    ingest = settings.ingest
    last = max([*ingest.reread_hours, *settings.last_reread_hours().values()])
    if ingest.lookback_days * 24 <= last + 1:
        yield Mistake(
            ("ingest.lookback_days", "ingest.reread_hours"),
            f"{ingest.lookback_days} days are too short for ingest.reread_hours, whose last is"
            f" {last}: windows would never become final",
        )


def _lookback_beyond_raw(settings: Settings) -> Iterator[Mistake]:
    """Find a lookback that asks for windows that have expired."""
    lookback_days, raw_days = settings.ingest.lookback_days, settings.retention.raw_days
    if raw_days < lookback_days:
        yield Mistake(
            ("retention.raw_days", "ingest.lookback_days"),
            f"{raw_days} days are less than the {lookback_days} of ingest.lookback_days: what has"
            " expired would be read again",
        )


def _rule_mistakes(number: int, settings: Settings) -> Iterator[str]:
    """Yield what is wrong with a rule beside those before it and the clusters there are."""
    before, rule = settings.attribution.rules[:number], settings.attribution.rules[number]
    clusters = [cluster.name for cluster in settings.clusters]
    if rule.name in {other.name for other in before}:
        yield "an earlier rule has this name: give it one of its own, so that costs can say it"
    if not any(matches(rule.cluster, name) for name in clusters):
        yield (
            f"cluster {rule.cluster!r} matches none of {', '.join(clusters)}: correct it, or"
            " delete the rule"
        )
    if rivals := [other for other in before if _is_rival(other, rule)]:
        yield (
            f"{rivals[0]} is for the same workloads at the same time, and names"
            f" {_and(rivals[0].parts & rule.parts)}, too: let one end (valid_until) where the other"
            " begins (valid_from), or delete one"
        )
    elif deciding := _deciding_rules(before, rule):
        yield (
            f"never applies: {_and({str(other) for other in deciding})} before it decides all that"
            " it says; move it up, or delete it"
        )


def _is_rival(other: Rule, rule: Rule) -> bool:
    is_alike = other.patterns == rule.patterns and other.parts & rule.parts
    return bool(is_alike) and is_simultaneous(other, rule)


def _deciding_rules(before: Sequence[Rule], rule: Rule) -> list[Rule]:
    """Return rules that together decide each part that a rule names, wherever it applies."""
    wider = [
        other
        for other in before
        if all(map(is_wider, other.patterns, rule.patterns)) and is_longer(other, rule)
    ]
    deciding = [next((o for o in wider if part in o.parts), None) for part in rule.parts]
    return [other for other in deciding if other] if all(deciding) else []


def _overlapping(key: str, entries: Sequence[Team | Budget]) -> Iterator[Mistake]:
    """Find entries of one name that hold at the same time."""
    for number, entry in enumerate(entries):
        before = (other for other in entries[:number] if str(other) == str(entry))
        if any(is_simultaneous(other, entry) for other in before):
            yield Mistake(
                (f"{key}.{number}",),
                f"{entry}: an earlier entry of it holds at the same time: let one end (valid_until)"
                " where the other begins (valid_from), or delete one",
            )


def _and(names: set[str]) -> str:
    return " and ".join(sorted(names))
