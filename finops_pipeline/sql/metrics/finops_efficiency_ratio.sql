-- Used over requested in the newest measured window; above 1 when more was used.

with newest as (
    select * from efficiency.namespace_quarter_hourly
    where cpu_usage_ratio is not null or memory_usage_ratio is not null
    qualify window_start = max(window_start) over (partition by cluster)
)
select cluster, namespace, resource, value
from (
    unpivot (
        select cluster, namespace, cpu_usage_ratio, memory_usage_ratio, gpu_usage_ratio, storage_usage_ratio
        from newest
    )
    on
        cpu_usage_ratio as cpu,
        memory_usage_ratio as memory,
        gpu_usage_ratio as gpu,
        storage_usage_ratio as storage
    into name resource value value
);
