-- Pods of a cluster, one row per state: stored when something changed, and all of them each UTC day.
--
-- kind: lake by window

create table raw.pod (
    cluster              varchar     not null,  -- cluster
    window_start         timestamptz not null,  -- first instant of the window it was seen in, UTC
    uid                  varchar     not null,  -- identifies it among objects of the same name
    namespace            varchar     not null,  -- Kubernetes namespace
    name                 varchar     not null,  -- its name
    node                 varchar,               -- node it runs on; null while it waits for one
    owner_kind           varchar,               -- kind of what manages it
    owner                varchar,               -- name of what manages it
    phase                varchar,               -- as the API says
    qos_class            varchar,               -- Guaranteed, Burstable or BestEffort
    priority_class       varchar,               -- priority class
    cpu_request_cores    double,                -- kept free for it; null when nothing is [cores]
    memory_request_bytes double,                -- kept free for it; null when nothing is [bytes]
    gpu_request_count    double,                -- kept free for it; null when nothing is [GPUs]
    container_count      double,                -- init containers left out [containers]
    restart_count        double,                -- of its containers since it was created [restarts]
    volume_claims        varchar,               -- JSON list of the claims it mounts
    node_selector        varchar,               -- JSON object
    tolerations          varchar,               -- JSON list
    affinity             varchar,               -- JSON object
    labels               varchar,               -- JSON object
    annotations          varchar,               -- JSON object
    started_at           timestamptz,           -- when the kubelet took it
    created_at           timestamptz not null,  -- when it was created
    is_deleted           boolean     not null   -- it was gone in this window; the rest is how it last was
);
