-- What OpenCost's assets cost in each hour, by the resource they are, and how far that may err.
--
-- For reconciliation, see costs.reconciliation_daily. Disks of nodes themselves are left out: no
-- container is allocated any of them. A load balancer is counted without the minute that OpenCost adds to it.
--
-- kind: incremental by hour, archived after native_hourly_days

create table costs.asset_hourly (
    hour          timestamptz     not null,  -- first instant of the hour, UTC
    cluster       varchar         not null,
    resource      varchar         not null,  -- cpu, memory, gpu, storage or load_balancer
    asset_cost    decimal(28, 10) not null,  -- sum of its windows, discounts applied [currency]
    rounding_cost decimal(28, 10) not null,  -- half a last digit of each figure, see below [currency]
    step_cost     decimal(28, 10) not null   -- a minute of each asset that came or went [currency]
);

-- Costs are rounded to 6 decimals, and so are the hours of nodes: 5e-7 each, the hours at their price.
with whole as (
    select cluster, window_start, max(minutes) as whole_minutes
    from raw.asset
    where window_start >= $start and window_start < $end and asset_kind = 'node'
    group by all
),
asset as (
    select
        asset.*,
        date_trunc('hour', window_start) as hour,
        if(minutes < coalesce(whole_minutes, 15), 1 / minutes, 0) as step_ratio,
        -- OpenCost takes its discount off CPU and memory only.
        1 - coalesce(discount_ratio, 0) as paid_ratio
    from raw.asset as asset
    left join whole using (cluster, window_start)
    where window_start >= $start and window_start < $end
),
-- Without its price in Prometheus our cost of a load balancer is the source's: a minute too high as well.
priced as (
    select cluster, window_start, name, true as is_priced
    from raw.price
    where window_start >= $start and window_start < $end and price_kind = 'load_balancer'
),
node as (
    select
        hour,
        cluster,
        unnest([
            {
                resource: 'cpu',
                cost: sum(source_cpu_cost * paid_ratio),
                digits: sum(1 + coalesce(source_cpu_cost / nullif(cpu_core_hours, 0), 0)),
                step: sum(source_cpu_cost * step_ratio)
            },
            {
                resource: 'memory',
                cost: sum(source_memory_cost * paid_ratio),
                digits: count(*),
                step: sum(source_memory_cost * step_ratio)
            },
            {
                resource: 'gpu',
                cost: sum(source_gpu_cost),
                digits: sum(1 + coalesce(source_gpu_cost / nullif(gpu_hours, 0), 0)),
                step: sum(source_gpu_cost * step_ratio)
            }
        ], recursive := true)
    from asset
    where asset_kind = 'node'
    group by hour, cluster
),
other as (
    select
        hour,
        cluster,
        if(asset_kind = 'disk', 'storage', asset_kind) as resource,
        sum(source_total_cost * if(asset_kind = 'disk', 1, minutes / (minutes + 1))) as cost,
        count(*) as digits,
        sum(source_total_cost * if(
            asset_kind = 'load_balancer' and is_priced is null, 1 / (minutes + 1), step_ratio
        )) as step
    from asset
    left join priced using (cluster, window_start, name)
    where asset_kind = 'load_balancer'
        or (asset_kind = 'disk' and (cluster, window_start, name) not in (
            select (cluster, window_start, name) from raw.asset
            where window_start >= $start and window_start < $end and asset_kind = 'node'
        ))
    group by all
)
select
    hour,
    cluster,
    resource,
    cast(coalesce(cost, 0) as decimal(28, 10)) as asset_cost,
    cast(5e-7 * digits as decimal(28, 10)) as rounding_cost,
    cast(coalesce(abs(step), 0) as decimal(28, 10)) as step_cost
from (from node union all by name from other);
