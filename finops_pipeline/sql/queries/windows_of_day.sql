-- A published window of one day, to be compared with what the ledger says now.

select table_name, cluster, status, read_count, content_sha256
from core.window
where window_start >= $start and window_start < $end;
