"""Content of the pretend cluster: node pools, namespaces, workloads, volumes, as plain data.

Days are counted from the anchor, so that planted events keep their distance from it; -12.5 is
noon of the twelfth day before. ``cluster.py`` gives it time.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

HISTORY_DAYS: Final = 400  # the past that can be asked for
FOREVER: Final = 100_000.0  # days after the anchor: has not ended

Kind = Literal["deployment", "statefulset", "daemonset", "cronjob", "pod"]
Rhythm = Literal["flat", "shop", "office", "night", "still"]

# Swing around the mean, hour of the peak (UTC), and what is left of it on weekends.
RHYTHMS: Final[dict[Rhythm, tuple[float, float, float]]] = {
    "flat": (0.05, 12.0, 1.0),
    "shop": (0.45, 19.0, 1.1),
    "office": (0.75, 13.0, 0.25),
    "night": (0.8, 2.0, 1.0),
    "still": (0.0, 12.0, 1.0),
}


@dataclass(frozen=True)
class NodePool:
    """Machines of one type, bought in one way.

    Prices are per core-hour, GiB-hour and GPU-hour. A machine is replaced after about
    ``renewal_days``, by the provider (spot) or by an upgrade.
    """

    name: str
    node_type: str
    cores: float
    memory_gib: float
    cpu_price: float
    memory_price: float
    is_spot: bool = False
    gpus: int = 0
    gpu_price: float = 0.0
    renewal_days: float = 40.0

    @property
    def hour_price(self) -> float:
        """Currency per node and hour."""
        cpu = self.cores * self.cpu_price
        memory = self.memory_gib * self.memory_price
        return cpu + memory + self.gpus * self.gpu_price


@dataclass(frozen=True)
class Machine:
    """A place for a node in a pool, filled from ``born`` to ``gone`` (days from the anchor).

    With a ``workday_ratio`` an autoscaler adds it in the morning of that share of workdays, and
    removes it at night.
    """

    pool: str
    zone: str
    workday_ratio: float | None = None
    born: float = -HISTORY_DAYS - 30.0
    gone: float = FOREVER


@dataclass(frozen=True)
class Container:
    """A container of a pod template, and how much it uses.

    Cores and MiB; a request or limit of None is absent. ``cpu`` and ``memory`` are the mean usage
    on the anchor day, before rhythm.
    """

    name: str
    cpu_request: float | None
    cpu: float
    memory_request: float | None
    memory: float
    cpu_limit: float | None = None
    memory_limit: float | None = None
    gpus: int = 0


@dataclass(frozen=True)
class Volume:
    """A volume claim per replica, how full it is on the anchor day, and how that grows per day."""

    size_gib: float
    storage_class: str = "gp3"
    used_ratio: float = 0.6
    growth_ratio: float = 0.0004


@dataclass(frozen=True)
class Workload:
    """A workload that a team deploys.

    ``replicas`` run always; ``day_replicas`` more come and go with the nodes of ``DAY_POOL``.
    CronJobs start every ``every_minutes`` and run for up to ``longest_minutes``.
    ``born`` and ``gone`` are days from the anchor.
    """

    namespace: str
    name: str
    kind: Kind
    containers: tuple[Container, ...]
    replicas: int = 1
    day_replicas: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    rhythm: Rhythm = "shop"
    pool: str = "general"
    rollout_days: float = 9.0
    every_minutes: int = 0
    longest_minutes: int = 0
    volume: Volume | None = None
    growth_ratio: float = 0.0006  # more usage per day
    oom_hours: float = 0.0  # memory climbs to its limit and is killed this often; 0 is never
    restart_hours: float = 0.0  # restarts without a memory kill about this often; 0 is never
    network_bytes: float = 20_000.0  # per second, sent, on average
    spare_replicas: tuple[float, ...] = ()  # one more replica from each of these days on
    born: float = -HISTORY_DAYS - 30.0
    gone: float = FOREVER


@dataclass(frozen=True)
class Namespace:
    """A namespace; its labels reach every pod in OpenCost's answers."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LooseVolume:
    """A volume that no pod mounts; without a claim it is orphaned."""

    name: str
    size_gib: float
    storage_class: str
    namespace: str = ""
    claim: str = ""
    phase: Literal["Available", "Released", "Bound"] = "Available"
    born: float = -200.0


