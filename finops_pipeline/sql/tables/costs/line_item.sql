-- Every amount once: a container, a node's idle rest, a volume or load balancer nobody mounts, in a window.
--
-- Ask for a range as costs.line_item('2026-11-20', '2026-11-21'), end excluded: it reads no more of the lake;
-- the view itself, even with a condition, looks through all of it.
--
-- Costs are hours x price, cast to decimal once; the other tables only sum them. Usage is null where
-- Prometheus did not measure it, or is not believed (core.usage_window). Kubecost has more kinds of cost:
-- shared, external (from outside the cluster), unallocated (to any container), and for the cluster as a whole
-- cluster_management, network and whatever else its assets name.

create view costs.line_item (
    cluster,                     -- cluster
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
-- Everything that may decide on an owner; far fewer rows than containers.
with identity as (
    select distinct
        cluster,
        cast(window_start as date) as day,
        namespace,
        workload_kind,
        workload,
        labels,
        namespace_labels,
        namespace_annotations
    from raw.allocation
),
-- The first of these places decides; within a place the first of the labels.
stated as (
    select
        identity.*,
        owner_part,
        unnest(['pod label ', 'namespace label ', 'namespace annotation ']) || label as rule,
        unnest([
            -- The source hands a namespace's labels to its pods.
            if((labels ->> label) = (namespace_labels ->> label), null, labels ->> label),
            namespace_labels ->> label,
            namespace_annotations ->> label
        ]) as value,
        unnest([1000, 3000, 4000]) + position_count as place
    from identity
    cross join core.label_key
    union all
    select
        identity.*,
        owner_part,
        'workload label ' || label as rule,
        workload_label.value,
        2000 + position_count as place
    from identity
    join core.workload_label
        on workload_label.cluster = identity.cluster
        and workload_label.day = identity.day
        and workload_label.namespace = identity.namespace
        and workload_label.workload = identity.workload
        -- The source tells the Jobs of a CronJob by its name.
        and replace(lower(workload_label.workload_kind), 'cronjob', 'job') = identity.workload_kind
    join core.label_key using (label)
    union all
    select
        identity.*,
        unnest(['team', 'environment', 'project', 'cost_center']) as owner_part,
        'rule ' || rule as rule,
        unnest([rule.team, rule.environment, rule.project, rule.cost_center]) as value,
        5000 + position_count as place
    from identity
    join core.attribution_rule as rule
        on identity.cluster glob cluster_pattern
        and identity.namespace glob namespace_pattern
        and coalesce(identity.workload, '') glob workload_pattern
        and day >= coalesce(valid_from, '-infinity')
        and day < coalesce(valid_until, 'infinity')
    union all
    select
        identity.*,
        'team' as owner_part,
        'shared namespace ' || namespace_pattern as rule,
        'shared' as value,
        position_count as place
    from identity
    join core.shared_namespace on identity.namespace glob namespace_pattern
    union all
    select identity.*, 'label' as owner_part, label as rule, labels ->> label as value, 0 as place
    from identity
    cross join core.cost_label
),
labelled as (
    select
        cluster,
        day,
        namespace,
        workload_kind,
        workload,
        labels,
        namespace_labels,
        namespace_annotations,
        arg_min(value, place) filter (owner_part = 'team') as team,
        arg_min(value, place) filter (owner_part = 'environment') as environment,
        arg_min(value, place) filter (owner_part = 'project') as project,
        arg_min(value, place) filter (owner_part = 'cost_center') as cost_center,
        arg_min(rule, place) filter (owner_part = 'team') as team_rule,
        arg_min(rule, place) filter (owner_part = 'environment') as environment_rule,
        arg_min(rule, place) filter (owner_part = 'project') as project_rule,
        arg_min(rule, place) filter (owner_part = 'cost_center') as cost_center_rule,
        map_from_entries(list((rule, value)) filter (owner_part = 'label')) as label_values
    from stated
    -- The names of what is nobody's cannot be claimed by a label.
    where value <> '' and (
        owner_part <> 'team'
        or starts_with(rule, 'shared namespace ')
        or lower(value) not in ('idle', 'shared', 'unmounted', 'unattributed')
    )
    group by all
),
-- What a team belongs to counts where nothing nearer says so.
owner as (
    select
        labelled.* replace (
            coalesce(labelled.project, team.project) as project,
            coalesce(labelled.cost_center, team.cost_center) as cost_center,
            coalesce(project_rule, if(team.project is null, null, 'team ' || labelled.team)) as project_rule,
            coalesce(cost_center_rule, if(team.cost_center is null, null, 'team ' || labelled.team))
                as cost_center_rule
        )
    from labelled
    left join core.team
        on team.team = labelled.team
        and day >= coalesce(valid_from, '-infinity')
        and day < coalesce(valid_until, 'infinity')
),
-- A cost that is no number, or that no cluster has, is not believed: the source's own sum then counts.
exact as (
    select
        *,
        try_cast(volumes -> '$.*.cost' as double[]) as volume_costs,
        list_sum(volume_costs) as volume_sum,
        if(list_count(volume_costs) = len(volume_costs) and abs(volume_sum) <= 1e12, volume_sum, null)
            as volume_cost
    from raw.allocation
),
-- A pod that moved to another node is two rows; Prometheus knows its usage once.
moved as (
    select cluster, window_start, namespace, pod, container, sum(minutes) as all_minutes
    from raw.allocation
    group by all
    having count(*) > 1
),
-- The price list of the settings, of what has no node pool.
common_price as (
    select cluster, storage_gib_hour_price, load_balancer_hour_price, is_preferred
    from core.price_list
    where node_pool = ''
),
allocated as (
    select
        allocation.*,
        price.cpu_core_hour_price,
        price.memory_gib_hour_price,
        price.gpu_hour_price,
        coalesce(minutes / all_minutes, 1) as usage_share,
        -- Prices of nodes are adjusted to the bill; the source's own cost is not.
        cast(coalesce(
            cpu_core_hours * price.cpu_core_hour_price,
            coalesce(source_cpu_cost, 0) + coalesce(cpu_adjustment_cost, 0)
        ) as decimal(28, 10)) as cpu_cost,
        cast(coalesce(
            memory_byte_hours / 1024 ** 3 * price.memory_gib_hour_price,
            coalesce(source_memory_cost, 0) + coalesce(memory_adjustment_cost, 0)
        ) as decimal(28, 10)) as memory_cost,
        cast(coalesce(
            gpu_hours * price.gpu_hour_price,
            coalesce(source_gpu_cost, 0) + coalesce(gpu_adjustment_cost, 0)
        ) as decimal(28, 10)) as gpu_cost,
        -- The last part of a row's name tells what is no container: __shared__, __unmounted__, ...
        case
            when ends_with(allocation.allocation, '__') then coalesce(nullif(regexp_extract(
                allocation.allocation, '(^|/)__(unmounted|shared|external|unallocated)__$', 2
            ), ''), 'workload')
            else 'workload'
        end as cost_kind,
        storage_byte_hours / 1024 ** 3 * storage_gib_hour_price as storage_list_cost,
        -- The bill adjusts the source's own price; that of the settings is whole.
        cast(coalesce(
            if(is_preferred, storage_list_cost, null),
            coalesce(volume_cost, source_storage_cost) + coalesce(storage_adjustment_cost, 0),
            storage_list_cost,
            storage_adjustment_cost,
            0
        ) as decimal(28, 10)) as storage_cost,
        cast(coalesce(source_network_cost, 0)
            + coalesce(network_adjustment_cost, 0) as decimal(28, 10)) as network_cost,
        cast(coalesce(source_shared_cost, 0)
            + coalesce(source_external_cost, 0) as decimal(28, 10)) as shared_cost
    from exact as allocation
    left join core.price using (cluster, window_start, node)
    left join common_price using (cluster)
    left join moved using (cluster, window_start, namespace, pod, container)
    where not allocation like '%\_\_idle\_\_' escape '\'
        -- A ghost: half a step of a pod that had just ended. It has no hours and costs nothing.
        and (cpu_core_hours, memory_byte_hours, source_total_cost) is distinct from (0, 0, 0)
),
balancer_share as (
    select
        cluster,
        window_start,
        allocation,
        value ->> 'service' as name,
        try_cast(value ->> 'cost' as double) as exact_cost,
        -- The tiny part splits a free load balancer evenly instead of dividing by zero.
        coalesce(if(exact_cost between 0 and 1e12, exact_cost, null), source_load_balancer_cost, 0)
            + 1e-12 as weight,
        sum(weight) over (partition by cluster, window_start, name order by allocation) as weight_until
    from raw.allocation, json_each(load_balancers)
    where load_balancers is not null
),
-- The cost in /assets is a resolution step too high, so hours x price comes first here, too.
balancer as (
    select
        cluster,
        window_start,
        name,
        minutes / 60 * common_price.load_balancer_hour_price as list_cost,
        cast(coalesce(
            if(is_preferred, list_cost, null),
            minutes / 60 * measured.load_balancer_hour_price + coalesce(adjustment_cost, 0),
            source_total_cost,
            list_cost,
            0
        ) as decimal(28, 10)) as cost
    from raw.asset
    left join (from raw.price where price_kind = 'load_balancer') as measured
        using (cluster, window_start, name)
    left join common_price using (cluster)
    where asset_kind = 'load_balancer'
),
-- Rounding the running sum instead of each share makes the shares add up to the balancer exactly.
balanced as (
    select
        cluster,
        window_start,
        allocation,
        cast(cost * weight_until / last_weight as decimal(28, 10))
            - cast(cost * weight_before / last_weight as decimal(28, 10)) as cost
    from (
        select *,
            lag(weight_until, 1, 0) over (
                partition by cluster, window_start, name order by allocation
            ) as weight_before,
            max(weight_until) over (partition by cluster, window_start, name) as last_weight
        from balancer_share
    )
    join balancer using (cluster, window_start, name)
),
balanced_row as (
    select cluster, window_start, allocation, sum(cost) as load_balancer_cost from balanced group by all
),
-- A node replaced under its name is two assets.
node as (
    select
        cluster,
        window_start,
        name,
        sum(cpu_core_hours) as cpu_core_hours,
        sum(memory_byte_hours) as memory_byte_hours,
        sum(gpu_hours) as gpu_hours
    from raw.asset
    where asset_kind = 'node'
    group by all
),
on_node as (
    select
        cluster,
        window_start,
        node,
        sum(cpu_cost) as cpu_cost,
        sum(memory_cost) as memory_cost,
        sum(gpu_cost) as gpu_cost,
        sum(cpu_core_hours) as cpu_core_hours,
        sum(memory_byte_hours) as memory_byte_hours,
        sum(gpu_hours) as gpu_hours
    from allocated
    where node is not null
    group by all
),
nowhere as (
    select
        cluster,
        window_start,
        sum(cpu_cost) as cpu_cost,
        sum(memory_cost) as memory_cost,
        sum(gpu_cost) as gpu_cost
    from allocated
    semi join node using (cluster, window_start)
    where node is null
    group by all
    having (sum(cpu_cost), sum(memory_cost), sum(gpu_cost)) <> (0, 0, 0)
),
-- A broken sensor is no idle workload: what is not believed is unknown.
measured as (
    from raw.container_usage
    anti join (from core.usage_window where not is_plausible) using (cluster, window_start)
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
from allocated
left join owner
    on allocated.cluster = owner.cluster
    and cast(allocated.window_start as date) = owner.day
    and allocated.namespace is not distinct from owner.namespace
    and allocated.workload_kind is not distinct from owner.workload_kind
    and allocated.workload is not distinct from owner.workload
    and allocated.labels is not distinct from owner.labels
    and allocated.namespace_labels is not distinct from owner.namespace_labels
    and allocated.namespace_annotations is not distinct from owner.namespace_annotations
left join balanced_row
    on allocated.cluster = balanced_row.cluster
    and allocated.window_start = balanced_row.window_start
    and allocated.allocation = balanced_row.allocation
left join measured
    on allocated.cluster = measured.cluster
    and allocated.window_start = measured.window_start
    and allocated.namespace = measured.namespace
    and allocated.pod = measured.pod
    and allocated.container = measured.container
union all by name
-- By name: what a part from here on does not name is null.
select
    node.cluster,
    node.window_start,
    'idle' as cost_kind,
    node.name as node,
    '__idle__' as namespace,
    'Node' as workload_kind,
    '__idle__' as workload,
    'idle' as team,
    'unattributed' as environment,
    'unattributed' as project,
    'unattributed' as cost_center,
    'none' as team_rule,
    'none' as environment_rule,
    'none' as project_rule,
    'none' as cost_center_rule,
    -- Without a price, a node costs what its containers do.
    coalesce(cast(node.cpu_core_hours * cpu_core_hour_price as decimal(28, 10)), on_node.cpu_cost, 0)
        - coalesce(on_node.cpu_cost, 0) as cpu_cost,
    coalesce(
        cast(node.memory_byte_hours / 1024 ** 3 * memory_gib_hour_price as decimal(28, 10)),
        on_node.memory_cost,
        0
    ) - coalesce(on_node.memory_cost, 0) as memory_cost,
    coalesce(cast(node.gpu_hours * gpu_hour_price as decimal(28, 10)), on_node.gpu_cost, 0)
        - coalesce(on_node.gpu_cost, 0) as gpu_cost,
    0 as storage_cost,
    0 as network_cost,
    0 as load_balancer_cost,
    0 as shared_cost,
    node.cpu_core_hours - coalesce(on_node.cpu_core_hours, 0) as cpu_billed_core_hours,
    node.memory_byte_hours - coalesce(on_node.memory_byte_hours, 0) as memory_billed_byte_hours,
    node.gpu_hours - coalesce(on_node.gpu_hours, 0) as gpu_billed_hours
from node
join core.price
    on price.cluster = node.cluster and price.window_start = node.window_start and price.node = node.name
left join on_node
    on on_node.cluster = node.cluster
    and on_node.window_start = node.window_start
    and on_node.node = node.name
union all by name
-- What rows without a node cost is in the idle rest of some node: taken off once, for the cluster.
select
    cluster,
    window_start,
    'idle' as cost_kind,
    '__idle__' as namespace,
    'Node' as workload_kind,
    '__idle__' as workload,
    'idle' as team,
    'unattributed' as environment,
    'unattributed' as project,
    'unattributed' as cost_center,
    'none' as team_rule,
    'none' as environment_rule,
    'none' as project_rule,
    'none' as cost_center_rule,
    -cpu_cost as cpu_cost,
    -memory_cost as memory_cost,
    -gpu_cost as gpu_cost,
    0 as storage_cost,
    0 as network_cost,
    0 as load_balancer_cost,
    0 as shared_cost
from nowhere
union all by name
select
    cluster,
    window_start,
    'unmounted' as cost_kind,
    split_part(name, '/', 1) as namespace,
    'Service' as workload_kind,
    split_part(name, '/', 2) as workload,
    'unmounted' as team,
    'unattributed' as environment,
    'unattributed' as project,
    'unattributed' as cost_center,
    'none' as team_rule,
    'none' as environment_rule,
    'none' as project_rule,
    'none' as cost_center_rule,
    0 as cpu_cost,
    0 as memory_cost,
    0 as gpu_cost,
    0 as storage_cost,
    0 as network_cost,
    cost as load_balancer_cost,
    0 as shared_cost
from balancer
anti join balancer_share using (cluster, window_start, name)
union all by name
-- What the cluster as a whole costs, and no row of /allocation carries; adjustments are in the total.
select
    cluster,
    window_start,
    asset_kind as cost_kind,
    '__' || asset_kind || '__' as namespace,
    'Cluster' as workload_kind,
    coalesce(name, '__' || asset_kind || '__') as workload,
    'shared' as team,
    'unattributed' as environment,
    'unattributed' as project,
    'unattributed' as cost_center,
    'none' as team_rule,
    'none' as environment_rule,
    'none' as project_rule,
    'none' as cost_center_rule,
    0 as cpu_cost,
    0 as memory_cost,
    0 as gpu_cost,
    0 as storage_cost,
    if(asset_kind = 'network', cast(coalesce(source_total_cost, 0) as decimal(28, 10)), 0) as network_cost,
    0 as load_balancer_cost,
    if(asset_kind = 'network', 0, cast(coalesce(source_total_cost, 0) as decimal(28, 10))) as shared_cost
from raw.asset
where asset_kind not in ('node', 'disk', 'load_balancer');
