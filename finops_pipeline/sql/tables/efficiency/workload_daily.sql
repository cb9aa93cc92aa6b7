-- How well each workload used what it requested, on each UTC day.
--
-- Ratios are used over requested hours of the containers that request something and were measured;
-- what containers used without a request is a figure of its own. Null is unknown, never zero.

create table efficiency.workload_daily (
    day                           date            not null,  -- UTC day
    cluster                       varchar         not null,  -- cluster
    namespace                     varchar         not null,  -- Kubernetes namespace
    workload_kind                 varchar         not null,  -- Deployment, ...; Pod without a controller
    workload                      varchar         not null,  -- what a team deploys
    team                          varchar         not null,  -- team that pays
    environment                   varchar         not null,  -- environment
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
    window_count                  integer         not null,  -- windows it ran in
    check (window_count between 1 and 96)
);

select
    cast(hour as date) as day,
    cluster,
    namespace,
    workload_kind,
    workload,
    team,
    environment,
    sum(hourly.cpu_requested_core_hours) as cpu_requested_core_hours,
    sum(hourly.cpu_used_core_hours) as cpu_used_core_hours,
    sum(hourly.cpu_unrequested_core_hours) as cpu_unrequested_core_hours,
    sum(hourly.cpu_used_core_hours) / sum(hourly.cpu_requested_core_hours) as cpu_usage_ratio,
    sum(hourly.memory_requested_byte_hours) as memory_requested_byte_hours,
    sum(hourly.memory_used_byte_hours) as memory_used_byte_hours,
    sum(hourly.memory_unrequested_byte_hours) as memory_unrequested_byte_hours,
    sum(hourly.memory_used_byte_hours) / sum(hourly.memory_requested_byte_hours) as memory_usage_ratio,
    (
        coalesce(cpu_usage_ratio * sum(hourly.cpu_cost), 0)
        + coalesce(memory_usage_ratio * sum(hourly.memory_cost), 0)
    )
        / nullif(
            if(cpu_usage_ratio is null, 0, sum(hourly.cpu_cost))
            + if(memory_usage_ratio is null, 0, sum(hourly.memory_cost)), 0
        ) as score_ratio,
    sum(hourly.total_cost) as total_cost,
    coalesce(
        sum(hourly.cpu_waste_cost) + sum(hourly.memory_waste_cost),
        sum(hourly.cpu_waste_cost),
        sum(hourly.memory_waste_cost)
    ) as waste_cost,
    (coalesce(sum(hourly.cpu_cost), 0) + coalesce(sum(hourly.memory_cost), 0))
        / nullif(sum(hourly.resource_cost), 0) as measured_cost_ratio,
    sum(hourly.window_count) as window_count
from efficiency.workload_hourly as hourly
where hour >= $start and hour < $end
group by cast(hour as date), cluster, namespace, workload_kind, workload, team, environment;
