-- Cost by value of each label of attribution.cost_labels on each UTC day.
--
-- The rows of a label add up to what its cluster cost on the day, to the last decimal.

create table costs.label_daily (
    day         date            not null,  -- UTC day
    cluster     varchar         not null,  -- cluster
    label       varchar         not null,  -- label as OpenCost writes it: _ for all but letters and digits
    value       varchar         not null,  -- its value; '' of what does not carry it
    cost_kind   varchar         not null,  -- workload, idle, ...: as in costs.line_item
    team        varchar         not null,  -- who pays, or 'unattributed', 'shared', 'idle', 'unmounted'
    cpu_cost    decimal(28, 10) not null,  -- of CPU [currency]
    memory_cost decimal(28, 10) not null,  -- of memory [currency]
    total_cost  decimal(28, 10) not null   -- of everything [currency]
);

select
    cast(hour as date) as day,
    cluster,
    label,
    value,
    cost_kind,
    team,
    sum(cpu_cost) as cpu_cost,
    sum(memory_cost) as memory_cost,
    sum(total_cost) as total_cost
from costs.label_hourly
where hour >= $start and hour < $end
group by all;