@dataclass(frozen=True)
class LoadBalancer:
    """A service of type LoadBalancer; without a workload it serves no pod."""

    namespace: str
    service: str
    address: str
    workload: str = ""


@dataclass(frozen=True)
class Autoscaler:
    """A HorizontalPodAutoscaler of a deployment on its CPU use."""

    namespace: str
    workload: str
    smallest: int
    largest: int
    target_percent: int = 70


@dataclass(frozen=True)
class Catalog:
    """Content of the pretend cluster."""

    pools: tuple[NodePool, ...]
    machines: tuple[Machine, ...]
    namespaces: tuple[Namespace, ...]
    workloads: tuple[Workload, ...]
    loose_volumes: tuple[LooseVolume, ...]
    load_balancers: tuple[LoadBalancer, ...]
    autoscalers: tuple[Autoscaler, ...]


# Currency per GiB and hour: the list prices per GiB and month over 730.
DAY_POOL: Final = "day"
STORAGE_PRICES: Final = {"gp3": 0.08 / 730, "gp2": 0.10 / 730, "io2": 0.125 / 730}
LOAD_BALANCER_PRICE: Final = 0.0252  # currency per hour
ZONES: Final = ("eu-west-1a", "eu-west-1b", "eu-west-1c")

# When things happen, in days from the anchor; the manifest repeats them as instants.
RIGHT_SIZED_DAY: Final = -20.0 + 10 / 24
STEP_DAY: Final = -12.0 + 9.5 / 24
SPIKE_DAY: Final = -6.0 + 13 / 24
SPIKE_END_DAY: Final = -6.0 + 16 / 24


def build() -> Catalog:
    """Build the pretend cluster's catalog; the same for every seed."""
    return Catalog(
        pools=_POOLS,
        machines=_machines(),
        namespaces=_NAMESPACES,
        workloads=(
            *_shop(),
            *_money(),
            *_search(),
            *_data(),
            *_ml(),
            *_platform(),
            *_staging(),
            *_sandbox(),
        ),
        loose_volumes=_LOOSE_VOLUMES,
        load_balancers=_LOAD_BALANCERS,
        autoscalers=_AUTOSCALERS,
    )


_POOLS: Final = (
    NodePool("general", "c5.2xlarge", 8, 16, 0.031611, 0.004237),
    NodePool("spot", "m5.xlarge", 4, 16, 0.010642, 0.001427, is_spot=True, renewal_days=5.0),
    NodePool("memory", "r5.xlarge", 4, 32, 0.031611, 0.004237),
    NodePool("gpu", "g4dn.xlarge", 4, 16, 0.031611, 0.004237, gpus=1, gpu_price=0.331764),
    NodePool("reserve", "m5.xlarge", 4, 16, 0.031611, 0.004237),  # bought, and hardly used
    NodePool(DAY_POOL, "c5.xlarge", 4, 8, 0.031611, 0.004237),
    NodePool("vector", "c5.2xlarge", 8, 16, 0.031611, 0.004237),
    NodePool("surge", "c5.2xlarge", 8, 16, 0.031611, 0.004237),
)


# The first is needed on every workday, the last on busy ones only.
_DAY_RATIOS: Final = (1.0, 0.9, 0.6, 0.3)


def _machines() -> tuple[Machine, ...]:
    return (
        *(Machine("general", ZONES[i % 3]) for i in range(4)),
        Machine("general", ZONES[2], born=-150.0),  # the cluster grew
        Machine("general", ZONES[0], born=-60.0),
        *(Machine("spot", ZONES[i % 3]) for i in range(4)),
        *(Machine("memory", ZONES[i % 3]) for i in range(3)),
        *(Machine(DAY_POOL, ZONES[i % 3], share) for i, share in enumerate(_DAY_RATIOS)),
        Machine("gpu", ZONES[0]),
        *(Machine("reserve", ZONES[1 + i]) for i in range(2)),
        Machine("vector", ZONES[1], born=STEP_DAY),  # the step
        Machine("surge", ZONES[2], born=SPIKE_DAY, gone=SPIKE_END_DAY),  # the spike
        Machine("surge", ZONES[0], born=SPIKE_DAY, gone=SPIKE_END_DAY),
    )


