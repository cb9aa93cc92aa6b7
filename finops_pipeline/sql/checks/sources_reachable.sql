-- A source of a cluster whose last attempt failed.

select cluster, source, last_failed_at, last_failure
from core.cluster
where last_failure is not null;
