-- A schema, table, view or macro of the attached database 'published', and the statement that makes it.
--
-- The pipeline's own, in the schema internal, are left out.

select
    'schema' as kind,
    schema_name as name,
    'create schema if not exists ' || schema_name as definition
from duckdb_schemas()
where database_name = 'published' and schema_name not in ('internal', 'main')
union all
select 'table', schema_name || '.' || table_name, sql
from duckdb_tables()
where database_name = 'published' and schema_name not in ('internal', 'main')
union all
select 'view', schema_name || '.' || view_name, sql
from duckdb_views()
where database_name = 'published' and schema_name not in ('internal', 'main')
union all
select
    'macro',
    schema_name || '.' || function_name,
    concat(
        'create macro ', schema_name, '.', function_name,
        '(', array_to_string(parameters, ', '), ') as table ', macro_definition
    )
from duckdb_functions()
where
    database_name = 'published'
    and schema_name not in ('internal', 'main')
    and function_type = 'table_macro';
