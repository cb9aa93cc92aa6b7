-- Hourly price of each node and volume in a window, as Prometheus has it from OpenCost's own metrics.

create table raw.price (
    cluster                varchar     not null,  -- cluster
    window_start           timestamptz not null,  -- first instant of the window, UTC
    price_kind             varchar     not null,  -- node or volume
    name                   varchar     not null,  -- node or persistent volume
    cpu_core_hour_price    double,                -- of a node [currency per core-hour]
    memory_gib_hour_price  double,                -- of a node [currency per GiB-hour]
    gpu_hour_price         double,                -- of a node [currency per GPU-hour]
    node_hour_price        double,                -- of the whole node [currency per hour]
    storage_gib_hour_price double                 -- of a volume [currency per GiB-hour]
);
