-- The comment of a table, view or column of the attached database 'published'.
--
-- The pipeline's own, in the schema internal, are left out.

select 'table' as kind, schema_name || '.' || table_name as name, comment
from duckdb_tables()
where database_name = 'published' and schema_name not in ('internal', 'main') and comment <> ''
union all
select 'view', schema_name || '.' || view_name, comment
from duckdb_views()
where database_name = 'published' and schema_name not in ('internal', 'main') and comment <> ''
union all
select 'column', concat_ws('.', schema_name, table_name, '"' || column_name || '"'), comment
from duckdb_columns()
where database_name = 'published' and schema_name not in ('internal', 'main') and comment <> '';
