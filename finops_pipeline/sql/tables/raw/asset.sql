-- What each node, disk and load balancer cost in a window, as OpenCost's /assets answered.
--
-- kind: lake by window

create table raw.asset (
    cluster           varchar     not null,  -- cluster
    window_start      timestamptz not null,  -- first instant of the window, UTC
    asset             varchar     not null,  -- OpenCost's name: provider/account/project/.../provider id/name
    asset_kind        varchar     not null,  -- node, disk, load_balancer, network or cluster_management
    name              varchar,               -- node, volume or namespace/service
    provider_id       varchar,               -- the cloud's name for it
    node_type         varchar,               -- instance type of a node
    is_spot           boolean,               -- whether the cloud may take it back at any time
    labels            varchar,               -- its labels; JSON object
    minutes           double      not null,  -- how long it existed, as OpenCost saw it [minutes]
    cpu_cores         double,                -- of a node [cores]
    memory_bytes      double,                -- of a node [bytes]
    cpu_core_hours    double,                -- of a node [core-hours]
    memory_byte_hours double,                -- of a node [byte-hours]
    gpu_hours         double,                -- of a node [GPU-hours]
    storage_bytes     double,                -- size of a disk [bytes]
    storage_byte_hours double,               -- size of a disk over its hours [byte-hours]
    storage_used_byte_hours double,          -- used of a disk over its hours, where known [byte-hours]
    storage_class     varchar,               -- storage class of a disk
    volume            varchar,               -- persistent volume of a disk
    volume_claim      varchar,               -- claim that binds the volume
    volume_claim_namespace varchar,          -- namespace of the claim
    discount_ratio    double,                -- discount in the costs of a node, 0 to 1
    source_cpu_cost   double,                -- as the source rounds it, to 6 decimals [currency]
    source_memory_cost double,               -- as the source rounds it, to 6 decimals [currency]
    source_gpu_cost   double,                -- as the source rounds it, to 6 decimals [currency]
    source_total_cost double,                -- as the source rounds it, to 6 decimals [currency]
    adjustment_cost   double                 -- adjustment to the cloud bill; 0 in OpenCost [currency]
);
