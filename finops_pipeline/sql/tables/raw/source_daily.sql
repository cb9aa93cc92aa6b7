-- What each workload cost on a UTC day, as OpenCost's /allocation answered for the day in one piece.
--
-- Asked once, when every window of the day has been read for the last time: to be compared with the sum
-- of the windows. What has no controller is one row per namespace, and idle cost is a row of its own.
--
-- kind: lake by day

create table raw.source_daily (
    cluster                      varchar     not null,  -- cluster the cost arose in
    window_start                 timestamptz not null,  -- first instant of the day, UTC
    allocation                   varchar     not null,  -- OpenCost's name: namespace/kind:controller
    namespace                    varchar,               -- Kubernetes namespace; null for idle cost
    workload_kind                varchar,               -- of the controller, in lower case; or null
    workload                     varchar,               -- name of the controller; null without one
    source_cpu_cost              double,                -- as the source rounds it [currency]
    source_memory_cost           double,                -- as the source rounds it [currency]
    source_gpu_cost              double,                -- as the source rounds it [currency]
    source_storage_cost          double,                -- as the source rounds it [currency]
    source_network_cost          double,                -- as the source rounds it [currency]
    source_load_balancer_cost    double,                -- rounded; a resolution step too high [currency]
    source_shared_cost           double,                -- as the source rounds it [currency]
    source_external_cost         double,                -- as the source rounds it [currency]
    source_total_cost            double,                -- as the source rounds it [currency]
    cpu_adjustment_cost          double,                -- to the cloud bill; 0 in OpenCost [currency]
    memory_adjustment_cost       double,                -- to the cloud bill; 0 in OpenCost [currency]
    gpu_adjustment_cost          double,                -- to the cloud bill; 0 in OpenCost [currency]
    storage_adjustment_cost      double,                -- to the cloud bill; 0 in OpenCost [currency]
    network_adjustment_cost      double,                -- to the cloud bill; 0 in OpenCost [currency]
    load_balancer_adjustment_cost double                -- to the cloud bill; 0 in OpenCost [currency]
);
