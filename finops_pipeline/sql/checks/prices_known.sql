-- A node whose CPU or memory has no price: its containers cost what the source says, its idle rest nothing.

select cluster, window_start, node, cpu_core_hour_price, memory_gib_hour_price
from core.price
where window_start >= $start and window_start < $end
    and (cpu_core_hour_price is null or memory_gib_hour_price is null);
