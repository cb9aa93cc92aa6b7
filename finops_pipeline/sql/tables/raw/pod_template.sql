-- Containers of the pods a workload makes, one row per container and state of the template.
--
-- Stored when any of them changed, and all of them each UTC day. Workloads that another one manages, such
-- as the ReplicaSets of a Deployment, are left out: their templates are copies.
--
-- kind: lake by window

create table raw.pod_template (
    cluster              varchar     not null,  -- cluster
    window_start         timestamptz not null,  -- first instant of the window it was seen in, UTC
    uid                  varchar     not null,  -- of the workload
    namespace            varchar     not null,  -- Kubernetes namespace
    name                 varchar     not null,  -- name of the workload
    workload_kind        varchar     not null,  -- Deployment, StatefulSet, DaemonSet, ...
    container            varchar     not null,  -- container
    container_kind       varchar     not null,  -- main, init, or sidecar: an init container that stays
    image                varchar,               -- image
    cpu_request_cores    double,                -- requested; null when nothing is [cores]
    cpu_limit_cores      double,                -- limit; null without one [cores]
    memory_request_bytes double,                -- requested; null when nothing is [bytes]
    memory_limit_bytes   double,                -- limit; null without one [bytes]
    gpu_request_count    double,                -- requested; null when nothing is [GPUs]
    has_liveness_probe   boolean,               -- whether it has one
    has_readiness_probe  boolean,               -- whether it has one
    has_startup_probe    boolean,               -- whether it has one
    created_at           timestamptz not null,  -- when the workload was created
    is_deleted           boolean     not null   -- it was gone in this window; the rest is how it last was
);
