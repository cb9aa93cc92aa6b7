-- Cost of each workload on each UTC day, by owner, with idle and unmounted cost as rows of their own.
--
-- The rows of a day add up to what its cluster cost, to the last decimal.

create table costs.daily (
    day                         date            not null,  -- UTC day
    cluster                     varchar         not null,  -- cluster the cost arose in
    namespace                   varchar         not null,  -- Kubernetes namespace; '__idle__' or '__unmounted__' where there is none
    workload_kind               varchar         not null,  -- Deployment, StatefulSet, ...; Node for idle cost
    workload                    varchar         not null,  -- what a team deploys; '__idle__' or '__unmounted__' where there is none
    cost_kind                   varchar         not null,  -- workload, idle or unmounted
    team                        varchar         not null,  -- team that pays; 'unattributed' when no label says so
    environment                 varchar         not null,  -- environment; 'unattributed' when no label says so
    project                     varchar         not null,  -- project; 'unattributed' when no label says so
    cost_center                 varchar         not null,  -- cost center; 'unattributed' when no label says so
    cpu_cost                    decimal(28, 10) not null,  -- core-hours allocated x price [currency]
    memory_cost                 decimal(28, 10) not null,  -- GiB-hours allocated x price [currency]
    gpu_cost                    decimal(28, 10) not null,  -- GPU-hours allocated x price [currency]
    storage_cost                decimal(28, 10) not null,  -- of its volumes [currency]
    network_cost                decimal(28, 10) not null,  -- as the source says [currency]
    load_balancer_cost          decimal(28, 10) not null,  -- its share of load balancers [currency]
    shared_cost                 decimal(28, 10) not null,  -- shared and external cost the source gave it [currency]
    total_cost                  decimal(28, 10) not null,  -- sum of the seven [currency]
    cpu_billed_core_hours       double,                    -- allocated: the larger of request and usage; of idle: what nobody was allocated [core-hours]
    cpu_requested_core_hours    double,                    -- requested [core-hours]
    cpu_used_core_hours         double,                    -- used, where measured [core-hours]
    memory_billed_byte_hours    double,                    -- allocated: the larger of request and usage; of idle: what nobody was allocated [byte-hours]
    memory_requested_byte_hours double,                    -- requested [byte-hours]
    memory_used_byte_hours      double,                    -- used, where measured [byte-hours]
    window_count                integer         not null check (window_count between 1 and 96),  -- windows the row is made of; 96 when it ran all day
    check (total_cost = cpu_cost + memory_cost + gpu_cost + storage_cost + network_cost + load_balancer_cost + shared_cost)
);

select
    cast(hour as date) as day,
    cluster,
    namespace,
    workload_kind,
    workload,
    cost_kind,
    team,
    environment,
    project,
    cost_center,
    sum(cpu_cost) as cpu_cost,
    sum(memory_cost) as memory_cost,
    sum(gpu_cost) as gpu_cost,
    sum(storage_cost) as storage_cost,
    sum(network_cost) as network_cost,
    sum(load_balancer_cost) as load_balancer_cost,
    sum(shared_cost) as shared_cost,
    sum(total_cost) as total_cost,
    sum(cpu_billed_core_hours) as cpu_billed_core_hours,
    sum(cpu_requested_core_hours) as cpu_requested_core_hours,
    sum(cpu_used_core_hours) as cpu_used_core_hours,
    sum(memory_billed_byte_hours) as memory_billed_byte_hours,
    sum(memory_requested_byte_hours) as memory_requested_byte_hours,
    sum(memory_used_byte_hours) as memory_used_byte_hours,
    sum(window_count) as window_count
from costs.hourly
where hour >= $start and hour < $end
group by all;
