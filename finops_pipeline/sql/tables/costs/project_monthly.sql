-- Cost of each project in each calendar month (UTC), its share of idle and shared cost included.
--
-- The projects of a month add up to what its clusters cost, to the last decimal. A project has a row for each
-- month since its first, of no cost where it had none.
--
-- kind: view

create view costs.project_monthly as
select
    month,
    cluster,
    owner as project,  -- project, or 'unattributed'
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
where owner_part = 'project';
