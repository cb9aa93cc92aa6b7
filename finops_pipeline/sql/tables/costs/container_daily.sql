-- Cost of each container of a workload on each UTC day, by owner. Recent days only.
--
-- The rows of a day add up to what its cluster cost, to the last decimal; what is no container has none.
--
-- kind: incremental by day, forgotten after container_days

create table costs.container_daily (
    day                         date            not null,  -- UTC day
    cluster                     varchar         not null,
    namespace                   varchar         not null,
    workload_kind               varchar         not null,
    workload                    varchar         not null,
    container                   varchar,
    cost_kind                   varchar         not null,
    team                        varchar         not null,
    environment                 varchar         not null,
    project                     varchar         not null,
    cost_center                 varchar         not null,
    cpu_cost                    decimal(28, 10) not null,
    memory_cost                 decimal(28, 10) not null,
    gpu_cost                    decimal(28, 10) not null,
    storage_cost                decimal(28, 10) not null,
    network_cost                decimal(28, 10) not null,
    load_balancer_cost          decimal(28, 10) not null,
    shared_cost                 decimal(28, 10) not null,
    total_cost                  decimal(28, 10) not null,
    cpu_billed_core_hours       double,
    cpu_requested_core_hours    double,
    cpu_used_core_hours         double,
    memory_billed_byte_hours    double,
    memory_requested_byte_hours double,
    memory_used_byte_hours      double,
    window_count                integer         not null,
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