def _owner_labels(team: str, environment: str = "prod", **more: str) -> dict[str, str]:
    return {"team": team, "environment": environment, **more}


_NAMESPACES: Final = (
    Namespace(
        "checkout",
        _owner_labels("checkout", project="shop", cost_center="cc-4200"),
        {"owner.example.com": "checkout@example.com"},
    ),
    Namespace("catalog", _owner_labels("catalog", project="shop")),
    Namespace(
        "payments",
        _owner_labels("payments", project="money", cost_center="cc-4711"),
        {"owner.example.com": "payments@example.com"},
    ),
    Namespace("search", {"environment": "prod"}),  # teams only on the pods
    Namespace("data", _owner_labels("data-platform", project="insight", cost_center="cc-4800")),
    Namespace("ml", {"team": "ml", "env": "prod", "project": "insight"}),
    Namespace("monitoring", {"team": "sre"}),
    Namespace("kube-system"),
    Namespace("staging", {"environment": "staging"}),
    Namespace("sandbox"),  # of no team
)


def _sidecar() -> Container:
    return Container("envoy", 0.05, 0.012, 64, 48, cpu_limit=0.5, memory_limit=128)


def _shop() -> tuple[Workload, ...]:
    return (
        Workload(
            "checkout",
            "web",
            "deployment",
            (Container("web", 0.35, 0.24, 512, 380, memory_limit=768), _sidecar()),
            replicas=3,
            day_replicas=2,
            network_bytes=400_000,
        ),
        Workload(
            "checkout",
            "cart",
            "deployment",
            (Container("cart", 0.25, 0.15, 384, 290, memory_limit=512), _sidecar()),
            replicas=3,
        ),
        Workload(
            "checkout",
            "cart-cache",
            "statefulset",
            (Container("redis", 0.2, 0.11, 1024, 850, memory_limit=1536),),
            replicas=2,
            pool="memory",
            volume=Volume(10),
        ),
        Workload(
            "checkout",
            "coupons",
            "deployment",
            (Container("coupons", 0.8, 0.06, 1024, 190),),  # over-requested
            replicas=2,
        ),
        Workload(
            "checkout",
            "order-mail",
            "deployment",
            (Container("mailer", 0.1, 0.05, 192, 130),),
        ),
        Workload(
            "checkout",
            "receipts",
            "cronjob",
            (Container("render", 0.3, 0.26, 256, 200),),
            pool="spot",
            every_minutes=30,
            longest_minutes=9,
        ),
        Workload(
            "catalog",
            "products",
            "deployment",
            (Container("products", 0.4, 0.22, 768, 560), _sidecar()),
            replicas=2,
            day_replicas=2,
            spare_replicas=(-140.0, -55.0),  # slow growth
            labels={"cost_center": "cc-4300"},
        ),
        Workload(
            "catalog",
            "pricing",
            "deployment",
            (Container("pricing", 2.0, 0.42, 4096, 900),),  # until it was right-sized
            replicas=2,
            gone=RIGHT_SIZED_DAY,
        ),
        Workload(
            "catalog",
            "pricing",
            "deployment",
            (Container("pricing", 0.75, 0.42, 1280, 900),),
            replicas=2,
            born=RIGHT_SIZED_DAY,
        ),
        Workload(
            "catalog",
            "images",
            "deployment",
            (Container("resize", 0.15, 0.42, 256, 410),),  # under-requested
            replicas=2,
            pool="spot",
            network_bytes=900_000,
        ),
        Workload(
            "catalog",
            "catalog-db",
            "statefulset",
            (Container("postgres", 1.0, 0.45, 4096, 3300, memory_limit=5120),),
            replicas=2,
            pool="memory",
            volume=Volume(200, "gp3", used_ratio=0.22, growth_ratio=0.0002),  # half-empty
        ),
        Workload(
            "catalog",
            "feed-import",
            "cronjob",
            (Container("import", 0.5, 0.45, 512, 420),),
            pool="spot",
            every_minutes=60,
            longest_minutes=22,
        ),
    )


