-- How well each namespace used what it requested, in each window. Recent windows only.
--
-- Ratios are used over requested hours of the containers that request something and were measured;
-- what containers used without a request is a figure of its own. Null is unknown, never zero.

create table efficiency.namespace_quarter_hourly (
    window_start                  timestamptz     not null,  -- first instant of the window, UTC
    cluster                       varchar         not null,  -- cluster
    namespace                     varchar         not null,  -- Kubernetes namespace
    cpu_requested_core_hours      double,                    -- requested, where measured [core-hours]
    cpu_used_core_hours           double,                    -- used, of those with a request [core-hours]
    cpu_unrequested_core_hours    double,                    -- used without a request [core-hours]
    cpu_usage_ratio               double,                    -- used over requested; may exceed 1
    memory_requested_byte_hours   double,                    -- requested, where measured [byte-hours]
    memory_used_byte_hours        double,                    -- used, of those with a request [byte-hours]
    memory_unrequested_byte_hours double,                    -- used without a request [byte-hours]
    memory_usage_ratio            double,                    -- used over requested; may exceed 1
    score_ratio                   double,                    -- of CPU and memory, weighted by cost
    total_cost                    decimal(28, 10) not null,  -- of everything it has [currency]
    waste_cost                    decimal(28, 10),           -- billed and not used, where measured [currency]
    measured_cost_ratio           double,                    -- share of cost with known usage
    storage_usage_ratio           double                     -- used over size, of measured volumes
);

with namespace_window as (
    select
        window_start,
        cluster,
        namespace,
        sum(line.cpu_requested_core_hours) as cpu_requested_core_hours,
        sum(line.cpu_used_core_hours) as cpu_used_core_hours,
        sum(line.cpu_unrequested_core_hours) as cpu_unrequested_core_hours,
        sum(line.cpu_used_core_hours) / sum(line.cpu_requested_core_hours) as cpu_usage_ratio,
        sum(line.memory_requested_byte_hours) as memory_requested_byte_hours,
        sum(line.memory_used_byte_hours) as memory_used_byte_hours,
        sum(line.memory_unrequested_byte_hours) as memory_unrequested_byte_hours,
        sum(line.memory_used_byte_hours) / sum(line.memory_requested_byte_hours) as memory_usage_ratio,
        (
            coalesce(cpu_usage_ratio * sum(line.cpu_cost), 0)
            + coalesce(memory_usage_ratio * sum(line.memory_cost), 0)
        )
            / nullif(
                if(cpu_usage_ratio is null, 0, sum(line.cpu_cost))
                + if(memory_usage_ratio is null, 0, sum(line.memory_cost)), 0
            ) as score_ratio,
        sum(line.total_cost) as total_cost,
        coalesce(
            sum(line.cpu_waste_cost) + sum(line.memory_waste_cost),
            sum(line.cpu_waste_cost),
            sum(line.memory_waste_cost)
        ) as waste_cost,
        (coalesce(sum(line.cpu_cost), 0) + coalesce(sum(line.memory_cost), 0))
            / nullif(sum(line.resource_cost), 0) as measured_cost_ratio
    from efficiency.line
    where window_start >= $start and window_start < $end
    group by window_start, cluster, namespace
),
volume as (
    select
        window_start,
        cluster,
        namespace,
        sum(used_bytes) / nullif(sum(capacity_bytes), 0) as storage_usage_ratio
    from raw.volume_usage
    where window_start >= $start and window_start < $end and used_bytes is not null
    group by window_start, cluster, namespace
)
select *
from namespace_window
left join volume using (window_start, cluster, namespace);
