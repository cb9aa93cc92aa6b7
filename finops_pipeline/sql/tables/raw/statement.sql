-- A row of a closed month's statement, as it was when the month was closed.
--
-- `finops close` writes it from costs.statement; nothing changes it any more.

create table raw.statement (
    window_start timestamptz     not null,  -- first instant of the statement's month, UTC
    cost_month   date            not null,  -- first day of the month the cost arose in
    cluster      varchar         not null,  -- cluster the cost arose in
    team         varchar         not null,  -- team that pays
    environment  varchar         not null,  -- environment
    project      varchar         not null,  -- project
    cost_center  varchar         not null,  -- cost center
    namespace    varchar         not null,  -- namespace
    kind         varchar         not null,  -- cost, or adjustment of a month closed before
    direct_cost  decimal(28, 10) not null,  -- of its workloads [currency]
    idle_cost    decimal(28, 10) not null,  -- its share of unused capacity [currency]
    shared_cost  decimal(28, 10) not null,  -- its share of what all teams use [currency]
    total_cost   decimal(28, 10) not null   -- sum of the three [currency]
);
