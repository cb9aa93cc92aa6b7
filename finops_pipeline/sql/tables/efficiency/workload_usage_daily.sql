-- What each workload requested, used and wasted on each UTC day, as far as Prometheus measured it.
--
-- Sums only: the views of days make ratios of them, for workloads and for what they are part of.

create table efficiency.workload_usage_daily (
    day                           date            not null,  -- UTC day
    cluster                       varchar         not null,  -- cluster
    namespace                     varchar         not null,  -- Kubernetes namespace
    workload_kind                 varchar         not null,  -- Deployment, ...; Pod without a controller
    workload                      varchar         not null,  -- what a team deploys
    team                          varchar         not null,  -- team that pays
    environment                   varchar         not null,  -- environment
    cpu_requested_core_hours      double,                    -- requested, where measured [core-hours]
    cpu_used_core_hours           double,                    -- used, of those with a request [core-hours]
    cpu_unrequested_core_hours    double,                    -- used without a request [core-hours]
    memory_requested_byte_hours   double,                    -- requested, where measured [byte-hours]
    memory_used_byte_hours        double,                    -- used, of those with a request [byte-hours]
    memory_unrequested_byte_hours double,                    -- used without a request [byte-hours]
    gpu_requested_hours           double,                    -- allocated, where measured [GPU-hours]
    gpu_used_hours                double,                    -- utilisation over those hours [GPU-hours]
    total_cost                    decimal(28, 10) not null,  -- of everything it has [currency]
    resource_cost                 decimal(28, 10) not null,  -- of CPU, memory and GPU [currency]
    unrequested_cost              decimal(28, 10) not null,  -- of CPU and memory nobody requested [currency]
    cpu_cost                      decimal(28, 10),           -- of CPU, where measured [currency]
    memory_cost                   decimal(28, 10),           -- of memory, where measured [currency]
    gpu_cost                      decimal(28, 10),           -- of GPUs, where measured [currency]
    cpu_waste_cost                decimal(28, 10),           -- of CPU billed and not used [currency]
    memory_waste_cost             decimal(28, 10),           -- of memory billed and not used [currency]
    gpu_waste_cost                decimal(28, 10),           -- of GPUs allocated and not used [currency]
    window_count                  integer         not null,  -- windows it ran in
    check (window_count between 1 and 96)
);

select
    cast(hour as date) as day,
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
    sum(window_count) as window_count
from efficiency.workload_usage_hourly
where hour >= $start and hour < $end
group by all;
