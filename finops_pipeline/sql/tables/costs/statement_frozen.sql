-- A row of a closed month's statement, as it was when the month was closed; it never changes.

create table costs.statement_frozen (
    statement_month date            not null,  -- first day of the month that was closed
    cost_month      date            not null,  -- first day of the month the cost arose in
    cluster         varchar         not null,  -- cluster the cost arose in
    team            varchar         not null,  -- team that pays, or 'unattributed', 'idle', 'shared'
    environment     varchar         not null,  -- environment, or 'unattributed'
    project         varchar         not null,  -- project, or 'unattributed'
    cost_center     varchar         not null,  -- cost center, or 'unattributed'
    namespace       varchar         not null,  -- namespace; else '__idle__', ...
    kind            varchar         not null,  -- cost, or adjustment of a month closed before
    direct_cost     decimal(28, 10) not null,  -- of its workloads [currency]
    idle_cost       decimal(28, 10) not null,  -- its share of unused capacity [currency]
    shared_cost     decimal(28, 10) not null,  -- its share of what all teams use [currency]
    total_cost      decimal(28, 10) not null,  -- sum of the three [currency]
    check (kind in ('cost', 'adjustment')),
    check (total_cost = direct_cost + idle_cost + shared_cost)
);

select cast(window_start as date) as statement_month, * exclude (window_start)
from raw.statement;
