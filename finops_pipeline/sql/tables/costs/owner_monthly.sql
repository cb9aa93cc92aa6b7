-- Cost of each team, and of each project, in each calendar month (UTC) since its first: 0 where it had none.
--
-- The owners of a month and owner_part add up to what its clusters cost, to the last decimal. Months of
-- which a cluster has no costs at all have no rows. The views of teams and of projects are cut from this one.
--
-- kind: view

create view costs.owner_monthly as
with owned as (
    select *, unnest(['team', 'project']) as owner_part, unnest([team, project]) as owner
    from costs.attributed_daily
),
spent as (
    select
        cast(date_trunc('month', day) as date) as month,
        cluster,
        owner_part,
        owner,
        sum(direct_cost) as direct_cost,
        sum(idle_cost) as idle_cost,
        sum(shared_cost) as shared_cost,
        sum(total_cost) as total_cost,
        count(distinct day) as day_count
    from owned
    group by all
),
known_month as (
    select complete_monthly.month, cluster, is_complete, fiscal_year
    from costs.complete_monthly
    join core.calendar on calendar.day = complete_monthly.month
),
-- An owner that costs nothing any more keeps a row, of cost 0.
since as (
    select cluster, owner_part, owner, min(month) as first_month
    from spent
    group by all
),
every as (
    select
        month,
        cluster,
        owner_part,
        owner,
        coalesce(direct_cost, 0) as direct_cost,
        coalesce(idle_cost, 0) as idle_cost,
        coalesce(shared_cost, 0) as shared_cost,
        coalesce(total_cost, 0) as total_cost,
        coalesce(day_count, 0) as day_count,
        is_complete,
        fiscal_year
    from since
    join known_month using (cluster)
    left join spent using (month, cluster, owner_part, owner)
    where month >= first_month
)
select
    month,                  -- first day of the month
    cluster,
    owner_part,             -- team or project
    owner,                  -- its name; or 'unattributed', 'unmounted', 'idle', 'shared'
    direct_cost,
    idle_cost,
    shared_cost,
    total_cost,
    day_count,              -- days with cost
    is_complete,            -- whether the costs hold every window of the cluster's month
    if(lag(month) over since_first = month - interval 1 month, lag(total_cost) over since_first, null)
        as previous_cost,   -- total_cost of the month before; null without one [currency]
    if(
        is_complete and previous_cost is not null and lag(is_complete) over since_first,
        total_cost / nullif(previous_cost, 0) - 1,
        null
    ) as change_ratio,      -- change from it, where both months are complete; null after a month of no cost
    sum(total_cost) over (
        partition by cluster, owner_part, owner, fiscal_year
        order by month
    ) as year_to_date_cost  -- total_cost since the fiscal year began, this month included [currency]
from every
window since_first as (partition by cluster, owner_part, owner order by month);
