-- Whether our cost of a workload is the source's: the sum of its windows, and its answer for the day.
--
-- As costs.reconciliation_daily, but finer: a mistake of one workload does not vanish in the tolerance of
-- its cluster. Load balancers are left out, since their share is no matter of a workload, and so is idle
-- cost, the rest of everything else. Tolerances are derived:
--   windows  5e-6 x (figures + hours x price) of each row: both are rounded to 5 decimals
--   day      the same, 5e-6 x 6 figures of each row of the day, and a minute (the resolution) at its price
--            for each pod that started or ended
-- Source: recorded answers of OpenCost 1.112 at a resolution of 60 seconds.
--
-- kind: incremental by day

create table costs.workload_reconciliation_daily (
    day                    date            not null,
    cluster                varchar         not null,  -- cluster
    namespace              varchar         not null,  -- namespace; else '__unmounted__', '__shared__', ...
    workload               varchar         not null,  -- of any kind; '__unallocated__' without a controller
    our_cost               decimal(28, 10) not null,
    source_window_cost     decimal(28, 10) not null,
    window_difference_cost decimal(28, 10) not null,
    window_tolerance_cost  decimal(28, 10) not null,
    source_day_cost        decimal(28, 10),
    day_difference_cost    decimal(28, 10),
    day_tolerance_cost     decimal(28, 10),
    is_reconciled          boolean                    -- both; null where costs.reconciliation_daily says so
);

with ours as (
    select
        day,
        cluster,
        namespace,
        if(cost_kind = 'workload' and workload_kind <> 'Pod', workload, '__unallocated__') as workload,
        sum(total_cost - load_balancer_cost) as our_cost
    from costs.daily
    where day >= $start and day < $end
        and cost_kind in ('workload', 'unmounted', 'shared', 'external', 'unallocated')
    group by all
),
windows as (
    select
        cast(hour as date) as day,
        cluster,
        namespace,
        workload,
        sum(source_cost) as source_window_cost,
        sum(rounding_cost) as rounding_cost,
        sum(step_cost) as step_cost
    from costs.source_hourly
    where hour >= $start and hour < $end and resource <> 'load_balancer' and namespace <> '__idle__'
    group by all
),
whole_day as (
    select
        cast(window_start as date) as day,
        cluster,
        coalesce(namespace, split_part(allocation, '/', -1)) as namespace,
        coalesce(workload, '__unallocated__') as workload,
        sum(
            coalesce(source_cpu_cost, 0) + coalesce(cpu_adjustment_cost, 0)
            + coalesce(source_memory_cost, 0) + coalesce(memory_adjustment_cost, 0)
            + coalesce(source_gpu_cost, 0) + coalesce(gpu_adjustment_cost, 0)
            + coalesce(source_storage_cost, 0) + coalesce(storage_adjustment_cost, 0)
            + coalesce(source_network_cost, 0) + coalesce(network_adjustment_cost, 0)
            + coalesce(source_shared_cost, 0) + coalesce(source_external_cost, 0)
        ) as source_day_cost,
        count(*) * 6 * 5e-6 as day_rounding_cost
    from raw.source_daily
    where window_start >= $start and window_start < $end and not ends_with(allocation, '__idle__')
    group by all
),
cluster_day as (
    select
        day,
        cluster,
        is_window_reconciled is not null as is_comparable,
        is_day_reconciled is not null as is_known
    from costs.reconciliation_daily
    where day >= $start and day < $end and resource = 'total'
),
compared as (
    select
        day,
        cluster,
        namespace,
        workload,
        coalesce(our_cost, 0) as our_cost,
        coalesce(source_window_cost, 0) as source_window_cost,
        coalesce(rounding_cost, 0) as window_tolerance_cost,
        cast(if(is_known, coalesce(source_day_cost, 0), null) as decimal(28, 10)) as source_day_cost,
        case when is_known
            then coalesce(rounding_cost, 0) + coalesce(step_cost, 0) + coalesce(day_rounding_cost, 0)
        end as day_tolerance_cost,
        is_comparable,
        is_known
    from ours
    full join windows using (day, cluster, namespace, workload)
    full join whole_day using (day, cluster, namespace, workload)
    join cluster_day using (day, cluster)
)
select
    * exclude (is_comparable, is_known),
    our_cost - source_window_cost as window_difference_cost,
    our_cost - source_day_cost as day_difference_cost,
    case
        when not is_comparable then null
        when abs(window_difference_cost) > window_tolerance_cost then false
        when not is_known then null
        else abs(day_difference_cost) <= day_tolerance_cost
    end as is_reconciled
from compared;
