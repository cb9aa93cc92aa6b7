-- Hourly price of each node, volume and load balancer in a window, from OpenCost's own metrics.
--
-- kind: lake by window

create table raw.price (
    cluster                varchar     not null,  -- cluster
    window_start           timestamptz not null,  -- first instant of the window, UTC
    price_kind             varchar     not null,  -- node, volume or load_balancer
    name                   varchar     not null,  -- node, volume, or namespace/service
    cpu_core_hour_price    double,                -- of a node [currency per core-hour]
    memory_gib_hour_price  double,                -- of a node [currency per GiB-hour]
    gpu_hour_price         double,                -- of a node [currency per GPU-hour]
    node_hour_price        double,                -- of the whole node [currency per hour]
    storage_gib_hour_price double,                -- of a volume [currency per GiB-hour]
    load_balancer_hour_price double               -- of a load balancer [currency per hour]
);
