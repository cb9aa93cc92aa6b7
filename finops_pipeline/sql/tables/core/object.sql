-- From when to when each state of a Kubernetes object held; the state itself is a row of a raw table.
--
-- A window is described by the states with valid_from <= window_start < coalesce(valid_until, 'infinity').
-- Join raw.<kind> on cluster, uid and window_start. Before a kind was first read, its earliest state counts
-- from the creation of the object on, marked as assumed.
--
-- kind: view

create view core.object as
with state as (
    select 'namespace' as kind, cluster, null as namespace, name, uid, window_start, created_at, is_deleted
    from raw.namespace
    union all
    select 'node', cluster, null, name, uid, window_start, created_at, is_deleted from raw.node
    union all
    select 'pod', cluster, namespace, name, uid, window_start, created_at, is_deleted from raw.pod
    union all
    select 'workload', cluster, namespace, name, uid, window_start, created_at, is_deleted from raw.workload
    union all
    -- Its containers change together: one state.
    select distinct 'pod_template', cluster, namespace, name, uid, window_start, created_at, is_deleted
    from raw.pod_template
    union all
    select 'service', cluster, namespace, name, uid, window_start, created_at, is_deleted from raw.service
    union all
    select 'volume', cluster, null, name, uid, window_start, created_at, is_deleted from raw.volume
    union all
    select 'volume_claim', cluster, namespace, name, uid, window_start, created_at, is_deleted
    from raw.volume_claim
    union all
    select 'storage_class', cluster, null, name, uid, window_start, created_at, is_deleted
    from raw.storage_class
    union all
    select 'autoscaler', cluster, namespace, name, uid, window_start, created_at, is_deleted
    from raw.autoscaler
    union all
    select 'disruption_budget', cluster, namespace, name, uid, window_start, created_at, is_deleted
    from raw.disruption_budget
),
dated as (
    select
        *,
        lead(window_start) over (partition by kind, cluster, uid order by window_start) as next_start,
        min(window_start) over (partition by kind, cluster) as first_start,
        time_bucket(interval 15 minutes, created_at) as created_start
    from state
)
select
    kind,                        -- namespace, node, pod, workload, pod_template, ...: the raw table
    cluster,
    namespace,                   -- Kubernetes namespace; null where the kind has none
    name,                        -- its name
    uid,                         -- identifies it among objects of the same name
    window_start,                -- window of the raw row that says how it was
    window_start as valid_from,  -- first window it was so
    next_start as valid_until,   -- first window it was no longer so; null while it is, as far as is known
    false as is_assumed          -- whether this is from before the first reading
from dated
where not is_deleted
union all
select kind, cluster, namespace, name, uid, window_start, created_start, window_start, true
from dated
where window_start = first_start and created_start < first_start and not is_deleted;
