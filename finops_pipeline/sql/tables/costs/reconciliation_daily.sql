-- Whether our cost of a resource is the source's, three ways: its windows, its whole day, its assets.
--
-- A difference within the tolerance is explained by what the source rounds and how finely it looks; one
-- beyond it is a mistake, the source's or ours. Idle cost is contained: allocations and it are the nodes.
--
-- Tolerances are derived:
--   windows  5e-6 x (figures + hours x price) of each row: both are rounded to 5 decimals
--   day      5e-6 x figures of the day, the rounding of our own hours, and a minute (the resolution) at
--            its price for each node, or of what is no node for each pod, that started or ended
--   assets   5e-7 x (figures + hours x price) of each node: 6 decimals; 5e-7 of each disk, and a minute of
--            storage for each pod that started or ended
--   total    the sum of all resources
-- OpenCost counts load balancers a minute too long in each answer (16 of 15 minutes, 1,441 of 1,440), and
-- twice without pods; its figures are shown without that. What only Kubecost's assets know of, the cost of
-- a cluster as a whole, is left out. Nothing is compared where our prices are not the source's: with prices
-- or discounts of the settings, or where nodes are adjusted to the bill as a whole.
-- Source: recorded answers of OpenCost 1.112 at a resolution of 60 seconds.
--
-- kind: incremental by day

create table costs.reconciliation_daily (
    day                          date            not null,
    cluster                      varchar         not null,  -- cluster
    resource                     varchar         not null,  -- cpu, memory, gpu, storage, ... or total
    our_cost                     decimal(28, 10) not null,  -- as costs.daily has it [currency]
    source_window_cost           decimal(28, 10) not null,  -- the source's figures of all windows [currency]
    window_difference_cost       decimal(28, 10) not null,  -- ours less those [currency]
    window_tolerance_cost        decimal(28, 10) not null,  -- how far they may differ [currency]
    is_window_reconciled         boolean,                   -- whether they differ by less; null is unknown
    source_day_cost              decimal(28, 10),           -- its answer for the whole day [currency]
    day_difference_cost          decimal(28, 10),           -- ours less that [currency]
    day_tolerance_cost           decimal(28, 10),           -- how far they may differ [currency]
    is_day_reconciled            boolean,                   -- whether they differ by less; null is unknown
    asset_cost                   decimal(28, 10),           -- nodes, disks, load balancers [currency]
    asset_difference_cost        decimal(28, 10),           -- ours less those [currency]
    asset_tolerance_cost         decimal(28, 10),           -- how far they may differ [currency]
    is_asset_reconciled          boolean,                   -- whether they differ by less; null is unknown
    is_reconciled                boolean,                   -- all three; null until the whole day is known
    reason                       varchar                    -- why it is unknown
);

