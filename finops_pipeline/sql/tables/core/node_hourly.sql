-- What each node was and could have given in each hour, as OpenCost's assets say.
--
-- kind: incremental by hour, archived after native_hourly_days

create table core.node_hourly (
    hour                       timestamptz not null,  -- first instant of the hour, UTC
    cluster                    varchar     not null,
    node                       varchar     not null,
    node_type                  varchar,               -- instance type
    node_pool                  varchar,
    zone                       varchar,               -- zone by its labels; null without one
    is_spot                    boolean,
    cpu_capacity_core_hours    double      not null,  -- of its CPU [core-hours]
    memory_capacity_byte_hours double      not null,  -- of its memory [byte-hours]
    gpu_capacity_hours         double      not null,  -- of its GPUs [GPU-hours]
    cpu_measured_core_hours    double      not null,  -- of the windows whose usage is plausible [core-hours]
    memory_measured_byte_hours double      not null,  -- of the windows whose usage is plausible [byte-hours]
    window_count               integer     not null,  -- windows it was there in
    check (window_count between 1 and 4)
);

with node as (
    select
        *,
        coalesce(
            nullif(labels ->> 'topology_kubernetes_io_zone', ''),
            nullif(labels ->> 'failure_domain_beta_kubernetes_io_zone', '')
        ) as zone
    from raw.asset
    where asset_kind = 'node' and name is not null and window_start >= $start and window_start < $end
)
select
    date_trunc('hour', window_start) as hour,
    cluster,
    name as node,
    -- A node replaced under its name: what it was last.
    arg_max(node_type, window_start) as node_type,
    arg_max(node_pool, window_start) as node_pool,
    arg_max(zone, window_start) as zone,
    arg_max(is_spot, window_start) as is_spot,
    coalesce(sum(cpu_core_hours), 0) as cpu_capacity_core_hours,
    coalesce(sum(memory_byte_hours), 0) as memory_capacity_byte_hours,
    coalesce(sum(gpu_hours), 0) as gpu_capacity_hours,
    coalesce(sum(cpu_core_hours) filter (is_plausible), 0) as cpu_measured_core_hours,
    coalesce(sum(memory_byte_hours) filter (is_plausible), 0) as memory_measured_byte_hours,
    count(distinct window_start) as window_count
from node
left join core.usage_window using (cluster, window_start)
left join core.price on price.cluster = node.cluster
    and price.window_start = node.window_start
    and price.node = node.name
group by date_trunc('hour', window_start), cluster, name;
