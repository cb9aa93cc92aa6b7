-- The days from 2020 to 2050 with the months, quarters and fiscal years they lie in.
--
-- A fiscal year has the name of the calendar year it ends in: where it begins in October, October 2026
-- is the first month of 2027.
--
-- kind: full

create table core.calendar (
    day            date    not null primary key,  -- UTC day
    month          date    not null,  -- first day of its calendar month
    quarter        date    not null,  -- first day of its calendar quarter
    year           integer not null,  -- calendar year
    fiscal_year    integer not null,  -- fiscal year, by the calendar year it ends in
    fiscal_quarter integer not null check (fiscal_quarter between 1 and 4),  -- quarter of the fiscal year
    fiscal_month   integer not null check (fiscal_month between 1 and 12),   -- month of the fiscal year
    weekday        integer not null check (weekday between 1 and 7),         -- 1 is Monday, 7 Sunday
    day_count      integer not null check (day_count between 28 and 31),     -- days of its calendar month
    is_weekend     boolean not null   -- whether it is a Saturday or Sunday
);

with days as (
    select
        cast(day as date)                                          as day,
        (month(day) - $fiscal_year_start_month + 12) % 12 + 1      as fiscal_month,
        -- the month that the fiscal year of this day ends in
        day + to_months(cast(12 - fiscal_month as integer))        as fiscal_end
    from generate_series(timestamp '2020-01-01', timestamp '2050-12-31', interval 1 day) as series (day)
)

select
    day,
    cast(date_trunc('month', day) as date)   as month,
    cast(date_trunc('quarter', day) as date) as quarter,
    year(day)                                as year,
    year(fiscal_end)                         as fiscal_year,
    (fiscal_month + 2) // 3                  as fiscal_quarter,
    fiscal_month,
    isodow(day)                              as weekday,
    day(last_day(day))                       as day_count,
    isodow(day) >= 6                         as is_weekend
from days;
