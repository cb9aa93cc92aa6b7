-- What makes pods, one row per state: stored when something changed, and all of them each UTC day.
--
-- Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs and CronJobs.
--
-- kind: lake by window

create table raw.workload (
    cluster         varchar     not null,  -- cluster
    window_start    timestamptz not null,  -- first instant of the window it was seen in, UTC
    uid             varchar     not null,  -- identifies it among objects of the same name
    namespace       varchar     not null,  -- Kubernetes namespace
    name            varchar     not null,  -- its name
    workload_kind   varchar     not null,  -- Deployment, StatefulSet, DaemonSet, ...
    owner_kind      varchar,               -- kind of what manages it
    owner           varchar,               -- name of what manages it
    replica_count   double,                -- pods it wants; null of a CronJob [pods]
    schedule        varchar,               -- of a CronJob, in cron's words
    is_suspended    boolean,               -- of a Job or CronJob
    strategy        varchar,               -- how its pods are replaced
    max_unavailable varchar,               -- number or percentage of pods
    max_surge       varchar,               -- number or percentage of pods
    selector        varchar,               -- JSON object
    priority_class  varchar,               -- priority class
    node_selector   varchar,               -- JSON object
    tolerations     varchar,               -- JSON list
    affinity        varchar,               -- JSON object
    template_labels varchar,               -- JSON object; of its pods
    labels          varchar,               -- JSON object
    annotations     varchar,               -- JSON object
    completed_at    timestamptz,           -- of a Job that succeeded
    created_at      timestamptz not null,  -- when it was created
    is_deleted      boolean     not null   -- it was gone in this window; the rest is how it last was
);
