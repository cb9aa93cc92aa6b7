-- A node on which containers were allocated more than it has, by more than rounding explains.

select cluster, window_start, node, cpu_cost, memory_cost
from costs.line
where window_start >= $start and window_start < $end
    and cost_kind = 'idle'
    and (cpu_cost < -0.0001 or memory_cost < -0.0001);
