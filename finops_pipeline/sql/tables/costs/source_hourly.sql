-- What OpenCost itself says each workload's resource cost in each hour, and how far that may err.
--
-- For reconciliation, see costs.reconciliation_daily; our own money is in costs.hourly. Only what is
-- there: a workload without a volume has no row for storage.
--
-- kind: incremental by hour, archived after native_hourly_days

create table costs.source_hourly (
    hour          timestamptz     not null,  -- first instant of the hour, UTC
    cluster       varchar         not null,
    namespace     varchar         not null,  -- namespace; else '__idle__', '__unmounted__', '__shared__', ...
    workload      varchar         not null,  -- of any kind; '__unallocated__' without a controller
    resource      varchar         not null,  -- cpu, memory, gpu, storage, load_balancer, network or shared
    source_cost   decimal(28, 10) not null,  -- sum of its windows, adjusted to the bill if it is [currency]
    rounding_cost decimal(28, 10) not null,  -- half a last digit of each figure, see below [currency]
    step_cost     decimal(28, 10) not null   -- a minute of each pod that started or ended [currency]
);

-- Costs are rounded to 5 decimals, and so are the hours that our own costs are made of: 5e-6 each, the
-- hours at the price of the node. Source: the answers of OpenCost 1.112 recorded for the tests.
with whole as (
    -- Not 15 minutes: a source that loses time loses it of all, and must not be excused for that.
    select cluster, window_start, max(minutes) filter (node is not null) as whole_minutes
    from raw.allocation
    where window_start >= $start and window_start < $end
    group by all
),
reported as (
    select
        cluster,
        window_start,
        coalesce(namespace, split_part(allocation, '/', -1)) as namespace,
        coalesce(workload, if(ends_with(allocation, '__idle__'), '__idle__', '__unallocated__')) as workload,
        if(minutes < whole_minutes, 1 / minutes, 0) as step_ratio,
        coalesce(source_cpu_cost, 0) + coalesce(cpu_adjustment_cost, 0) as cpu_cost,
        coalesce(source_memory_cost, 0) + coalesce(memory_adjustment_cost, 0) as memory_cost,
        coalesce(source_gpu_cost, 0) + coalesce(gpu_adjustment_cost, 0) as gpu_cost,
        coalesce(source_storage_cost, 0) + coalesce(storage_adjustment_cost, 0) as storage_cost,
        coalesce(source_load_balancer_cost, 0) + coalesce(load_balancer_adjustment_cost, 0) as balancer_cost,
        coalesce(source_network_cost, 0) + coalesce(network_adjustment_cost, 0) as network_cost,
        coalesce(source_shared_cost, 0) + coalesce(source_external_cost, 0) as shared_cost,
        1 + coalesce(cpu_core_hour_price, 0) as cpu_digits,
        if(gpu_cost <> 0 or gpu_hours > 0, 1 + coalesce(gpu_hour_price, 0), 0) as gpu_digits,
        if(storage_cost <> 0 or storage_byte_hours > 0, 1, 0) as storage_digits,
        if(balancer_cost <> 0, 1, 0) as balancer_digits
    from raw.allocation
    left join core.price using (cluster, window_start, node)
    join whole using (cluster, window_start)
    where window_start >= $start and window_start < $end
),
summed as (
    select
        date_trunc('hour', window_start) as hour,
        cluster,
        namespace,
        workload,
        -- Of a window of 15 minutes OpenCost counts 16 of a load balancer, at a resolution of 60 s.
        unnest([
            {
                resource: 'cpu',
                cost: sum(cpu_cost),
                digits: sum(cpu_digits),
                step: sum(cpu_cost * step_ratio)
            },
            {
                resource: 'memory',
                cost: sum(memory_cost),
                digits: count(*),
                step: sum(memory_cost * step_ratio)
            },
            {
                resource: 'gpu',
                cost: sum(gpu_cost),
                digits: sum(gpu_digits),
                step: sum(gpu_cost * step_ratio)
            },
            {
                resource: 'storage',
                cost: sum(storage_cost),
                digits: sum(storage_digits),
                step: sum(storage_cost * step_ratio)
            },
            {
                resource: 'load_balancer',
                cost: sum(balancer_cost) * 15 / 16,
                digits: sum(balancer_digits),
                step: sum(balancer_cost * step_ratio)
            },
            {
                resource: 'network',
                cost: sum(network_cost),
                -- Zero may be rounded to that: then other windows of the workload have some.
                digits: if(bool_or(network_cost <> 0), count(*), 0),
                step: sum(network_cost * step_ratio)
            },
            {
                resource: 'shared',
                cost: sum(shared_cost),
                digits: count(*) filter (shared_cost <> 0),
                step: sum(shared_cost * step_ratio)
            }
        ], recursive := true)
    from reported
    group by hour, cluster, namespace, workload
)
select
    hour,
    cluster,
    namespace,
    workload,
    resource,
    cast(cost as decimal(28, 10)) as source_cost,
    cast(5e-6 * digits as decimal(28, 10)) as rounding_cost,
    cast(abs(step) as decimal(28, 10)) as step_cost
from summed
where (cost, digits) <> (0, 0);