def _money() -> tuple[Workload, ...]:
    return (
        Workload(
            "payments",
            "api",
            "deployment",
            (Container("api", 0.5, 0.29, 512, 410, memory_limit=768), _sidecar()),
            replicas=3,
            day_replicas=2,
            network_bytes=150_000,
        ),
        Workload(
            "payments",
            "worker",
            "deployment",
            (Container("worker", 0.15, 0.36, 256, 280),),  # under-requested
            replicas=2,
            rhythm="office",
        ),
        Workload(
            "payments",
            "ledger-db",
            "statefulset",
            (
                Container("postgres", 1.0, 0.5, 4096, 3400, memory_limit=6144),
                Container("exporter", 0.05, 0.01, 64, 30),
            ),
            pool="memory",
            volume=Volume(100, "io2", used_ratio=0.48),
        ),
        Workload(
            "payments",
            "fraud",
            "deployment",
            (Container("score", 0.6, 0.33, 1024, 780),),
            replicas=2,
        ),
        Workload(
            "payments",
            "fraud",
            "deployment",
            (Container("score", 0.6, 0.55, 1024, 820),),  # the spike: a back-fill by mistake
            replicas=14,
            pool="surge",
            born=SPIKE_DAY,
            gone=SPIKE_END_DAY,
        ),
        Workload(
            "payments",
            "settlement",
            "cronjob",
            (Container("settle", 1.0, 0.8, 1024, 700),),
            every_minutes=1440,
            longest_minutes=55,
        ),
        Workload(
            "payments",
            "statements",
            "deployment",
            # throttled: a limit barely above what it needs
            (Container("render", 0.2, 0.23, 384, 300, cpu_limit=0.3, memory_limit=512),),
            replicas=2,
            rhythm="office",
        ),
        Workload(
            "payments",
            "vault",
            "statefulset",
            (Container("vault", 0.2, 0.05, 256, 150, memory_limit=512),),
            replicas=2,
            rhythm="flat",
            volume=Volume(5, used_ratio=0.55),
        ),
    )


_SEARCH: Final = {"team": "search", "project": "shop"}


def _search() -> tuple[Workload, ...]:
    return (
        Workload(
            "search",
            "query",
            "deployment",
            (Container("query", 0.6, 0.4, 1024, 820),),
            replicas=3,
            day_replicas=2,
            labels=_SEARCH,
        ),
        Workload(
            "search",
            "index",
            "statefulset",
            (Container("elastic", 0.9, 0.5, 5120, 4500, memory_limit=6144),),
            replicas=3,
            pool="memory",
            labels=_SEARCH,
            volume=Volume(150, used_ratio=0.62, growth_ratio=0.0006),
        ),
        Workload(
            "search",
            "suggest",
            "deployment",
            (Container("suggest", 0.5, 0.07, 1536, 260),),  # over-requested
            replicas=2,
            labels=_SEARCH,
        ),
        Workload(
            "search",
            "vectors",
            "deployment",
            (Container("vectors", 1.6, 0.95, 3072, 2500),),  # the step
            replicas=4,
            pool="vector",
            labels={**_SEARCH, "feature": "semantic-search"},
            born=STEP_DAY,
        ),
        Workload(
            "search",
            "synonyms",
            "deployment",
            (Container("synonyms", 0.1, 0.001, 128, 60),),  # abandoned
            network_bytes=12,
            rhythm="still",
            rollout_days=500,
        ),
        Workload(
            "search",
            "reindex",
            "cronjob",
            (Container("reindex", 0.7, 0.6, 768, 640),),
            pool="spot",
            every_minutes=360,
            longest_minutes=48,
            labels=_SEARCH,
        ),
    )


