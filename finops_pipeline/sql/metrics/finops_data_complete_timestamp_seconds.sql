-- End of the last window up to which nothing is missing.

select cluster, source, epoch(complete_until) as value
from core.cluster
where complete_until is not null;
