-- Labels that say who owns a cost, of each workload on each UTC day, as the API first said that day.
--
-- A label that changes during a day counts from the next day on. Jobs are left out: their pods carry labels.
--
-- kind: incremental by day, compared by rows

create table core.workload_label (
    day           date    not null,  -- UTC day
    cluster       varchar not null,
    namespace     varchar not null,
    workload_kind varchar not null,  -- Deployment, StatefulSet, DaemonSet, ReplicaSet or CronJob
    workload      varchar not null,  -- its name
    label         varchar not null,  -- one of core.label_key: _ for all but letters and digits
    value         varchar not null   -- its value
);

with first_state as (
    select
        cast(window_start as date) as day,
        cluster,
        namespace,
        workload_kind,
        name as workload,
        arg_min(labels, window_start) as labels
    from raw.workload
    where window_start >= $start and window_start < $end
        and not is_deleted and owner is null and workload_kind <> 'Job'
    group by all
),
stated as (
    select
        first_state.* exclude (labels),
        regexp_replace(key, '[^a-zA-Z0-9_]', '_', 'g') as label,
        value ->> '$' as value
    from first_state, json_each(first_state.labels)
)
select distinct on (day, cluster, namespace, workload_kind, workload, label) *
from stated
semi join core.label_key using (label)
where value <> ''
order by all;