def _data() -> tuple[Workload, ...]:
    return (
        Workload(
            "data",
            "kafka",
            "statefulset",
            (Container("kafka", 0.5, 0.33, 2048, 1800, memory_limit=3072),),
            replicas=3,
            volume=Volume(100, used_ratio=0.55, growth_ratio=0.0008),
            network_bytes=250_000,
        ),
        Workload(
            "data",
            "etl",
            "deployment",
            (Container("loader", 0.6, 0.5, 1024, 830),),
            replicas=2,
            rhythm="night",
            pool="spot",
        ),
        Workload(
            "data",
            "spark",
            "cronjob",
            (Container("driver", 0.6, 0.55, 1024, 880), Container("sidecar", 0.05, 0.01, 64, 40)),
            pool="spot",
            every_minutes=20,
            longest_minutes=7,
        ),
        Workload(
            "data",
            "warehouse-load",
            "cronjob",
            (Container("load", 0.8, 0.7, 1536, 1300),),
            every_minutes=1440,
            longest_minutes=150,
        ),
        Workload(
            "data",
            "reports",
            "deployment",
            (Container("reports", 0.4, 0.11, 1024, 480),),
            rhythm="office",
        ),
        Workload(
            "data",
            "dashboards",
            "deployment",
            (Container("superset", 0.3, 0.14, 768, 560),),
            rhythm="office",
            volume=Volume(20, used_ratio=0.3),
        ),
        Workload(
            "data",
            "schema-registry",
            "deployment",
            (Container("registry", 0.15, 0.04, 512, 330),),
            rhythm="flat",
        ),
        Workload(
            "data",
            "leaky-ingest",
            "deployment",
            # killed for memory: it leaks and its limit is low
            (Container("ingest", 0.3, 0.2, 384, 520, memory_limit=640),),
            rhythm="flat",
            oom_hours=6.0,
            rollout_days=30,
        ),
    )


def _ml() -> tuple[Workload, ...]:
    return (
        Workload(
            "ml",
            "trainer",
            "deployment",
            (Container("train", 1.5, 1.1, 6144, 5200, gpus=1),),
            pool="gpu",
            rhythm="night",
            rollout_days=20,
        ),
        Workload(
            "ml",
            "recommender",
            "deployment",
            (Container("serve", 0.7, 0.34, 1536, 1180),),
            replicas=2,
            day_replicas=3,
        ),
        Workload(
            "ml",
            "features",
            "statefulset",
            (Container("store", 0.4, 0.2, 2048, 1500),),
            pool="memory",
            volume=Volume(300, "gp2", used_ratio=0.18, growth_ratio=0.0001),  # half-empty
        ),
        Workload(
            "ml",
            "notebooks",
            "deployment",
            (Container("jupyter", 0.5, 0.09, 2048, 900),),  # unused at night and on weekends
            replicas=2,
            rhythm="office",
            labels={"cost_center": "cc-4900"},
            rollout_days=60,
        ),
        Workload(
            "ml",
            "scoring",
            "cronjob",
            (Container("score", 0.6, 0.5, 1024, 900),),
            pool="spot",
            every_minutes=120,
            longest_minutes=34,
        ),
    )


def _platform() -> tuple[Workload, ...]:
    return (
        Workload(
            "monitoring",
            "prometheus",
            "statefulset",
            (
                Container("prometheus", 0.5, 0.4, 3072, 2700),
                Container("config-reloader", 0.02, 0.002, 32, 14),
            ),
            rhythm="flat",
            pool="memory",
            volume=Volume(120, "gp2", used_ratio=0.58),
        ),
        Workload(
            "monitoring",
            "grafana",
            "deployment",
            (Container("grafana", 0.1, 0.03, 256, 160),),
            rhythm="office",
            volume=Volume(5, used_ratio=0.25),
        ),
        Workload(
            "monitoring",
            "opencost",
            "deployment",
            (Container("opencost", 0.1, 0.04, 256, 190), Container("ui", 0.01, 0.001, 55, 20)),
            rhythm="flat",
        ),
        Workload(
            "monitoring",
            "alertmanager",
            "statefulset",
            (Container("alertmanager", 0.05, 0.01, 128, 60),),
            rhythm="flat",
            volume=Volume(2, used_ratio=0.2),
        ),
        Workload(
            "monitoring",
            "node-exporter",
            "daemonset",
            (Container("exporter", 0.03, 0.008, 48, 24),),
            rhythm="flat",
            rollout_days=45,
        ),
        Workload(
            "kube-system",
            "kube-proxy",
            "daemonset",
            (Container("kube-proxy", 0.1, 0.015, None, 42),),  # no memory request
            rhythm="flat",
            rollout_days=60,
        ),
        Workload(
            "kube-system",
            "coredns",
            "deployment",
            (Container("coredns", 0.1, 0.04, 70, 50, memory_limit=170),),
            replicas=2,
            rhythm="flat",
            rollout_days=50,
        ),
        Workload(
            "kube-system",
            "metrics-server",
            "deployment",
            (Container("metrics-server", 0.1, 0.03, 200, 90),),
            rhythm="flat",
            rollout_days=50,
        ),
        Workload(
            "kube-system",
            "cluster-autoscaler",
            "deployment",
            (Container("autoscaler", 0.1, 0.02, 300, 180),),
            rhythm="flat",
            rollout_days=50,
        ),
        Workload(
            "kube-system",
            "ebs-csi",
            "deployment",
            (
                Container("provisioner", 0.05, 0.01, 64, 45),
                Container("attacher", 0.05, 0.01, 64, 40),
            ),
            rhythm="flat",
            rollout_days=50,
        ),
    )


