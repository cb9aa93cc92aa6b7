-- The price used for each node in a window, and where it comes from.

create table core.price (
    cluster               varchar     not null,  -- cluster
    window_start          timestamptz not null,  -- first instant of the window, UTC
    node                  varchar     not null,  -- node
    cpu_core_hour_price   double,                -- discounted, adjusted to the bill [currency per core-hour]
    memory_gib_hour_price double,                -- discounted, adjusted to the bill [currency per GiB-hour]
    gpu_hour_price        double,                -- adjusted to the bill [currency per GPU-hour]
    price_source          varchar     not null   -- prometheus: its metrics; asset: cost over hours
);

with node as (
    -- A node replaced under its name is two assets.
    select
        cluster,
        window_start,
        name,
        sum(cpu_core_hours) as cpu_core_hours,
        sum(memory_byte_hours) as memory_byte_hours,
        sum(gpu_hours) as gpu_hours,
        sum(source_cpu_cost) as source_cpu_cost,
        sum(source_memory_cost) as source_memory_cost,
        sum(source_gpu_cost) as source_gpu_cost,
        -- Kubecost adjusts a node to the bill as a whole; its total contains the adjustment.
        coalesce(
            sum(source_total_cost) / nullif(sum(source_total_cost) - sum(coalesce(adjustment_cost, 0)), 0), 1
        ) as adjusted_ratio,
        (1 - coalesce(max(discount_ratio), 0)) * adjusted_ratio as paid_ratio
    from raw.asset
    where asset_kind = 'node' and window_start >= $start and window_start < $end
    group by all
),
measured as (
    select * from raw.price
    where price_kind = 'node' and window_start >= $start and window_start < $end
)
select
    cluster,
    window_start,
    name as node,
    coalesce(measured.cpu_core_hour_price, source_cpu_cost / nullif(cpu_core_hours, 0))
        * coalesce(paid_ratio, 1) as cpu_core_hour_price,
    coalesce(measured.memory_gib_hour_price, source_memory_cost * 1024 ** 3 / nullif(memory_byte_hours, 0))
        * coalesce(paid_ratio, 1) as memory_gib_hour_price,
    coalesce(measured.gpu_hour_price, source_gpu_cost / nullif(gpu_hours, 0))
        * coalesce(adjusted_ratio, 1) as gpu_hour_price,
    if(measured.cpu_core_hour_price is null, 'asset', 'prometheus') as price_source
from node
full join measured using (cluster, window_start, name);
