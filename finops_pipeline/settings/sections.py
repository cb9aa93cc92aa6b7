"""The tables with settings of the installation as a whole."""

from typing import Annotated

from pydantic import SecretStr, field_validator

from finops_pipeline.settings.values import (
    FilePath,
    LabelNames,
    Lenient,
    OptionalHttpUrl,
    Section,
    WebhookUrl,
    key,
)


class Ingest(Section):
    """Times at which windows are read."""

    lookback_days: int = key(
        "How far back missing windows are filled", "days", default=14, ge=1, le=400
    )
    settle_minutes: int = key(
        "A window is read this long after its end; samples arrive late",
        "minutes",
        default=5,
        ge=0,
        le=60,
    )
    reread_hours: Annotated[tuple[int, ...], Lenient] = key(
        "Ages at which a window is read again; after the last one it is final",
        "hours",
        default=(1, 24),
    )
    budget_seconds: int = key(
        "Time one tick may spend on reading; the rest stays due", "seconds", default=480, ge=10
    )

    @field_validator("reread_hours")
    @classmethod
    def _require_rising_ages(cls, ages: tuple[int, ...]) -> tuple[int, ...]:
        if (
            not ages
            or ages[0] < 1
            or any(later <= age for age, later in zip(ages, ages[1:], strict=False))
        ):
            raise ValueError("should be whole hours that rise from 1")
        return ages


class Calendar(Section):
    """Start of the year of the accounts."""

    fiscal_year_start_month: int = key(
        "Month a fiscal year begins in; it has the name of the calendar year it ends in",
        default=1,
        ge=1,
        le=12,
    )


class Nodes(Section):
    """Labels that tell nodes apart."""

    pool_labels: LabelNames = key(
        "Labels of a node that name its pool",
        default=(
            "cloud.google.com/gke-nodepool",
            "eks.amazonaws.com/nodegroup",
            "kubernetes.azure.com/agentpool",
            "karpenter.sh/nodepool",
        ),
    )


class Retention(Section):
    """Days that each kind of data is kept; daily tables are kept for good."""

    raw_days: int = key(
        "Days of raw and hourly tables; daily ones are frozen before their raw rows go",
        "days",
        default=400,
        ge=2,
        le=4000,
    )
    native_hourly_days: int = key(
        "Days of hourly tables in finops.duckdb itself; older ones lie in files, and read the same",
        "days",
        default=35,
        ge=2,
        le=4000,
    )
    quarter_hourly_days: int = key("Days of costs.quarter_hourly", "days", default=14, ge=1, le=400)
    container_days: int = key("Days of costs.container_daily", "days", default=90, ge=1, le=4000)
    run_days: int = key("Days of Dagster's own history of runs", "days", default=14, ge=1, le=400)


class Metrics(Section):
    """Metrics that are pushed for Grafana after each publication."""

    pushgateway_url: OptionalHttpUrl = key("Pushgateway; empty: nothing is pushed", default="")
    top_workloads: int = key(
        "Workloads with a series of their own; the rest is one series '_other'",
        "workloads",
        default=50,
        ge=1,
        le=1000,
    )


class Bill(Section):
    """The cloud's bill, which costs are compared with."""

    folder: str = key(
        "Folder of FOCUS files (.csv, .csv.gz, .parquet), at any depth; empty: there is no bill",
        default="",
    )


class Alerts(Section):
    """Address of alerts: when a run fails, and when ticks succeed again."""

    webhook_url_file: FilePath | None = key(
        "File with the URL that each alert is posted to as JSON", default=None
    )
    webhook_url: WebhookUrl = key(
        "URL itself; empty: alerts are only logged", default=SecretStr("")
    )
