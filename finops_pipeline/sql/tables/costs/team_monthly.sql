-- Cost of each team in each calendar month (UTC), its share of idle and shared cost included.
--
-- The teams of a month add up to what its clusters cost, to the last decimal.

create view costs.team_monthly (
    month,             -- first day of the month
    cluster,           -- cluster the cost arose in
    team,              -- who pays, or 'unattributed', 'unmounted', 'idle', 'shared'
    direct_cost,       -- of its own workloads; credits are negative [currency]
    idle_cost,         -- its share of what nobody was allocated [currency]
    shared_cost,       -- its share of what all use [currency]
    total_cost,        -- sum of the three [currency]
    day_count,         -- days with cost
    is_complete,       -- whether the costs hold every window of the cluster's month
    previous_cost,     -- total_cost of the month before; null without one [currency]
    change_ratio,      -- change from it, where both months are complete
    year_to_date_cost  -- total_cost since the fiscal year began, this month included [currency]
) as
with spent as (
    select
        cast(date_trunc('month', day) as date) as month,
        cluster,
        team,
        sum(direct_cost) as direct_cost,
        sum(idle_cost) as idle_cost,
        sum(shared_cost) as shared_cost,
        sum(total_cost) as total_cost,
        count(distinct day) as day_count
    from costs.attributed_daily
    group by all
),
judged as (
    select spent.*, complete_monthly.is_complete, calendar.fiscal_year
    from spent
    join costs.complete_monthly using (month, cluster)
    join core.calendar on calendar.day = spent.month
)
select
    judged.month,
    judged.cluster,
    judged.team,
    judged.direct_cost,
    judged.idle_cost,
    judged.shared_cost,
    judged.total_cost,
    judged.day_count,
    judged.is_complete,
    previous.total_cost as previous_cost,
    if(
        judged.is_complete and previous.is_complete,
        judged.total_cost / nullif(previous.total_cost, 0) - 1,
        null
    ) as change_ratio,
    sum(judged.total_cost) over (
        partition by judged.cluster, judged.team, judged.fiscal_year
        order by judged.month
    ) as year_to_date_cost
from judged
left join judged as previous
    on previous.month = judged.month - interval 1 month
    and previous.cluster = judged.cluster
    and previous.team = judged.team;
