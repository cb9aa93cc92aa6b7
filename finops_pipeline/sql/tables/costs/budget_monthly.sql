-- Each budget in each month (UTC) of which costs are known: what was spent of it, and what will be.
--
-- A month has the budget that holds on its first day. Teams and projects spend their shares of idle and
-- shared cost, too; a namespace, in all clusters that have it, its direct cost alone.
--
-- kind: view

create view costs.budget_monthly as
with current_month as (
    select max(month) as month, max(days_left_count) as days_left_count
    from costs.month_projection
    where month = (select max(month) from costs.month_projection)
),
-- Summed before it is looked at from three sides: a check asks this at each tick.
owner_monthly as (
    select
        cast(date_trunc('month', day) as date) as month,
        team,
        project,
        namespace,
        sum(direct_cost) as direct_cost,
        sum(total_cost) as total_cost
    from costs.attributed_daily
    group by all
),
known_month as (
    select distinct month from owner_monthly
),
spent_monthly as (
    select month, 'team' as scope, team as name, sum(total_cost) as spent_cost from owner_monthly group by all
    union all
    select month, 'project', project, sum(total_cost) from owner_monthly group by all
    union all
    select month, 'namespace', namespace, sum(direct_cost) from owner_monthly group by all
),
-- Of namespaces what costs.month_projection does not tell apart: the direct part, by the same days.
newest as (
    select
        cluster,
        cast(date_trunc('month', max(day)) as date) as month,
        max(day) filter (is_complete) as complete_day,
        list(day order by day desc) filter (is_complete)[:7] as mean_days
    from costs.complete_daily
    group by cluster
),
direct as (
    select
        cluster,
        namespace,
        month,
        coalesce(sum(direct_cost) filter (day >= month and day <= complete_day), 0) as complete_cost,
        coalesce(sum(direct_cost) filter (list_contains(mean_days, day)), 0) as mean_days_cost,
        any_value(len(mean_days)) as mean_day_count,
        any_value(date_diff('day', greatest(complete_day, month - 1), last_day(month))) as days_left_count
    from costs.attributed_daily
    join newest using (cluster)
    where day >= month or list_contains(mean_days, day)
    group by all
),
projected as (
    select month, 'team' as scope, team as name, projected_cost from costs.month_projection
    union all
    select month, 'project', project, projected_cost from costs.month_projection
    union all
    select
        month,
        'namespace',
        namespace,
        cast(complete_cost + mean_days_cost * days_left_count / mean_day_count as decimal(28, 10))
    from direct
),
projected_monthly as (
    select
        month,
        scope,
        name,
        if(bool_or(projected_cost is null), null, sum(projected_cost)) as projected_cost,
        true as is_projected
    from projected
    join current_month using (month)
    group by all
),
compared as (
    select
        month,
        scope,
        name,
        month_amount as budget_cost,
        cast(coalesce(spent_cost, 0) as decimal(28, 10)) as spent_cost,
        cast(if(is_projected, projected_cost, coalesce(spent_cost, 0)) as decimal(28, 10)) as projected_cost,
        coalesce(current_month.days_left_count, 0) as days_left_count
    from core.budget
    join known_month
        on coalesce(valid_from <= known_month.month, true) and coalesce(known_month.month < valid_until, true)
    left join current_month using (month)
    left join spent_monthly using (month, scope, name)
    left join projected_monthly using (month, scope, name)
)
select
    month,                                    -- first day of the month
    scope,                                    -- team, project or namespace
    name,                                     -- of the team, project or namespace
    budget_cost,                              -- that may be spent in the month [currency]
    spent_cost,                               -- so far, today included; 0 where nothing was [currency]
    spent_cost / budget_cost as spent_ratio,  -- of the budget
    projected_cost,  -- of the whole month, as costs.month_projection says; null if unknown [currency]
    projected_cost / budget_cost as projected_ratio,  -- of the budget
    day(last_day(month)) - days_left_count
        as days_elapsed_count,  -- days of the month up to the last complete one
    days_left_count                           -- days of the month after it
from compared;
