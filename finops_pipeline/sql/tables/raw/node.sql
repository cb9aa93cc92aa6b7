-- Nodes of a cluster, one row per state: stored when something changed, and all of them each UTC day.
--
-- kind: lake by window

create table raw.node (
    cluster                  varchar     not null,  -- cluster
    window_start             timestamptz not null,  -- first instant of the window it was seen in, UTC
    uid                      varchar     not null,  -- identifies it among objects of the same name
    name                     varchar     not null,  -- its name
    provider_id              varchar,               -- the machine, as its cloud calls it
    node_type                varchar,               -- instance type
    region                   varchar,               -- region
    zone                     varchar,               -- zone
    architecture             varchar,               -- amd64, arm64, ...
    operating_system         varchar,               -- linux or windows
    kubelet_version          varchar,               -- version of the kubelet
    is_spot                  boolean,               -- whether its labels call it spot or preemptible
    is_ready                 boolean,               -- whether the kubelet says so; null when it is silent
    is_schedulable           boolean,               -- false once it is cordoned
    cpu_capacity_cores       double,                -- of the machine [cores]
    cpu_allocatable_cores    double,                -- for pods [cores]
    memory_capacity_bytes    double,                -- of the machine [bytes]
    memory_allocatable_bytes double,                -- for pods [bytes]
    gpu_capacity_count       double,                -- of the machine [GPUs]
    gpu_allocatable_count    double,                -- for pods [GPUs]
    pod_allocatable_count    double,                -- most pods it takes [pods]
    taints                   varchar,               -- JSON list
    labels                   varchar,               -- JSON object
    created_at               timestamptz not null,  -- when it was created
    is_deleted               boolean     not null   -- it was gone in this window; the rest is how it last was
);
