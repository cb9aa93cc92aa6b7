-- An hour whose cost of CPU, memory and GPU by node is not, to the last decimal, that of all its rows.

with by_node as (
    select cluster, hour, sum(cpu_cost + memory_cost + gpu_cost) as node_cost
    from costs.node_hourly
    where hour >= $start and hour < $end
    group by all
),
hourly as (
    select cluster, hour, sum(cpu_cost + memory_cost + gpu_cost) as total_cost
    from costs.hourly
    where hour >= $start and hour < $end
    group by all
)
select cluster, hour, node_cost, total_cost
from by_node
full join hourly using (cluster, hour)
where node_cost is distinct from total_cost;
