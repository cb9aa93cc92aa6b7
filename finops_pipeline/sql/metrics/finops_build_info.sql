-- Version and currency of the installation; always 1.

select version, currency, 1 as value
from core.installation;
