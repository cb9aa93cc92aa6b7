-- A row of the source whose costs are not its total cost, beyond the rounding of each.

with row_sum as (
    select
        cluster,
        window_start,
        allocation,
        source_total_cost,
        list_sum([
            source_cpu_cost, source_memory_cost, source_gpu_cost, source_storage_cost,
            source_network_cost, source_load_balancer_cost, source_shared_cost, source_external_cost,
            cpu_adjustment_cost, memory_adjustment_cost, gpu_adjustment_cost, storage_adjustment_cost,
            network_adjustment_cost, load_balancer_adjustment_cost
        ]) as parts_cost
    from raw.allocation
    where window_start >= $start and window_start < $end
)
select *
from row_sum
where abs(parts_cost - source_total_cost) > 5e-6 * (14 + 1) + 1e-9 * abs(source_total_cost);
