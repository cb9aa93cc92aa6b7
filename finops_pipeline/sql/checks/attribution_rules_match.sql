-- A rule of the settings that decided nothing of any cost of the last 7 days.
--
-- Its patterns match no workload, or labels, shared namespaces and earlier rules decide before it.

with recent as (
    select distinct day, unnest([team_rule, environment_rule, project_rule, cost_center_rule]) as decided_by
    from costs.daily
    where day > (select max(day) - 7 from costs.daily)
)
select
    rule,
    cluster_pattern,
    namespace_pattern,
    workload_pattern,
    min(day) as first_day,
    max(day) as last_day
from core.attribution_rule
join recent
    on day >= coalesce(valid_from, '-infinity')
    and day < coalesce(valid_until, 'infinity')
group by all
having not bool_or(decided_by = 'rule ' || rule);
