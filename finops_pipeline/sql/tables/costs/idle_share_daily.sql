-- Each owner's share of idle cost on each UTC day, as sharing.idle says.
--
-- Without rows where idle cost is kept separate.
-- CPU, memory and GPU are split by what they cost on the node, or in the cluster. Idle cost below zero, and
-- that of nodes without allocations, is not split. A split rounds the running sum, in units of
-- the last decimal: its parts add up exactly.
--
-- kind: incremental by day

create table costs.idle_share_daily (
    day         date            not null,  -- UTC day
    cluster     varchar         not null,
    node        varchar         not null,  -- node it is the idle rest of; '' of the cluster as a whole
    resource    varchar         not null,  -- cpu, memory or gpu
    team        varchar         not null,  -- team that takes the share
    environment varchar         not null,
    project     varchar         not null,
    cost_center varchar         not null,
    namespace   varchar         not null,
    idle_cost   decimal(28, 10) not null   -- its share of idle cost [currency]
);

with on_node as (
    select
        cast(hour as date) as day,
        cluster,
        if($idle_sharing = 'by_node', coalesce(node, ''), '') as node,
        team,
        environment,
        project,
        cost_center,
        namespace,
        cost_kind,
        sum(cpu_cost) as cpu,
        sum(memory_cost) as memory,
        sum(gpu_cost) as gpu
    from costs.node_hourly
    where hour >= $start and hour < $end and $idle_sharing <> 'separate'
    group by all
),
part as (
    select * exclude (cost), cast(cost * 10000000000 as hugeint) as units
    from (unpivot on_node on cpu, memory, gpu into name resource value cost)
),
idle as (
    select day, cluster, node, resource, sum(units) as idle_units
    from part
    where cost_kind = 'idle'
    group by all
    having sum(units) > 0
),
weighted as (
    select
        * exclude (units),
        sum(units) over running as units_until,
        units_until - units as units_before,
        sum(units) over (partition by day, cluster, node, resource) as all_units
    from part
    where cost_kind <> 'idle' and units > 0
    window running as (
        partition by day, cluster, node, resource
        order by team, environment, project, cost_center, namespace, cost_kind
        rows unbounded preceding
    )
)
select
    day,
    cluster,
    node,
    resource,
    team,
    environment,
    project,
    cost_center,
    namespace,
    cast(
        sum(idle_units * units_until // all_units - idle_units * units_before // all_units)
            * 0.0000000001::decimal(10, 10) as decimal(28, 10)
    ) as idle_cost
from weighted
join idle using (day, cluster, node, resource)
group by all;
