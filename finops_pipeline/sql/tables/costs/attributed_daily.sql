-- What each owner pays on each UTC day: its own cost, and its share of idle and of shared cost.
--
-- The rows of a day add up to what its cluster cost, to the last decimal. Shared cost, with its share of idle
-- cost, is split by team as sharing.shared says, and within a team by cost. What the settings keep separate,
-- and what no team is there to take, stays with the teams 'idle' and 'shared'. A split rounds the running
-- sum, in units of the last decimal: its parts add up exactly.
--
-- kind: incremental by day

create table costs.attributed_daily (
    day          date            not null,
    cluster      varchar         not null,
    team         varchar         not null,  -- paying team, or 'unattributed', 'shared', 'idle', 'unmounted'
    environment  varchar         not null,
    project      varchar         not null,  -- project, or 'unattributed'
    cost_center  varchar         not null,  -- cost center, or 'unattributed'
    namespace    varchar         not null,
    direct_cost  decimal(28, 10) not null,  -- of its own workloads; credits are negative [currency]
    idle_cost    decimal(28, 10) not null,
    shared_cost  decimal(28, 10) not null,  -- its share of what all teams use [currency]
    total_cost   decimal(28, 10) not null,  -- sum of the three [currency]
    window_count integer         not null,  -- windows of the day that the cluster has costs of; 96 is all
    check (window_count between 1 and 96),
    check (total_cost = direct_cost + idle_cost + shared_cost)
);

with unsplit as (
    select
        day,
        cluster,
        team,
        environment,
        project,
        cost_center,
        namespace,
        sum(if(cost_kind = 'idle', 0, total_cost)) as direct_cost,
        sum(if(cost_kind = 'idle', total_cost, 0)) as idle_cost,
        max(window_count) as window_count
    from costs.daily
    where day >= $start and day < $end
    group by all
),
-- What was split of the idle cost is taken off it.
moved as (
    from costs.idle_share_daily
    where day >= $start and day < $end
),
borne as (
    select * exclude (window_count) from unsplit
    union all by name
    select * exclude (node, resource), 0 as direct_cost from moved
    union all by name
    select
        day,
        cluster,
        'idle' as team,
        'unattributed' as environment,
        'unattributed' as project,
        'unattributed' as cost_center,
        '__idle__' as namespace,
        0 as direct_cost,
        -idle_cost as idle_cost
    from moved
),
owner as (
    select
        day,
        cluster,
        team,
        environment,
        project,
        cost_center,
        namespace,
        cast(sum(direct_cost) * 10000000000 as hugeint) as direct_units,
        cast(sum(idle_cost) * 10000000000 as hugeint) as idle_units,
        greatest(direct_units, 0) as weight,
        team in ('shared', 'idle', 'unmounted') as is_reserved
    from borne
    group by all
),
shared as (
    select day, cluster, sum(direct_units + idle_units) as shared_units
    from owner
    where team = 'shared' and $shared_sharing <> 'separate'
    group by all
),
-- Whole numbers: a team's cost, 1 each, or millionths of its configured weight, which is 1 by default.
team as (
    select
        day,
        cluster,
        owner.team,
        sum(weight) as own_units,
        case $shared_sharing
            when 'proportional' then own_units
            when 'weighted' then cast(coalesce(max(shared_weight), 1) * 1000000 as hugeint)
            else 1
        end as given_weight
    from owner
    left join core.team as configured
        on configured.team = owner.team
        and day >= coalesce(valid_from, '-infinity')
        and day < coalesce(valid_until, 'infinity')
    where not is_reserved
    group by all
),
-- Where all weights are 0, each counts the same.
team_weight as (
    select
        *,
        if(sum(given_weight) over (partition by day, cluster) = 0, 1, given_weight) as team_weight
    from team
),
team_share as (
    select
        day,
        cluster,
        team,
        own_units,
        sum(team_weight) over running as team_weight_until,
        sum(team_weight) over (partition by day, cluster) as all_team_weight,
        shared_units * team_weight_until // all_team_weight
            - shared_units * (team_weight_until - team_weight) // all_team_weight as team_units
    from team_weight
    join shared using (day, cluster)
    window running as (partition by day, cluster order by team rows unbounded preceding)
),
owner_share as (
    select
        owner.*,
        team_units,
        if(own_units = 0, 1, weight) as own_weight,
        sum(own_weight) over running as weight_until,
        sum(own_weight) over (partition by day, cluster, team) as all_weight,
        coalesce(
            team_units * weight_until // all_weight
                - team_units * (weight_until - own_weight) // all_weight,
            0
        ) as split_units
    from owner
    left join team_share using (day, cluster, team)
    window running as (
        partition by day, cluster, team
        order by environment, project, cost_center, namespace
        rows unbounded preceding
    )
),
paid as (
    select
        day,
        cluster,
        team,
        environment,
        project,
        cost_center,
        namespace,
        direct_units,
        idle_units,
        split_units as shared_units
    from owner_share
    where team <> 'shared'
    union all by name
    -- Shared cost that was not split: all of it, or none.
    select
        day,
        cluster,
        team,
        environment,
        project,
        cost_center,
        namespace,
        0 as direct_units,
        idle_units,
        direct_units as shared_units
    from owner
    anti join team_share using (day, cluster)
    where team = 'shared'
)
select
    paid.* exclude (direct_units, idle_units, shared_units),
    cast(direct_units * 0.0000000001::decimal(10, 10) as decimal(28, 10)) as direct_cost,
    cast(idle_units * 0.0000000001::decimal(10, 10) as decimal(28, 10)) as idle_cost,
    cast(shared_units * 0.0000000001::decimal(10, 10) as decimal(28, 10)) as shared_cost,
    direct_cost + idle_cost + shared_cost as total_cost,
    window_count
from paid
join (select day, cluster, max(window_count) as window_count from unsplit group by all) using (day, cluster)
where direct_units <> 0 or idle_units <> 0 or shared_units <> 0;
