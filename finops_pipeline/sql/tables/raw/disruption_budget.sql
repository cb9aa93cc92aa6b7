-- Pod disruption budgets, one row per state: stored when something changed, and all of them each UTC day.
--
-- kind: lake by window

create table raw.disruption_budget (
    cluster                  varchar     not null,  -- cluster
    window_start             timestamptz not null,  -- first instant of the window it was seen in, UTC
    uid                      varchar     not null,  -- identifies it among objects of the same name
    namespace                varchar     not null,  -- Kubernetes namespace
    name                     varchar     not null,  -- its name
    min_available            varchar,               -- number or percentage of pods
    max_unavailable          varchar,               -- number or percentage of pods
    selector                 varchar,               -- JSON object
    allowed_disruption_count double,                -- pods that may go now [pods]
    expected_pod_count       double,                -- pods it counts [pods]
    created_at               timestamptz not null,  -- when it was created
    is_deleted               boolean     not null   -- it was gone in this window; the rest is how it last was
);
