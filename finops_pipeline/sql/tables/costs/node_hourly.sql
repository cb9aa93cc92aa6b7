-- CPU, memory and GPU cost on each node in each hour, by namespace and owner, with its idle rest.
--
-- The rows of an hour add up to what costs.hourly says of these three, to the last decimal.
--
-- kind: incremental by hour, archived after native_hourly_days

create table costs.node_hourly (
    hour                     timestamptz     not null,  -- first instant of the hour, UTC
    cluster                  varchar         not null,
    node                     varchar,                   -- node; null where none is known
    namespace                varchar         not null,
    cost_kind                varchar         not null,
    team                     varchar         not null,
    environment              varchar         not null,
    project                  varchar         not null,
    cost_center              varchar         not null,
    cpu_cost                 decimal(28, 10) not null,
    memory_cost              decimal(28, 10) not null,
    gpu_cost                 decimal(28, 10) not null,
    cpu_billed_core_hours    double,                    -- allocated; of idle cost: not allocated [core-hours]
    cpu_used_core_hours      double,
    memory_billed_byte_hours double,                    -- allocated; of idle cost: not allocated [byte-hours]
    memory_used_byte_hours   double,
    unused_cost              decimal(28, 10),           -- allocated and not used, where measured [currency]
    window_count             integer         not null,  -- windows it ran in
    check (window_count between 1 and 4)
);

select
    date_trunc('hour', window_start) as hour,
    cluster,
    node,
    namespace,
    cost_kind,
    team,
    environment,
    project,
    cost_center,
    sum(cpu_cost) as cpu_cost,
    sum(memory_cost) as memory_cost,
    sum(gpu_cost) as gpu_cost,
    sum(cpu_billed_core_hours) as cpu_billed_core_hours,
    sum(cpu_used_core_hours) as cpu_used_core_hours,
    sum(memory_billed_byte_hours) as memory_billed_byte_hours,
    sum(memory_used_byte_hours) as memory_used_byte_hours,
    -- Of each container, as in efficiency.line_item: one that uses too much makes up for none that wastes.
    list_sum([
        sum(if(cpu_used_core_hours is null, null, cast(
            cpu_cost * greatest(0, 1 - cpu_used_core_hours / nullif(cpu_billed_core_hours, 0))
                as decimal(28, 10)
        ))),
        sum(if(memory_used_byte_hours is null, null, cast(
            memory_cost * greatest(0, 1 - memory_used_byte_hours / nullif(memory_billed_byte_hours, 0))
                as decimal(28, 10)
        ))),
        sum(if(gpu_used_hours is null, null, cast(
            gpu_cost * greatest(0, 1 - gpu_used_hours / nullif(gpu_billed_hours, 0)) as decimal(28, 10)
        )))
    ]) as unused_cost,
    -- Its quarters; counting distinct instants takes as long as all the rest.
    bit_count(bit_or(1 << (minute(window_start) // 15))) as window_count
from costs.line_item
where window_start >= $start and window_start < $end
group by all;
