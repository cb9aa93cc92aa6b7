-- What each owner will have cost at the end of the current calendar month (UTC), if days go on as they did.
--
-- Projected: the month's cost to the last complete day of the cluster, and for each day after it the mean of
-- its last 7 complete days, or of those there are. It is no forecast: it knows no trend and no weekday.
--
-- kind: view

create view costs.month_projection as
with newest as (
    select
        cluster,
        cast(date_trunc('month', max(day)) as date) as month,
        max(day) filter (is_complete) as last_day,
        list(day order by day desc) filter (is_complete)[:7] as mean_days
    from costs.complete_daily
    group by cluster
),
spent as (
    select
        month,
        cluster,
        team,
        environment,
        project,
        cost_center,
        namespace,
        coalesce(sum(total_cost) filter (day >= month), 0) as month_to_date_cost,
        coalesce(sum(total_cost) filter (day >= month and day <= last_day), 0) as complete_cost,
        coalesce(sum(total_cost) filter (list_contains(mean_days, day)), 0) as mean_days_cost,
        any_value(len(mean_days)) as mean_day_count,
        any_value(date_diff('day', greatest(last_day, month - 1), last_day_of_month)) as days_left_count
    from costs.attributed_daily
    join (select *, last_day(month) as last_day_of_month from newest) using (cluster)
    where day >= month or list_contains(mean_days, day)
    group by all
)
select
    month,                 -- first day of the month
    cluster,
    team,
    environment,
    project,
    cost_center,
    namespace,
    month_to_date_cost,    -- of the month so far, today included [currency]
    cast(mean_days_cost / mean_day_count as decimal(28, 10))
        as daily_mean_cost,  -- mean of the last 7 complete days; null without any [currency per day]
    days_left_count,       -- days of the month after the last complete one
    cast(complete_cost + mean_days_cost * days_left_count / mean_day_count as decimal(28, 10))
        as projected_cost  -- of the whole month; null without a complete day [currency]
from spent;
