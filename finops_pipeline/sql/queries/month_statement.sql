-- A row of a month's statement, as the lake keeps it once the month is closed.

select
    cast($start as timestamptz) as window_start,
    * exclude (statement_month, is_closed)
from costs.statement
where statement_month = $month
order by all;
