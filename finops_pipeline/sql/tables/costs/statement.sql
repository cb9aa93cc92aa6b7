-- What each owner is charged per statement, one a month (UTC): its costs, and what changed in closed months.
--
-- A closed month's statement never changes. What changed since is an adjustment in the next open one, so
-- that all statements together add up to what is known now, by owner, to the last decimal.
--
-- kind: view

create view costs.statement as
with closed as (
    select distinct statement_month as closed_month from costs.statement_frozen
),
-- After each closed month the first open one.
adjusted as (
    select closed_month, min(open_month) as statement_month
    from closed
    join (
        select cast(closed_month + interval 1 month as date) as open_month
        from closed
        where open_month not in (from closed)
    ) on open_month > closed_month
    group by closed_month
),
known as (
    select
        cast(date_trunc('month', day) as date) as cost_month,
        cluster,
        team,
        environment,
        project,
        cost_center,
        namespace,
        sum(direct_cost) as direct_cost,
        sum(idle_cost) as idle_cost,
        sum(shared_cost) as shared_cost,
        sum(total_cost) as total_cost
    from costs.attributed_daily
    group by all
),
difference as (
    select
        cost_month,
        cluster,
        team,
        environment,
        project,
        cost_center,
        namespace,
        sum(direct_cost) as direct_cost,
        sum(idle_cost) as idle_cost,
        sum(shared_cost) as shared_cost,
        sum(total_cost) as total_cost
    from (
        from known
        union all by name
        select
            * exclude (statement_month, kind)
                replace (
                    -direct_cost as direct_cost,
                    -idle_cost as idle_cost,
                    -shared_cost as shared_cost,
                    -total_cost as total_cost
                )
        from costs.statement_frozen
    )
    group by all
)
select
    statement_month,  -- first day of the statement's month
    cost_month,       -- first day of the month the cost arose in; of an adjustment an earlier one
    cluster,
    team,
    environment,
    project,
    cost_center,
    namespace,
    kind,             -- cost, or adjustment: what is known now less what statements have said
    cast(direct_cost as decimal(28, 10)) as direct_cost,
    cast(idle_cost as decimal(28, 10)) as idle_cost,
    cast(shared_cost as decimal(28, 10)) as shared_cost,
    cast(total_cost as decimal(28, 10)) as total_cost,
    is_closed         -- whether the statement is closed, and never changes
from (
    select *, true as is_closed from costs.statement_frozen
    union all by name
    select *, cost_month as statement_month, 'cost' as kind, false as is_closed
    from known
    where cost_month not in (from closed)
    union all by name
    select * exclude (closed_month), 'adjustment' as kind, false as is_closed
    from difference
    join adjusted on cost_month = closed_month
    where (direct_cost, idle_cost, shared_cost, total_cost) <> (0, 0, 0, 0)
);
