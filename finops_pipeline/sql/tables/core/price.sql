-- The price used for each node in a window, and where it comes from.
--
-- kind: incremental by hour, archived after native_hourly_days

create table core.price (
    cluster               varchar     not null,
    window_start          timestamptz not null,
    node                  varchar     not null,  -- node
    node_pool             varchar,               -- pool by the node's labels; null without one
    cpu_core_hour_price   double,                -- all discounts applied [currency per core-hour]
    memory_gib_hour_price double,                -- all discounts applied [currency per GiB-hour]
    gpu_hour_price        double,                -- all discounts applied [currency per GPU-hour]
    discount_ratio        double      not null,  -- the settings' own, off the source's prices
    has_own_price         boolean     not null,  -- whether prices or discounts of the settings count
    price_source          varchar     not null   -- of a core: prometheus, asset, bill, price_list or none
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
        -- What was free until it was billed has no price to scale: it is not known how it is split.
        sum(coalesce(adjustment_cost, 0)) as bill_difference_cost,
        if(
            bill_difference_cost = 0,
            1,
            sum(source_total_cost) / nullif(sum(source_total_cost) - bill_difference_cost, 0)
        ) as adjusted_ratio,
        (1 - coalesce(max(discount_ratio), 0)) * adjusted_ratio as paid_ratio
    from raw.asset
    where asset_kind = 'node' and window_start >= $start and window_start < $end
    group by all
),
measured as (
    select * from raw.price
    where price_kind = 'node' and window_start >= $start and window_start < $end
),
pool as (
    select cluster, window_start, name, arg_min(labels ->> label, position_count) as node_pool
    from raw.asset
    cross join core.node_pool_label
    where asset_kind = 'node' and window_start >= $start and window_start < $end
        and (labels ->> label) <> ''
    group by cluster, window_start, name
),
source_price as (
    select
        cluster,
        window_start,
        name,
        coalesce(adjusted_ratio, 1) <> 1 as is_adjusted,
        measured.cpu_core_hour_price is not null as is_measured,
        coalesce(measured.cpu_core_hour_price, source_cpu_cost / nullif(cpu_core_hours, 0))
            * if(node.cluster is null, 1, paid_ratio) as cpu_price,
        coalesce(
            measured.memory_gib_hour_price,
            source_memory_cost * 1024 ** 3 / nullif(memory_byte_hours, 0)
        ) * if(node.cluster is null, 1, paid_ratio) as memory_price,
        -- OpenCost takes its discount off CPU and memory only.
        coalesce(measured.gpu_hour_price, source_gpu_cost / nullif(gpu_hours, 0))
            * if(node.cluster is null, 1, adjusted_ratio) as gpu_price
    from node
    full join measured using (cluster, window_start, name)
),
-- The entry of the node's pool, else that of all nodes, decides on discount and preference. What it has
-- no price for, and the source neither, has the price of all nodes.
listed as (
    select
        source_price.*,
        node_pool,
        coalesce(entry.discount_ratio, 0) as discount_ratio,
        if(entry.is_preferred, entry.cpu_core_hour_price, null) as cpu_preferred_price,
        if(entry.is_preferred, entry.memory_gib_hour_price, null) as memory_preferred_price,
        if(entry.is_preferred, entry.gpu_hour_price, null) as gpu_preferred_price,
        coalesce(entry.cpu_core_hour_price, common.cpu_core_hour_price) as cpu_list_price,
        coalesce(entry.memory_gib_hour_price, common.memory_gib_hour_price) as memory_list_price,
        coalesce(entry.gpu_hour_price, common.gpu_hour_price) as gpu_list_price
    from source_price
    left join pool using (cluster, window_start, name)
    left join core.price_list as own using (cluster, node_pool)
    left join core.price_list as entry
        on entry.cluster = source_price.cluster and entry.node_pool = coalesce(own.node_pool, '')
    left join core.price_list as common
        on common.cluster = source_price.cluster and common.node_pool = ''
)
select
    cluster,
    window_start,
    name as node,
    node_pool,
    coalesce(cpu_preferred_price, cpu_price * (1 - discount_ratio), cpu_list_price) as cpu_core_hour_price,
    coalesce(memory_preferred_price, memory_price * (1 - discount_ratio), memory_list_price)
        as memory_gib_hour_price,
    coalesce(gpu_preferred_price, gpu_price * (1 - discount_ratio), gpu_list_price) as gpu_hour_price,
    discount_ratio,
    discount_ratio > 0
        or coalesce(cpu_preferred_price, memory_preferred_price, gpu_preferred_price) is not null
        or (cpu_price is null and cpu_list_price is not null)
        or (memory_price is null and memory_list_price is not null) as has_own_price,
    case
        when cpu_preferred_price is not null then 'price_list'
        when cpu_price is null then if(cpu_list_price is null, 'none', 'price_list')
        when is_adjusted then 'bill'
        when is_measured then 'prometheus'
        else 'asset'
    end as price_source
from listed;
