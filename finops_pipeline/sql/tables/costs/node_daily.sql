-- What each node cost on each UTC day, its idle rest included, and how much of it was allocated and used.
--
-- The nodes of a day add up to what costs.daily says of CPU, memory and GPU, to the last decimal. A row
-- without a node holds what none of them carries: the source's rows without one, taken off idle cost.
--
-- kind: incremental by day

create table costs.node_daily (
    day                        date            not null,  -- UTC day
    cluster                    varchar         not null,
    node                       varchar         not null,  -- node; '' where none is known
    node_type                  varchar,
    node_pool                  varchar,
    zone                       varchar,
    is_spot                    boolean,
    cpu_capacity_core_hours    double,
    cpu_billed_core_hours      double,                    -- allocated to containers [core-hours]
    cpu_measured_core_hours    double,                    -- capacity while usage is plausible [core-hours]
    cpu_used_core_hours        double,
    memory_capacity_byte_hours double,
    memory_billed_byte_hours   double,                    -- allocated [byte-hours]
    memory_measured_byte_hours double,                    -- capacity while usage is plausible [byte-hours]
    memory_used_byte_hours     double,
    gpu_capacity_hours         double,
    cpu_cost                   decimal(28, 10) not null,  -- of its CPU [currency]
    memory_cost                decimal(28, 10) not null,  -- of its memory [currency]
    gpu_cost                   decimal(28, 10) not null,  -- of its GPUs [currency]
    idle_cost                  decimal(28, 10) not null,  -- what it cost beyond what was allocated [currency]
    unused_cost                decimal(28, 10),
    total_cost                 decimal(28, 10) not null,  -- sum of CPU, memory and GPU [currency]
    window_count               integer         not null,  -- windows it was there in
    check (window_count between 1 and 96),
    check (total_cost = cpu_cost + memory_cost + gpu_cost)
);

with part as (
    select
        *,
        cpu_cost + memory_cost + gpu_cost as total_cost,
        if(cost_kind = 'idle', total_cost, 0) as idle_cost
    from costs.node_hourly
    where hour >= $start and hour < $end
        -- Storage, balancers and what the cluster as a whole costs are on no node and cost nothing here.
        and (node is not null or (cpu_cost, memory_cost, gpu_cost) <> (0, 0, 0))
),
node_hour as (
    select
        hour,
        cluster,
        coalesce(node, '') as node,
        sum(cpu_billed_core_hours) filter (cost_kind <> 'idle') as cpu_billed_core_hours,
        sum(cpu_used_core_hours) as cpu_used_core_hours,
        sum(memory_billed_byte_hours) filter (cost_kind <> 'idle') as memory_billed_byte_hours,
        sum(memory_used_byte_hours) as memory_used_byte_hours,
        sum(cpu_cost) as cpu_cost,
        sum(memory_cost) as memory_cost,
        sum(gpu_cost) as gpu_cost,
        sum(idle_cost) as idle_cost,
        sum(unused_cost) as unused_cost,
        sum(total_cost) as total_cost,
        max(window_count) as window_count
    from part
    group by all
)
select
    cast(node_hour.hour as date) as day,
    node_hour.cluster,
    node_hour.node,
    arg_max(node_type, node_hour.hour) as node_type,
    arg_max(node_pool, node_hour.hour) as node_pool,
    arg_max(zone, node_hour.hour) as zone,
    arg_max(is_spot, node_hour.hour) as is_spot,
    sum(cpu_capacity_core_hours) as cpu_capacity_core_hours,
    sum(cpu_billed_core_hours) as cpu_billed_core_hours,
    sum(cpu_measured_core_hours) as cpu_measured_core_hours,
    sum(cpu_used_core_hours) as cpu_used_core_hours,
    sum(memory_capacity_byte_hours) as memory_capacity_byte_hours,
    sum(memory_billed_byte_hours) as memory_billed_byte_hours,
    sum(memory_measured_byte_hours) as memory_measured_byte_hours,
    sum(memory_used_byte_hours) as memory_used_byte_hours,
    sum(gpu_capacity_hours) as gpu_capacity_hours,
    sum(cpu_cost) as cpu_cost,
    sum(memory_cost) as memory_cost,
    sum(gpu_cost) as gpu_cost,
    sum(idle_cost) as idle_cost,
    sum(unused_cost) as unused_cost,
    sum(total_cost) as total_cost,
    sum(coalesce(node.window_count, node_hour.window_count)) as window_count
from node_hour
left join core.node_hourly as node using (hour, cluster, node)
group by cast(node_hour.hour as date), node_hour.cluster, node_hour.node;
