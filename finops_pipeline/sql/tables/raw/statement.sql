-- A row of a closed month's statement, as it was when the month was closed.
--
-- `finops close` writes it from costs.statement; nothing changes it any more.
--
-- kind: lake by month, kept for good, appended

create table raw.statement (
    window_start timestamptz     not null,  -- first instant of the statement's month, UTC
    cost_month   date            not null,  -- first day of the month the cost arose in
    cluster      varchar         not null,  -- cluster
    team         varchar         not null,  -- paying team, or 'unattributed', 'shared', 'idle', 'unmounted'
    environment  varchar         not null,  -- environment, or 'unattributed'
    project      varchar         not null,  -- project, or 'unattributed'
    cost_center  varchar         not null,  -- cost center, or 'unattributed'
    namespace    varchar         not null,  -- namespace; else '__idle__', '__unmounted__', '__shared__', ...
    kind         varchar         not null,  -- cost, or adjustment of a month closed before
    direct_cost  decimal(28, 10) not null,  -- of its own workloads; credits are negative [currency]
    idle_cost    decimal(28, 10) not null,  -- its share of idle cost [currency]
    shared_cost  decimal(28, 10) not null,  -- its share of what all teams use [currency]
    total_cost   decimal(28, 10) not null   -- sum of the three [currency]
);
