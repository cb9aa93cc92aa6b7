-- What each workload requested, used and wasted in each hour, as far as Prometheus measured it.
--
-- Sums only: a ratio is made of the sums of the rows it is for. Null is unknown, never zero.
--
-- kind: incremental by hour, archived after native_hourly_days

create table efficiency.workload_usage_hourly (
    hour                          timestamptz     not null,  -- first instant of the hour, UTC
    cluster                       varchar         not null,
    namespace                     varchar         not null,
    workload_kind                 varchar         not null,
    workload                      varchar         not null,
    team                          varchar         not null,
    environment                   varchar         not null,
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
    window_count                  integer         not null,  -- windows it ran in
    check (window_count between 1 and 4)
);

select
    date_trunc('hour', window_start) as hour,
    cluster,
    namespace,
    workload_kind,
    workload,
    team,
    environment,
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
    sum(gpu_waste_cost) as gpu_waste_cost,
    -- Its quarters; counting distinct instants takes as long as all the rest.
    bit_count(bit_or(1 << (minute(window_start) // 15))) as window_count
from efficiency.line_item
where window_start >= $start and window_start < $end
group by all;
