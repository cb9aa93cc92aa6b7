-- Whether the usage Prometheus reported of a window is plausible: a broken sensor is no idle workload.
--
-- Implausible is usage of which nothing was measured, that is zero for all of a cluster, or that was the
-- same in every window of an hour, three at least: of one container each may be true, of all of them none is.
-- A window is judged beside those of its hour only: the order in which windows are read changes nothing.
--
-- kind: incremental by hour, archived after native_hourly_days

create table core.usage_window (
    window_start             timestamptz not null,
    cluster                  varchar     not null,
    is_plausible             boolean     not null,  -- whether usage counts; else it is unknown
    reason                   varchar,               -- why it is implausible; null when it is plausible
    container_count          integer     not null,  -- containers that OpenCost knows of
    measured_container_count integer     not null,  -- containers with a measured CPU or memory
    check (is_plausible = (reason is null))
);

with allocated as (
    select cluster, window_start, count(*) as container_count
    from raw.allocation
    where window_start >= $start and window_start < $end
        and container is not null and not ends_with(allocation, '__')
    group by all
),
measured as (
    select *
    from raw.container_usage
    where window_start >= $start and window_start < $end
        and container <> '' and coalesce(cpu_used_core_hours, memory_used_byte_hours) is not null
),
total as (
    select
        cluster,
        window_start,
        count(*) as measured_container_count,
        sum(cpu_used_core_hours) as cpu_used_core_hours,
        sum(memory_used_byte_hours) as memory_used_byte_hours
    from measured
    group by all
),
container_hour as (
    select
        cluster,
        date_trunc('hour', window_start) as hour,
        count(distinct (cpu_used_core_hours, memory_used_byte_hours)) as value_count
    from measured
    group by cluster, hour, namespace, pod, container
    having count(*) >= 3
),
stuck as (
    select cluster, hour
    from container_hour
    group by all
    having max(value_count) = 1
)
select
    coalesce(allocated.window_start, total.window_start) as window_start,
    coalesce(allocated.cluster, total.cluster) as cluster,
    case
        when measured_container_count is null then 'no container was measured'
        when cpu_used_core_hours = 0 then 'CPU of all containers is 0'
        when memory_used_byte_hours = 0 then 'memory of all containers is 0'
        when stuck.hour is not null then 'the same in every window of the hour'
    end as reason,
    reason is null as is_plausible,
    coalesce(container_count, 0) as container_count,
    coalesce(measured_container_count, 0) as measured_container_count
from allocated
full join total using (cluster, window_start)
left join stuck
    on stuck.cluster = coalesce(allocated.cluster, total.cluster)
    and stuck.hour = date_trunc('hour', coalesce(allocated.window_start, total.window_start));
