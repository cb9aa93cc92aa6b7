-- Horizontal pod autoscalers, one row per state: stored when something changed, and all of them each UTC day.
--
-- kind: lake by window

create table raw.autoscaler (
    cluster               varchar     not null,  -- cluster
    window_start          timestamptz not null,  -- first instant of the window it was seen in, UTC
    uid                   varchar     not null,  -- identifies it among objects of the same name
    namespace             varchar     not null,  -- Kubernetes namespace
    name                  varchar     not null,  -- its name
    workload_kind         varchar,               -- kind of what it scales
    workload              varchar,               -- workload it scales
    min_replica_count     double,                -- fewest [pods]
    max_replica_count     double,                -- most [pods]
    replica_count         double,                -- now [pods]
    desired_replica_count double,                -- what it wants now [pods]
    cpu_target_ratio      double,                -- usage over request it aims at; null without one
    metrics               varchar,               -- JSON list; what it looks at
    created_at            timestamptz not null,  -- when it was created
    is_deleted            boolean     not null   -- it was gone in this window; the rest is how it last was
);
