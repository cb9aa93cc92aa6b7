-- A row whose cost is unknown, infinite or, but for adjustments, below zero.

select cluster, window_start, allocation, source_total_cost, cpu_core_hours, memory_byte_hours
from raw.allocation
where window_start >= $start and window_start < $end
    and (
        source_total_cost is null
        or not isfinite(source_total_cost)
        or cpu_core_hours < 0
        or memory_byte_hours < 0
        or (
            source_total_cost < 0
            and coalesce(list_sum([
                cpu_adjustment_cost,
                memory_adjustment_cost,
                gpu_adjustment_cost,
                storage_adjustment_cost,
                network_adjustment_cost,
                load_balancer_adjustment_cost
            ]), 0) >= 0
        )
    );
