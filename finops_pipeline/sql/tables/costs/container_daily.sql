-- Cost of each container of a workload on each UTC day, by owner. Recent days only.
--
-- The rows of a day add up to what its cluster cost, to the last decimal; what is no container has none.

create table costs.container_daily (
    day                         date            not null,  -- UTC day
    cluster                     varchar         not null,  -- cluster the cost arose in
    namespace                   varchar         not null,  -- namespace; else '__idle__', '__shared__', ...
    workload_kind               varchar         not null,  -- Deployment, ...; Node for idle cost
    workload                    varchar         not null,  -- workload; else '__idle__', '__shared__', ...
    container                   varchar,                   -- container; null for idle cost and the like
    cost_kind                   varchar         not null,  -- workload, idle, ...: as in costs.line_item
    team                        varchar         not null,  -- who pays, or 'unattributed', 'shared', ...
    environment                 varchar         not null,  -- environment, or 'unattributed'
    project                     varchar         not null,  -- project, or 'unattributed'
    cost_center                 varchar         not null,  -- cost center, or 'unattributed'
    cpu_cost                    decimal(28, 10) not null,  -- core-hours allocated x price [currency]
    memory_cost                 decimal(28, 10) not null,  -- GiB-hours allocated x price [currency]
    gpu_cost                    decimal(28, 10) not null,  -- GPU-hours allocated x price [currency]
    storage_cost                decimal(28, 10) not null,  -- of its volumes [currency]
    network_cost                decimal(28, 10) not null,  -- as the source says [currency]
    load_balancer_cost          decimal(28, 10) not null,  -- its share of load balancers [currency]
    shared_cost                 decimal(28, 10) not null,  -- shared and external, by the source [currency]
    total_cost                  decimal(28, 10) not null,  -- sum of the seven [currency]
    cpu_billed_core_hours       double,                    -- the larger of request and usage [core-hours]
    cpu_requested_core_hours    double,                    -- requested [core-hours]
    cpu_used_core_hours         double,                    -- used, where measured [core-hours]
    memory_billed_byte_hours    double,                    -- the larger of request and usage [byte-hours]
    memory_requested_byte_hours double,                    -- requested [byte-hours]
    memory_used_byte_hours      double,                    -- used, where measured [byte-hours]
    window_count                integer         not null,  -- windows it ran in
    check (window_count between 1 and 96),
    check (
        total_cost = cpu_cost + memory_cost + gpu_cost + storage_cost + network_cost
            + load_balancer_cost + shared_cost
    )
);

with counted as (
    select
        *,
        -- Rows of one hour that become one ran in the same windows; the longest counts.
        row_number() over same_hour = 1 as is_counted
    from costs.hourly
    where hour >= $start and hour < $end
    window same_hour as (
        partition by
            hour,
            cluster,
            namespace,
            workload_kind,
            workload,
            container,
            cost_kind,
            team,
            environment,
            project,
            cost_center
        order by window_count desc
    )
)
select
    cast(hour as date) as day,
    cluster,
    namespace,
    workload_kind,
    workload,
    container,
    cost_kind,
    team,
    environment,
    project,
    cost_center,
    sum(cpu_cost) as cpu_cost,
    sum(memory_cost) as memory_cost,
    sum(gpu_cost) as gpu_cost,
    sum(storage_cost) as storage_cost,
    sum(network_cost) as network_cost,
    sum(load_balancer_cost) as load_balancer_cost,
    sum(shared_cost) as shared_cost,
    sum(total_cost) as total_cost,
    sum(cpu_billed_core_hours) as cpu_billed_core_hours,
    sum(cpu_requested_core_hours) as cpu_requested_core_hours,
    sum(cpu_used_core_hours) as cpu_used_core_hours,
    sum(memory_billed_byte_hours) as memory_billed_byte_hours,
    sum(memory_requested_byte_hours) as memory_requested_byte_hours,
    sum(memory_used_byte_hours) as memory_used_byte_hours,
    sum(window_count) filter (is_counted) as window_count
from counted
group by all;
