-- Owner of what a workload costs on a day, by its labels: who pays, and the label or rule that said so.
--
-- A row per set of labels that a pod of the workload, its namespace and its controller carry. A part that
-- no label and no rule names is null.

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
        -- The source gives the Jobs of a CronJob its name, and the kind job.
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
    -- The names of what no team pays cannot be claimed by a label.
    where value <> '' and (
        owner_part <> 'team'
        or starts_with(rule, 'shared namespace ')
        or lower(value) not in ('idle', 'shared', 'unmounted', 'unattributed')
    )
    group by all
)
-- What a team belongs to counts where nothing nearer says so.
select
    labelled.cluster,
    labelled.day,
    labelled.namespace,
    labelled.workload_kind,
    labelled.workload,
    labelled.labels,
    labelled.namespace_labels,
    labelled.namespace_annotations,
    labelled.team,
    labelled.environment,
    coalesce(labelled.project, team.project) as project,
    coalesce(labelled.cost_center, team.cost_center) as cost_center,
    labelled.team_rule,
    labelled.environment_rule,
    coalesce(project_rule, if(team.project is null, null, 'team ' || labelled.team)) as project_rule,
    coalesce(cost_center_rule, if(team.cost_center is null, null, 'team ' || labelled.team))
        as cost_center_rule,
    labelled.label_values
from labelled
left join core.team
    on team.team = labelled.team
    and day >= coalesce(valid_from, '-infinity')
    and day < coalesce(valid_until, 'infinity');
