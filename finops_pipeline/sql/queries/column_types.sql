-- A column of a table, with its type and whether it may be null.

select
    schema_name || '.' || table_name as table_name,
    column_name,
    lower(data_type) as data_type,
    is_nullable
from duckdb_columns()
where not internal;
