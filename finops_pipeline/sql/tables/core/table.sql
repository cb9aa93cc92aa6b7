-- Each table there is: what a row is, how it is filled, how far back it reaches and how fresh it is.
--
-- kind: view

create view core.table as
with filled as (
    select table_name, max(slot) as newest_start, max(filled_at) as filled_at
    from internal.fingerprint
    group by table_name
    union all
    select
        table_name,
        max(window_start) filter (status in ('provisional', 'final')) as newest_start,
        max(fetched_at) as filled_at
    from core.window
    where starts_with(table_name, 'raw.')
    group by table_name
)
select
    table_name,    -- name with its schema
    schema_name,   -- schema; a table is made from schemas before its own
    description,   -- what a row is
    kind,          -- lake: files; ledger: its rows; full, incremental: filled on changes; view: when asked
    grain_column,  -- column that says when: window_start, hour, day or month; null without one
    kept_days,     -- days of rows that are kept; null: for good [days]
    newest_start,  -- first instant of the last window, hour or day filled; null: not by time, or a view
    filled_at,     -- when rows were read or filled last; null of a view: as of what it reads
    column_count   -- columns
from internal.catalog
left join filled using (table_name);
