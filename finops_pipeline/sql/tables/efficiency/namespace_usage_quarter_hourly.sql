-- What each namespace requested, used and wasted in each window. Recent windows only.
--
-- Sums only: efficiency.namespace_quarter_hourly makes ratios of them.
--
-- kind: incremental by hour, forgotten after quarter_hourly_days

create table efficiency.namespace_usage_quarter_hourly (
    window_start                  timestamptz     not null,
    cluster                       varchar         not null,
    namespace                     varchar         not null,
    cpu_requested_core_hours      double,
    cpu_used_core_hours           double,
    cpu_unrequested_core_hours    double,
    memory_requested_byte_hours   double,
    memory_used_byte_hours        double,
    memory_unrequested_byte_hours double,
    gpu_requested_hours           double,
    gpu_used_hours                double,
    total_cost                    decimal(28, 10) not null,  -- of everything it has [currency]
    resource_cost                 decimal(28, 10) not null,
    unrequested_cost              decimal(28, 10) not null,
    cpu_cost                      decimal(28, 10),
    memory_cost                   decimal(28, 10),
    gpu_cost                      decimal(28, 10),
    cpu_waste_cost                decimal(28, 10),
    memory_waste_cost             decimal(28, 10),
    gpu_waste_cost                decimal(28, 10),
    storage_measured_byte_hours   double,                    -- size of volumes of known use [byte-hours]
    storage_used_byte_hours       double                     -- used of those volumes [byte-hours]
);

with namespace_window as (
    select
        window_start,
        cluster,
        namespace,
        sum(cpu_requested_core_hours) as cpu_requested_core_hours,
        sum(cpu_used_core_hours) as cpu_used_core_hours,
        sum(cpu_unrequested_core_hours) as cpu_unrequested_core_hours,
        sum(memory_requested_byte_hours) as memory_requested_byte_hours,
        sum(memory_used_byte_hours) as memory_used_byte_hours,
        sum(memory_unrequested_byte_hours) as memory_unrequested_byte_hours,
        sum(gpu_requested_hours) as gpu_requested_hours,
        sum(gpu_used_hours) as gpu_used_hours,
        sum(total_cost) as total_cost,
        sum(resource_cost) as resource_cost,
        sum(unrequested_cost) as unrequested_cost,
        sum(cpu_cost) as cpu_cost,
        sum(memory_cost) as memory_cost,
        sum(gpu_cost) as gpu_cost,
        sum(cpu_waste_cost) as cpu_waste_cost,
        sum(memory_waste_cost) as memory_waste_cost,
        sum(gpu_waste_cost) as gpu_waste_cost
    from efficiency.line_item
    where window_start >= $start and window_start < $end
    group by all
),
volume as (
    select
        window_start,
        cluster,
        namespace,
        sum(capacity_bytes) / 4 as storage_measured_byte_hours,
        sum(used_bytes) / 4 as storage_used_byte_hours
    from raw.volume_usage
    where window_start >= $start and window_start < $end
        and used_bytes is not null and capacity_bytes is not null
    group by all
)
select *
from namespace_window
left join volume using (window_start, cluster, namespace);
