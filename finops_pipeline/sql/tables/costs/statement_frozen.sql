-- A row of a closed month's statement, as it was when the month was closed; it never changes.
--
-- kind: full

create table costs.statement_frozen (
    statement_month date            not null,  -- first day of the month that was closed
    cost_month      date            not null,
    cluster         varchar         not null,
    team            varchar         not null,
    environment     varchar         not null,
    project         varchar         not null,
    cost_center     varchar         not null,
    namespace       varchar         not null,
    kind            varchar         not null,
    direct_cost     decimal(28, 10) not null,
    idle_cost       decimal(28, 10) not null,
    shared_cost     decimal(28, 10) not null,
    total_cost      decimal(28, 10) not null,
    check (kind in ('cost', 'adjustment')),
    check (total_cost = direct_cost + idle_cost + shared_cost)
);

select cast(window_start as date) as statement_month, * exclude (window_start)
from raw.statement;
