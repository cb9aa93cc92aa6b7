-- What the published file says of itself: whose costs it holds, in which currency, and since when. One row.

select currency, version, is_demo, published_at
from core.installation;
