-- Cost by value of each label of attribution.cost_labels on each UTC day.
--
-- The rows of a label add up to what its cluster cost on the day, to the last decimal.
--
-- kind: incremental by day

create table costs.label_daily (
    day         date            not null,  -- UTC day
    cluster     varchar         not null,
    label       varchar         not null,
    value       varchar         not null,
    cost_kind   varchar         not null,
    team        varchar         not null,
    cpu_cost    decimal(28, 10) not null,
    memory_cost decimal(28, 10) not null,
    total_cost  decimal(28, 10) not null
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
