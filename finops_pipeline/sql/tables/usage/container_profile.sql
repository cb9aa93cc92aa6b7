-- What each container of a workload used in the 14 days up to the newest window of its cluster, all replicas.
--
-- Percentiles are exact, of means over a window and replica; a maximum is that of the maxima inside windows.
-- Windows whose usage is implausible (core.usage_window) are left out. A container of a pod that OpenCost
-- does not know counts as a workload of its own.
--
-- kind: view

create view usage.container_profile as
with recent as (
    select cluster, window_start
    from core.usage_window
    qualify window_start > max(window_start) over (partition by cluster) - interval 14 days
),
-- What OpenCost said last of each pod.
newest as (
    select
        cluster,
        namespace,
        pod,
        unnest(arg_max(
            {'workload_kind': workload_kind, 'workload': workload},
            (window_start, coalesce(workload, ''))
        ))
    from (
        select cluster, namespace, pod, workload_kind, workload, max(window_start) as window_start
        from raw.allocation
        semi join recent using (cluster, window_start)
        where pod is not null and not ends_with(allocation, '__')
        group by all
    )
    group by cluster, namespace, pod
),
-- As costs.line_item names workloads.
pod as (
    select
        cluster,
        namespace,
        pod,
        case
            when workload is null then 'Pod'
            else coalesce(list_filter(
                ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob'],
                lambda kind: lower(kind) = newest.workload_kind
            )[1], workload_kind, 'Pod')
        end as workload_kind,
        workload
    from newest
),
measured as (
    select *
    from raw.container_usage
    semi join (
        select cluster, window_start
        from recent
        join core.usage_window using (cluster, window_start)
        where is_plausible
    ) as plausible_window using (cluster, window_start)
    where container <> '' and coalesce(cpu_mean_cores, memory_mean_bytes) is not null
)
select
    cluster,                                  -- cluster
    namespace,
    coalesce(pod.workload_kind, 'Pod') as workload_kind,  -- Deployment, ...; Pod without a controller
    coalesce(pod.workload, pod) as workload,  -- what a team deploys
    container,                                -- container
    min(window_start) as first_window_start,  -- first window it was measured in, of the 14 days
    max(window_start) as newest_window_start,  -- last window it was measured in
    count(distinct window_start) as window_count,  -- windows in which any replica was measured
    window_count / (14 * 96) as coverage_ratio,  -- of all windows of 14 days
    quantile_cont(cpu_mean_cores, 0.5) as cpu_p50_cores,  -- median [cores]
    quantile_cont(cpu_mean_cores, 0.95) as cpu_p95_cores,  -- 95th percentile [cores]
    quantile_cont(cpu_mean_cores, 0.99) as cpu_p99_cores,  -- 99th percentile [cores]
    max(cpu_max_cores) as cpu_max_cores,      -- highest 5-minute rate [cores]
    quantile_cont(memory_mean_bytes, 0.5) as memory_p50_bytes,  -- median [bytes]
    quantile_cont(memory_mean_bytes, 0.95) as memory_p95_bytes,  -- 95th percentile [bytes]
    quantile_cont(memory_mean_bytes, 0.99) as memory_p99_bytes,  -- 99th percentile [bytes]
    max(memory_max_bytes) as memory_max_bytes,  -- highest working set [bytes]
    sum(cpu_throttled_ratio * observed_hours)
        / nullif(sum(observed_hours) filter (cpu_throttled_ratio is not null), 0)
        as cpu_throttled_ratio,  -- share of scheduling periods that were throttled, over observed hours
    sum(restart_count) as restart_count,      -- restarts
    sum(oom_kill_count) as oom_kill_count,    -- out-of-memory kills
    arg_max_null(cpu_request_cores, window_start)
        as cpu_request_cores,  -- last request; null without one [cores]
    arg_max_null(cpu_limit_cores, window_start) as cpu_limit_cores,  -- last limit; null without one [cores]
    arg_max_null(memory_request_bytes, window_start)
        as memory_request_bytes,  -- last request; null without one [bytes]
    arg_max_null(memory_limit_bytes, window_start)
        as memory_limit_bytes  -- last limit; null without one [bytes]
from measured
left join pod using (cluster, namespace, pod)
group by all;