def _small(name: str, team: str, restart_hours: float = 0.0) -> Workload:
    return Workload(
        "staging",
        name,
        "deployment",
        (Container("app", 0.25, 0.03, 384, 170),),
        rhythm="office",
        pool="spot",
        labels={"team": team},
        rollout_days=2.5,
        restart_hours=restart_hours,
    )


def _staging() -> tuple[Workload, ...]:
    return (
        _small("web", "checkout"),
        _small("cart", "checkout"),
        _small("api", "payments"),
        _small("fraud", "payments"),
        _small("products", "catalog"),
        _small("query", "search"),
        _small("flaky-preview", "catalog", restart_hours=3.0),  # restarts
        Workload(
            "staging",
            "test-db",
            "statefulset",
            (Container("postgres", 0.3, 0.05, 1024, 400),),
            rhythm="office",
            volume=Volume(50, used_ratio=0.12),
        ),
        Workload(
            "staging",
            "smoke-test",
            "cronjob",
            (Container("smoke", 0.2, 0.15, 192, 120),),
            pool="spot",
            every_minutes=15,
            longest_minutes=3,
            labels={"team": "checkout"},
        ),
    )


def _sandbox() -> tuple[Workload, ...]:
    return (
        Workload(
            "sandbox",
            "scratch",
            "pod",
            (Container("sh", 0.1, 0.002, 128, 20),),  # a bare pod
            rhythm="still",
            born=-90.0,
        ),
        Workload(
            "sandbox",
            "demo-app",
            "deployment",
            (Container("demo", None, 0.08, None, 210),),  # no requests at all
            rollout_days=25,
        ),
        Workload(
            "sandbox",
            "loadgen",
            "deployment",
            (Container("k6", 0.5, 0.12, 256, 90),),
            rhythm="office",
            pool="spot",
            rollout_days=25,
        ),
    )


_LOOSE_VOLUMES: Final = (
    LooseVolume("pv-old-warehouse", 250, "gp2", phase="Available", born=-170.0),
    LooseVolume("pv-migrated-search", 120, "gp3", phase="Released", born=-45.0),
    LooseVolume("pvc-old-backup", 80, "gp2", "data", "old-backup", "Bound", born=-120.0),
    LooseVolume("pvc-mysql-trial", 40, "io2", "sandbox", "mysql-trial", "Bound", born=-33.0),
)

_LOAD_BALANCERS: Final = (
    LoadBalancer("checkout", "web-public", "a1b2c3-1204567890.eu-west-1.elb.example.com", "web"),
    LoadBalancer("payments", "api-public", "d4e5f6-9876543210.eu-west-1.elb.example.com", "api"),
    LoadBalancer("catalog", "legacy-api", "203.0.113.77"),
)

_AUTOSCALERS: Final = (
    Autoscaler("checkout", "web", 3, 5),
    Autoscaler("payments", "api", 3, 5),
    Autoscaler("catalog", "products", 2, 8, target_percent=60),
    Autoscaler("search", "query", 3, 5),
    Autoscaler("ml", "recommender", 2, 5),
)
