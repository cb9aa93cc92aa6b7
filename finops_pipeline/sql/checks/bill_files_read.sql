-- A file in the bill folder that was refused: the bill is without it, or as it was before.

select path, failure, read_at
from core.bill_file
where failure is not null;
