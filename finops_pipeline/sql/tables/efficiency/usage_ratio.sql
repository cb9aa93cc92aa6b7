-- How well what was requested was used, at every level: the one place where ratios are made of sums.
--
-- Ratios are used over requested hours of the containers that request something and were measured, and of
-- volumes used over size; what containers used without a request is a figure of its own. Null is unknown,
-- never zero. A level's waste is the sum of its parts; a cluster's includes its idle cost, and not that of
-- volumes, which stands beside it. What a level does not have is null: idle_cost of all but clusters,
-- namespace of teams and clusters, day of namespace windows. Single levels have views of their own.
--
-- kind: view

create view efficiency.usage_ratio as
-- What is summed beside workloads: volumes of namespaces and clusters, and what else a cluster pays.
with part as (
    from efficiency.workload_usage_daily
    union all by name
    select
        day,
        cluster,
        namespace,
        measured_byte_hours as storage_measured_byte_hours,
        used_byte_hours as storage_used_byte_hours,
        waste_cost as storage_waste_cost
    from efficiency.volume_daily
    union all by name
    select day, cluster, total_cost, if(cost_kind = 'idle', total_cost, null) as idle_cost
    from costs.daily
    where cost_kind <> 'workload'
),
-- Levels are apart, not grouping sets, so that a question to one level computes no other. All columns but
-- those that tell rows apart are sums, by the same name.
summed as (
    select
        'namespace' as level,
        day,
        cluster,
        namespace,
        sum(columns(
            * exclude (day, cluster, namespace, workload_kind, workload, team, environment, window_count)
        )) as "\0"
    from part
    where namespace is not null
    group by day, cluster, namespace
    union all by name
    select
        'team' as level,
        day,
        cluster,
        team,
        sum(columns(
            * exclude (day, cluster, namespace, workload_kind, workload, team, environment, window_count)
        )) as "\0"
    from efficiency.workload_usage_daily
    group by day, cluster, team
    union all by name
    select
        'cluster' as level,
        day,
        cluster,
        sum(columns(
            * exclude (day, cluster, namespace, workload_kind, workload, team, environment, window_count)
        )) as "\0"
    from part
    group by day, cluster
),
every as (
    select summed.*, complete_daily.window_count
    from summed
    left join costs.complete_daily using (day, cluster)
    union all by name
    select 'workload' as level, * from efficiency.workload_usage_daily
    union all by name
    select 'namespace window' as level, *, 1 as window_count from efficiency.namespace_usage_quarter_hourly
)
select
    level,                                  -- workload, namespace, team or cluster; or namespace window
    window_start,
    day,
    cluster,
    namespace,                              -- Kubernetes namespace
    workload_kind,                          -- Deployment, ...; Pod without a controller
    workload,                               -- what a team deploys
    team,                                   -- paying team, or 'unattributed', 'shared'
    environment,
    cpu_requested_core_hours,               -- requested, where measured [core-hours]
    cpu_used_core_hours,                    -- used, of those with a request [core-hours]
    cpu_unrequested_core_hours,
    memory_requested_byte_hours,            -- requested, where measured [byte-hours]
    memory_used_byte_hours,                 -- used, of those with a request [byte-hours]
    memory_unrequested_byte_hours,
    gpu_requested_hours,
    gpu_used_hours,
    coalesce(total_cost, 0) as total_cost,  -- of everything it has [currency]
    coalesce(resource_cost, 0) as resource_cost,
    coalesce(unrequested_cost, 0) as unrequested_cost,
    cpu_cost,                               -- of CPU, where measured [currency]
    memory_cost,                            -- of memory, where measured [currency]
    gpu_cost,                               -- of GPUs, where measured [currency]
    cpu_waste_cost,
    memory_waste_cost,
    gpu_waste_cost,
    idle_cost,                              -- what nodes cost beyond what was allocated [currency]
    storage_measured_byte_hours,
    storage_used_byte_hours,
    storage_waste_cost,                     -- of unused room in volumes [currency]
    window_count,                           -- of a workload, those it ran in; else the day's known ones
    cpu_used_core_hours / cpu_requested_core_hours as cpu_usage_ratio,  -- used over requested; may exceed 1
    memory_used_byte_hours / memory_requested_byte_hours
        as memory_usage_ratio,  -- used over requested; may exceed 1
    gpu_used_hours / gpu_requested_hours as gpu_usage_ratio,  -- used over allocated
    list_sum([cpu_usage_ratio * cpu_cost, memory_usage_ratio * memory_cost, gpu_usage_ratio * gpu_cost])
        / nullif(list_sum([
            if(cpu_usage_ratio is null, null, cpu_cost),
            if(memory_usage_ratio is null, null, memory_cost),
            if(gpu_usage_ratio is null, null, gpu_cost)
        ]), 0) as score_ratio,              -- of CPU, memory and GPU, weighted by cost
    storage_used_byte_hours / nullif(storage_measured_byte_hours, 0)
        as storage_usage_ratio,  -- used over size, of measured volumes
    list_sum([cpu_waste_cost, memory_waste_cost, gpu_waste_cost, idle_cost])
        as waste_cost,  -- billed and not used, where measured [currency]
    list_sum([cpu_cost, memory_cost, gpu_cost, 0]) / nullif(resource_cost, 0)
        as measured_cost_ratio  -- share of the cost of CPU, memory and GPU with known usage
from every;
