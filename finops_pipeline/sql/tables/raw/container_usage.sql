-- What each container used in a window, as Prometheus measured it. Null is unknown, never zero.
--
-- A pod's network belongs to all of its containers: it is a row of its own with an empty container.
--
-- kind: lake by window

create table raw.container_usage (
    cluster                varchar     not null,  -- cluster
    window_start           timestamptz not null,  -- first instant of the window, UTC
    namespace              varchar     not null,  -- Kubernetes namespace
    pod                    varchar     not null,  -- pod
    container              varchar     not null,  -- container; '' for what the pod's containers share
    observed_hours         double,                -- how long samples were seen in the window [hours]
    cpu_used_core_hours    double,                -- CPU time used [core-hours]
    cpu_mean_cores         double,                -- used over observed hours [cores]
    cpu_max_cores          double,                -- highest 5-minute rate inside the window [cores]
    memory_used_byte_hours double,                -- working set over observed hours [byte-hours]
    memory_mean_bytes      double,                -- mean working set [bytes]
    memory_max_bytes       double,                -- highest working set inside the window [bytes]
    gpu_used_hours         double,                -- GPU utilisation over observed hours [GPU-hours]
    cpu_request_cores      double,                -- last request in the window [cores]
    memory_request_bytes   double,                -- last request in the window [bytes]
    cpu_limit_cores        double,                -- last limit in the window [cores]
    memory_limit_bytes     double,                -- last limit in the window [bytes]
    cpu_throttled_ratio    double,                -- share of scheduling periods that were throttled, 0 to 1
    restart_count          double,                -- restarts in the window
    oom_kill_count         double,                -- out-of-memory kills in the window
    network_transmit_bytes double,                -- sent by the pod [bytes]
    network_receive_bytes  double                 -- received by the pod [bytes]
);
