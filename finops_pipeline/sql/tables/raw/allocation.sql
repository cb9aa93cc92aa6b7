-- What each container was allocated in a window, as OpenCost's /allocation answered.
--
-- Idle and unmounted cost are rows of their own, as the source sends them. Its costs are rounded to
-- 5 decimals and kept for reconciliation only; our money is in the costs schema. Null is unknown.
--
-- kind: lake by window

create table raw.allocation (
    cluster                      varchar     not null,  -- cluster
    window_start                 timestamptz not null,  -- first instant of the window, UTC
    allocation                   varchar     not null,  -- cluster/node/namespace/pod/container
    node                         varchar,               -- null for idle, unmounted and ended pods
    namespace                    varchar,               -- Kubernetes namespace
    workload_kind                varchar,               -- of the controller, in lower case; or null
    workload                     varchar,               -- name of the controller; null without one
    pod                          varchar,               -- pod
    container                    varchar,               -- container
    labels                       varchar,               -- of node, namespace and pod, later wins; JSON object
    annotations                  varchar,               -- of namespace and pod, later wins; JSON object
    namespace_labels             varchar,               -- labels of the namespace; JSON object
    namespace_annotations        varchar,               -- annotations of the namespace; JSON object
    volumes                      varchar,               -- byte-hours and exact cost by volume; JSON object
    load_balancers               varchar,               -- unrounded cost by load balancer; JSON object
    minutes                      double      not null,  -- how long it ran, as OpenCost saw it [minutes]
    cpu_core_hours               double,                -- the larger of request and usage [core-hours]
    cpu_request_cores            double,                -- mean request while it ran [cores]
    cpu_usage_cores              double,                -- mean usage while it ran [cores]
    cpu_usage_max_cores          double,                -- highest usage OpenCost saw [cores]
    memory_byte_hours            double,                -- the larger of request and usage [byte-hours]
    memory_request_bytes         double,                -- mean request while it ran [bytes]
    memory_usage_bytes           double,                -- mean usage while it ran [bytes]
    memory_usage_max_bytes       double,                -- highest usage OpenCost saw [bytes]
    gpu_hours                    double,                -- allocated GPUs [GPU-hours]
    storage_byte_hours           double,                -- size of its volumes over its hours [byte-hours]
    network_transmit_bytes       double,                -- sent [bytes]
    network_receive_bytes        double,                -- received [bytes]
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
