-- A window that ended more than an hour before the newest one and is still absent.

select table_name, cluster, window_start, reason
from core.window
where status = 'absent'
    and window_start < (select max(window_start) from core.window where status <> 'absent') - interval 1 hour;
