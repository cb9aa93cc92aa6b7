-- Prices of the settings for what belongs to no node pool; a row per cluster that has any.

select cluster, storage_gib_hour_price, load_balancer_hour_price, is_preferred
from core.price_list
where node_pool = '';