with resource as (
    select unnest(['cpu', 'memory', 'gpu', 'storage', 'load_balancer', 'network', 'shared']) as resource
),
our_sum as (
    select
        day,
        cluster,
        sum(cpu_cost) as cpu_cost,
        sum(memory_cost) as memory_cost,
        sum(gpu_cost) as gpu_cost,
        sum(storage_cost) as storage_cost,
        sum(load_balancer_cost) as load_balancer_cost,
        sum(load_balancer_cost) filter (cost_kind = 'unmounted') as loose_cost,
        sum(network_cost) filter (cost_kind <> 'network') as network_cost,
        sum(shared_cost) filter (cost_kind in ('workload', 'shared', 'external', 'unallocated'))
            as shared_cost
    from costs.daily
    where day >= $start and day < $end
    group by all
),
ours as (
    select
        day,
        cluster,
        loose_cost,
        resource,
        coalesce(case resource
            when 'cpu' then cpu_cost
            when 'memory' then memory_cost
            when 'gpu' then gpu_cost
            when 'storage' then storage_cost
            when 'load_balancer' then load_balancer_cost
            when 'network' then network_cost
            else shared_cost
        end, 0) as our_cost
    from our_sum
    cross join resource
),
windows as (
    select
        cast(hour as date) as day,
        cluster,
        resource,
        sum(source_cost) as source_window_cost,
        sum(source_cost) filter (namespace = '__unmounted__') as loose_window_cost,
        sum(rounding_cost) as rounding_cost,
        sum(step_cost) as step_cost
    from costs.source_hourly
    where hour >= $start and hour < $end
    group by all
),
assets as (
    select
        cast(hour as date) as day,
        cluster,
        resource,
        sum(asset_cost) as asset_cost,
        sum(rounding_cost) as asset_rounding_cost,
        sum(step_cost) as asset_step_cost
    from costs.asset_hourly
    where hour >= $start and hour < $end
    group by all
),
day_sum as (
    select
        cast(window_start as date) as day,
        cluster,
        count(*) * 5e-6 as day_rounding_cost,
        coalesce(sum(source_cpu_cost), 0) + coalesce(sum(cpu_adjustment_cost), 0) as cpu_cost,
        coalesce(sum(source_memory_cost), 0) + coalesce(sum(memory_adjustment_cost), 0) as memory_cost,
        coalesce(sum(source_gpu_cost), 0) + coalesce(sum(gpu_adjustment_cost), 0) as gpu_cost,
        coalesce(sum(source_storage_cost), 0) + coalesce(sum(storage_adjustment_cost), 0) as storage_cost,
        (coalesce(sum(source_load_balancer_cost), 0) + coalesce(sum(load_balancer_adjustment_cost), 0))
            * 1440 / 1441 as load_balancer_cost,
        coalesce(sum(source_load_balancer_cost) filter (namespace = '__unmounted__'), 0)
            * 1440 / 1441 as loose_day_cost,
        coalesce(sum(source_network_cost), 0) + coalesce(sum(network_adjustment_cost), 0) as network_cost,
        coalesce(sum(source_shared_cost), 0) + coalesce(sum(source_external_cost), 0) as shared_cost
    from raw.source_daily
    where window_start >= $start and window_start < $end
    group by all
),
whole_day as (
    select
        day,
        cluster,
        resource,
        day_rounding_cost,
        loose_day_cost,
        case resource
            when 'cpu' then cpu_cost
            when 'memory' then memory_cost
            when 'gpu' then gpu_cost
            when 'storage' then storage_cost
            when 'load_balancer' then load_balancer_cost
            when 'network' then network_cost
            else shared_cost
        end as source_day_cost
    from day_sum
    cross join resource
),
coverage as (
    select
        cast(window_start as date) as day,
        cluster,
        count(*) filter (table_name = 'raw.allocation' and status in ('provisional', 'final'))
            as window_count,
        any_value(reason) filter (table_name = 'raw.source_daily') as day_reason
    from core.window
    where window_start >= $start and window_start < $end
    group by all
),
price as (
    select
        cast(window_start as date) as day,
        cluster,
        bool_or(has_own_price) as has_own_price,
        bool_or(price_source = 'bill') as has_bill_price
    from core.price
    where window_start >= $start and window_start < $end
    group by all
),
preferred as (
    select distinct cluster from core.price_list
    where is_preferred and (storage_gib_hour_price is not null or load_balancer_hour_price is not null)
),
compared as (
    select
        day,
        cluster,
        resource,
        our_cost,
        -- Without pods it is there twice, where it is much more than ours.
        coalesce(source_window_cost, 0) - if(
            resource = 'load_balancer' and loose_window_cost > 1.5 * loose_cost, loose_window_cost / 2, 0
        ) as source_window_cost,
        coalesce(rounding_cost, 0) + coalesce(asset_rounding_cost, 0)
            + if(resource = 'load_balancer', coalesce(asset_step_cost, 0), 0) as window_tolerance_cost,
        source_day_cost - if(
            resource = 'load_balancer' and loose_day_cost > 1.5 * loose_cost, loose_day_cost / 2, 0
        ) as source_day_cost,
        day_rounding_cost + coalesce(asset_rounding_cost, 0) + if(
            resource in ('cpu', 'memory', 'gpu'),
            coalesce(asset_step_cost, 0),
            coalesce(rounding_cost, 0) + coalesce(step_cost, 0) + coalesce(asset_step_cost, 0)
        ) as day_tolerance_cost,
        if(resource in ('network', 'shared'), null, coalesce(asset_cost, 0)) as asset_cost,
        coalesce(asset_rounding_cost, 0) + if(
            resource in ('storage', 'load_balancer'), coalesce(step_cost, 0) + coalesce(asset_step_cost, 0), 0
        ) as asset_tolerance_cost
    from ours
    left join windows using (day, cluster, resource)
    left join assets using (day, cluster, resource)
    left join whole_day using (day, cluster, resource)
),
total as (
    from compared
    union all by name
    -- What the source's assets do not know of, network and shared cost, is not ours there either.
    select
        day,
        cluster,
        'total' as resource,
        sum(our_cost) as our_cost,
        sum(source_window_cost) as source_window_cost,
        sum(window_tolerance_cost) as window_tolerance_cost,
        sum(source_day_cost) as source_day_cost,
        sum(day_tolerance_cost) as day_tolerance_cost,
        sum(asset_cost) + sum(our_cost) filter (asset_cost is null) as asset_cost,
        sum(asset_tolerance_cost) as asset_tolerance_cost
    from compared
    group by all
),
judged as (
    select
        * replace (
            cast(source_window_cost as decimal(28, 10)) as source_window_cost,
            cast(source_day_cost as decimal(28, 10)) as source_day_cost,
            cast(asset_cost as decimal(28, 10)) as asset_cost
        ),
        case
            when has_own_price or preferred.cluster is not null
                then 'prices or discounts of the settings count, not the source''s'
            when has_bill_price then 'the source adjusts its nodes to the bill'
        end as other_price
    from total
    left join price using (day, cluster)
    left join preferred using (cluster)
)
select
    day,
    cluster,
    resource,
    our_cost,
    source_window_cost,
    our_cost - source_window_cost as window_difference_cost,
    window_tolerance_cost,
    if(other_price is null, abs(window_difference_cost) <= window_tolerance_cost, null)
        as is_window_reconciled,
    source_day_cost,
    our_cost - source_day_cost as day_difference_cost,
    if(source_day_cost is null, null, day_tolerance_cost) as day_tolerance_cost,
    if(other_price is null and window_count = 96, abs(day_difference_cost) <= day_tolerance_cost, null)
        as is_day_reconciled,
    asset_cost,
    our_cost - asset_cost as asset_difference_cost,
    if(asset_cost is null, null, asset_tolerance_cost) as asset_tolerance_cost,
    if(other_price is null, abs(asset_difference_cost) <= asset_tolerance_cost, null) as is_asset_reconciled,
    case
        when not (is_window_reconciled and coalesce(is_day_reconciled, true)
            and coalesce(is_asset_reconciled, true)) then false
        when is_day_reconciled is null then null
        else true
    end as is_reconciled,
    case
        when other_price is not null then other_price
        when coalesce(window_count, 0) < 96 then coalesce(window_count, 0) || ' of 96 windows were read'
        when source_day_cost is null then coalesce(day_reason, 'the source was not asked for the whole day')
    end as reason
from judged
left join coverage using (day, cluster);
