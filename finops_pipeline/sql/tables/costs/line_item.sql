-- Every amount once: a container, a node's idle rest, an unmounted volume or load balancer, in a window.
--
-- Ask for a range as costs.line_item('2026-11-20', '2026-11-21'), end excluded: it reads no more of the lake;
-- the view itself, even with a condition, looks through all of it.
--
-- Costs are hours x price, cast to decimal once; the other tables only sum them. Usage is null where
-- Prometheus did not measure it, or it is implausible (core.usage_window). Kubecost has more kinds of cost:
-- shared, external (from outside the cluster), unallocated (to any container), and for the cluster as a whole
-- cluster_management, network and the other kinds that its assets name.
--
-- kind: view, cached by hour

create view costs.line_item (
    cluster,
    window_start,
    cost_kind,                   -- workload, idle or unmounted; of Kubecost more: see costs.line_item
    node,                        -- node, where one is known
    namespace,                   -- namespace; else '__idle__', '__unmounted__', '__shared__', ...
    workload_kind,               -- Deployment, ... or Pod; else Node, PersistentVolume, Service or Cluster
    workload,                    -- workload; else '__idle__', '__unmounted__', '__shared__', ...
    pod,
    container,                   -- container; null for idle cost and the like
    team,                        -- paying team, or 'unattributed', 'shared', 'idle', 'unmounted'
    environment,                 -- environment, or 'unattributed'
    project,                     -- project, or 'unattributed'
    cost_center,                 -- cost center, or 'unattributed'
    team_rule,                   -- what named the team: 'pod label team', 'rule ...', or 'none'
    environment_rule,            -- what named the environment, or 'none'
    project_rule,                -- what named the project, or 'none'
    cost_center_rule,            -- what named the cost center, or 'none'
    label_values,                -- its value of each label of attribution.cost_labels
    cpu_cost,                    -- core-hours allocated x price [currency]
    memory_cost,                 -- GiB-hours allocated x price [currency]
    gpu_cost,                    -- GPU-hours allocated x price [currency]
    storage_cost,                -- of its volumes [currency]
    network_cost,                -- as the source says [currency]
    load_balancer_cost,          -- its share of load balancers [currency]
    shared_cost,                 -- shared and external, as the source says [currency]
    cpu_billed_core_hours,       -- the larger of request and usage [core-hours]
    cpu_requested_core_hours,    -- requested [core-hours]
    cpu_used_core_hours,         -- used, as far as measured; else null [core-hours]
    memory_billed_byte_hours,    -- the larger of request and usage [byte-hours]
    memory_requested_byte_hours, -- requested [byte-hours]
    memory_used_byte_hours,      -- used, as far as measured; else null [byte-hours]
    gpu_billed_hours,            -- allocated [GPU-hours]
    gpu_used_hours,              -- used, as far as measured; else null [GPU-hours]
    volumes                      -- byte-hours and cost by volume, as the source says; JSON object
) as
-- Rows that are no allocation of the source. By name: a column that a part does not have is null.
with without_allocation as (
    from part.idle_cost
    union all by name
    from part.unmounted_load_balancer
    union all by name
    from part.cluster_cost
)
select
    allocated.cluster,
    allocated.window_start,
    cost_kind,
    node,
    coalesce(allocated.namespace, '__' || cost_kind || '__') as namespace,
    case
        when cost_kind = 'unmounted' then 'PersistentVolume'
        when cost_kind <> 'workload' then 'Cluster'
        when allocated.workload is null then 'Pod'
        when allocated.workload_kind = 'deployment' then 'Deployment'
        when allocated.workload_kind = 'statefulset' then 'StatefulSet'
        when allocated.workload_kind = 'daemonset' then 'DaemonSet'
        when allocated.workload_kind = 'replicaset' then 'ReplicaSet'
        when allocated.workload_kind = 'job' then 'Job'
        when allocated.workload_kind = 'cronjob' then 'CronJob'
        else coalesce(allocated.workload_kind, 'Pod')
    end as workload_kind,
    if(
        cost_kind = 'workload',
        coalesce(allocated.workload, allocated.pod, allocated.allocation),
        '__' || cost_kind || '__'
    ) as workload,
    allocated.pod,
    allocated.container,
    case
        when cost_kind in ('unmounted', 'shared') then cost_kind
        else coalesce(team, 'unattributed')
    end as team,
    coalesce(environment, 'unattributed') as environment,
    coalesce(project, 'unattributed') as project,
    coalesce(cost_center, 'unattributed') as cost_center,
    coalesce(team_rule, 'none') as team_rule,
    coalesce(environment_rule, 'none') as environment_rule,
    coalesce(project_rule, 'none') as project_rule,
    coalesce(cost_center_rule, 'none') as cost_center_rule,
    label_values,
    cpu_cost,
    memory_cost,
    gpu_cost,
    storage_cost,
    network_cost,
    -- A balancer that /assets does not know costs what its rows say.
    coalesce(
        load_balancer_cost,
        if(load_balancers is null, 0, cast(
            source_load_balancer_cost + coalesce(load_balancer_adjustment_cost, 0) as decimal(28, 10)
        )),
        0
    ) as load_balancer_cost,
    shared_cost,
    cpu_core_hours as cpu_billed_core_hours,
    allocated.cpu_request_cores * minutes / 60 as cpu_requested_core_hours,
    cpu_used_core_hours * usage_share as cpu_used_core_hours,
    memory_byte_hours as memory_billed_byte_hours,
    allocated.memory_request_bytes * minutes / 60 as memory_requested_byte_hours,
    memory_used_byte_hours * usage_share as memory_used_byte_hours,
    gpu_hours as gpu_billed_hours,
    gpu_used_hours * usage_share as gpu_used_hours,
    volumes
from part.priced_allocation as allocated
left join part.owner
    on allocated.cluster = owner.cluster
    and cast(allocated.window_start as date) = owner.day
    and allocated.namespace is not distinct from owner.namespace
    and allocated.workload_kind is not distinct from owner.workload_kind
    and allocated.workload is not distinct from owner.workload
    and allocated.labels is not distinct from owner.labels
    and allocated.namespace_labels is not distinct from owner.namespace_labels
    and allocated.namespace_annotations is not distinct from owner.namespace_annotations
left join part.load_balancer_share
    on allocated.cluster = load_balancer_share.cluster
    and allocated.window_start = load_balancer_share.window_start
    and allocated.allocation = load_balancer_share.allocation
left join part.plausible_usage
    on allocated.cluster = plausible_usage.cluster
    and allocated.window_start = plausible_usage.window_start
    and allocated.namespace = plausible_usage.namespace
    and allocated.pod = plausible_usage.pod
    and allocated.container = plausible_usage.container
union all by name
select
    cluster,
    window_start,
    cost_kind,
    node,
    namespace,
    workload_kind,
    workload,
    team,
    'unattributed' as environment,
    'unattributed' as project,
    'unattributed' as cost_center,
    'none' as team_rule,
    'none' as environment_rule,
    'none' as project_rule,
    'none' as cost_center_rule,
    coalesce(cpu_cost, 0) as cpu_cost,
    coalesce(memory_cost, 0) as memory_cost,
    coalesce(gpu_cost, 0) as gpu_cost,
    0 as storage_cost,
    coalesce(network_cost, 0) as network_cost,
    coalesce(load_balancer_cost, 0) as load_balancer_cost,
    coalesce(shared_cost, 0) as shared_cost,
    cpu_billed_core_hours,
    memory_billed_byte_hours,
    gpu_billed_hours
from without_allocation;
