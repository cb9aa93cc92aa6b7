-- What may be spent in a calendar month, as the settings say.
--
-- kind: ledger

create table core.budget (
    scope        varchar         not null,  -- what it limits: team, project or namespace
    name         varchar         not null,  -- name of that team, project or namespace
    month_amount decimal(28, 10) not null,  -- for each calendar month [currency]
    valid_from   date,                      -- first day it holds; null: always did
    valid_until  date,                      -- first day it no longer holds; null: open
    check (valid_from < valid_until),
    check (month_amount > 0)
);
