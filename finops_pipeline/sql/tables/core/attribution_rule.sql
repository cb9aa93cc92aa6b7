-- Rules of the settings that name the owner of a cost without a label; the first that matches decides a part.
--
-- kind: ledger

create table core.attribution_rule (
    position_count    integer not null,  -- how many rules are asked before this one
    rule              varchar not null,  -- its name
    cluster_pattern   varchar not null,  -- clusters it is for; * is any text, ? any character
    namespace_pattern varchar not null,  -- namespaces it is for, in the same way
    workload_pattern  varchar not null,  -- workloads it is for, in the same way
    team              varchar,           -- team it names; null: does not say
    environment       varchar,           -- environment it names; null: does not say
    project           varchar,           -- project it names; null: does not say
    cost_center       varchar,           -- cost center it names; null: does not say
    valid_from        date,              -- first day it holds; null: always did
    valid_until       date,              -- first day it no longer holds; null: open
    check (valid_from < valid_until)
);
