-- A node on which containers were allocated more than it has, by more than rounding explains.
--
-- Without a node: the same of the whole cluster, where rows without a node were taken off its idle cost.

with idle as (
    select
        cluster,
        window_start,
        node,
        if(node is null, sum(cpu_cost) over cluster_window, cpu_cost) as cpu_cost,
        if(node is null, sum(memory_cost) over cluster_window, memory_cost) as memory_cost
    from costs.line_item
    where window_start >= $start and window_start < $end and cost_kind = 'idle'
    window cluster_window as (partition by cluster, window_start)
)
select *
from idle
where cpu_cost < -0.0001 or memory_cost < -0.0001
order by cluster, window_start, node;
