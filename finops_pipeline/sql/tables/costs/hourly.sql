-- Cost of each container of a workload in each hour, by owner, with idle and unmounted cost as rows.
--
-- The rows of an hour add up to what its cluster cost, to the last decimal.
-- Billed hours of an idle row are those that no container was allocated.
--
-- kind: incremental by hour, archived after native_hourly_days

create table costs.hourly (
    hour                        timestamptz     not null,  -- first instant of the hour, UTC
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
    team_rule                   varchar         not null,
    environment_rule            varchar         not null,
    project_rule                varchar         not null,
    cost_center_rule            varchar         not null,
    cpu_cost                    decimal(28, 10) not null,
    memory_cost                 decimal(28, 10) not null,
    gpu_cost                    decimal(28, 10) not null,
    storage_cost                decimal(28, 10) not null,
    network_cost                decimal(28, 10) not null,
    load_balancer_cost          decimal(28, 10) not null,
    shared_cost                 decimal(28, 10) not null,
    total_cost                  decimal(28, 10) not null,  -- sum of the seven [currency]
    cpu_billed_core_hours       double,
    cpu_requested_core_hours    double,
    cpu_used_core_hours         double,
    memory_billed_byte_hours    double,
    memory_requested_byte_hours double,
    memory_used_byte_hours      double,
    window_count                integer         not null,  -- windows it ran in
    check (window_count between 1 and 4),
    check (
        total_cost = cpu_cost + memory_cost + gpu_cost + storage_cost + network_cost
            + load_balancer_cost + shared_cost
    )
);

select
    date_trunc('hour', window_start) as hour,
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
    team_rule,
    environment_rule,
    project_rule,
    cost_center_rule,
    sum(cpu_cost) as cpu_cost,
    sum(memory_cost) as memory_cost,
    sum(gpu_cost) as gpu_cost,
    sum(storage_cost) as storage_cost,
    sum(network_cost) as network_cost,
    sum(load_balancer_cost) as load_balancer_cost,
    sum(shared_cost) as shared_cost,
    sum(cpu_cost) + sum(memory_cost) + sum(gpu_cost) + sum(storage_cost) + sum(network_cost)
        + sum(load_balancer_cost) + sum(shared_cost) as total_cost,
    sum(cpu_billed_core_hours) as cpu_billed_core_hours,
    sum(cpu_requested_core_hours) as cpu_requested_core_hours,
    sum(cpu_used_core_hours) as cpu_used_core_hours,
    sum(memory_billed_byte_hours) as memory_billed_byte_hours,
    sum(memory_requested_byte_hours) as memory_requested_byte_hours,
    sum(memory_used_byte_hours) as memory_used_byte_hours,
    -- Its quarters; counting distinct instants takes as long as all the rest.
    bit_count(bit_or(1 << (minute(window_start) // 15))) as window_count
from costs.line_item
where window_start >= $start and window_start < $end
group by all;
