-- Cost of each team in each calendar month (UTC), its share of idle and shared cost included.
--
-- The teams of a month add up to what its clusters cost, to the last decimal. A team has a row for each
-- month since its first, of no cost where it had none.
--
-- kind: view

create view costs.team_monthly as
select
    month,
    cluster,
    owner as team,  -- paying team, or 'unattributed', 'shared', 'idle', 'unmounted'
    direct_cost,
    idle_cost,
    shared_cost,
    total_cost,
    day_count,
    is_complete,
    previous_cost,
    change_ratio,
    year_to_date_cost
from costs.owner_monthly
where owner_part = 'team';
