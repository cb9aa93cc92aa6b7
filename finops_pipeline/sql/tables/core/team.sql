-- Who stands behind a team's name, for each time in which that is true; from the settings.
--
-- kind: ledger

create table core.team (
    team          varchar not null,  -- the team, as labels and rules name it
    owner         varchar,           -- person who answers for its cost; null: none
    email         varchar,           -- address for its reports; null: none
    channel       varchar,           -- channel for its messages; null: none
    cost_center   varchar,           -- cost center of its costs that name none; null: none
    project       varchar,           -- project of its costs that name none; null: none
    shared_weight double  not null,  -- its part of shared cost where that is split by weight
    valid_from    date,              -- first day it holds; null: always did
    valid_until   date,              -- first day it no longer holds; null: open
    check (valid_from < valid_until),
    check (shared_weight >= 0)
);
