-- Cost by value of each label of attribution.cost_labels in each hour.
--
-- The rows of a label add up to what its cluster cost in the hour, to the last decimal.
--
-- kind: incremental by hour, archived after native_hourly_days

create table costs.label_hourly (
    hour        timestamptz     not null,  -- first instant of the hour, UTC
    cluster     varchar         not null,
    label       varchar         not null,
    value       varchar         not null,  -- its value; '' of what does not carry it
    cost_kind   varchar         not null,
    team        varchar         not null,
    cpu_cost    decimal(28, 10) not null,  -- of CPU [currency]
    memory_cost decimal(28, 10) not null,  -- of memory [currency]
    total_cost  decimal(28, 10) not null   -- of everything [currency]
);

select
    date_trunc('hour', window_start) as hour,
    cluster,
    label,
    coalesce(label_values[label], '') as value,
    cost_kind,
    team,
    sum(cpu_cost) as cpu_cost,
    sum(memory_cost) as memory_cost,
    sum(
        cpu_cost + memory_cost + gpu_cost + storage_cost + network_cost + load_balancer_cost + shared_cost
    ) as total_cost
from costs.line_item
cross join core.cost_label
where window_start >= $start and window_start < $end
group by all;
