-- Usage of each container in a window, as Prometheus measured it, where it is plausible.
--
-- A broken sensor is no idle workload: implausible usage is unknown.

select
    cluster,
    window_start,
    namespace,
    pod,
    container,
    cpu_used_core_hours,
    memory_used_byte_hours,
    gpu_used_hours
from raw.container_usage
anti join (from core.usage_window where not is_plausible) using (cluster, window_start);
