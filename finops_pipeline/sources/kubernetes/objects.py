"""Objects as the Kubernetes API writes them, as far as we read them.

What is not listed here, such as ``managedFields``, is skipped unread. Maps and lists that only SQL
looks into stay text (Raw).
"""

from datetime import datetime

import msgspec
from msgspec import Raw, Struct, field

from finops_pipeline.sources.reading import NULL


class Owner(Struct, gc=False):
    """Owner of an object, as the object names it."""

    kind: str
    name: str
    controller: bool = False


class Metadata(Struct, gc=False, rename="camel"):
    """Metadata that all objects have."""

    name: str
    uid: str
    created_at: datetime = field(name="creationTimestamp")
    namespace: str | None = None
    labels: Raw = NULL
    annotations: Raw = NULL
    owner_references: list[Owner] = []


class Object(Struct):
    """Object of a list."""

    metadata: Metadata

    @property
    def controller(self) -> Owner | None:
        """The only owner that manages it."""
        return next((owner for owner in self.metadata.owner_references if owner.controller), None)

    @property
    def owner_kind(self) -> str | None:
        """Kind of its controller."""
        return self.controller.kind if self.controller else None

    @property
    def owner(self) -> str | None:
        """Name of its controller."""
        return self.controller.name if self.controller else None


class _NamespaceStatus(Struct):
    phase: str | None = None


class Namespace(Object):
    """``v1`` Namespace."""

    status: _NamespaceStatus = field(default_factory=_NamespaceStatus)


class _NodeSpec(Struct, rename="camel"):
    provider_id: str | None = field(default=None, name="providerID")
    unschedulable: bool = False
    taints: Raw = NULL


class _Condition(Struct):
    type: str
    status: str


class _NodeInfo(Struct, rename="camel"):
    kubelet_version: str | None = None
    architecture: str | None = None
    operating_system: str | None = None


class _NodeStatus(Struct, rename="camel"):
    capacity: dict[str, str] = {}
    allocatable: dict[str, str] = {}
    conditions: list[_Condition] = []
    node_info: _NodeInfo = field(default_factory=_NodeInfo)


class Node(Object):
    """``v1`` Node."""

    spec: _NodeSpec = field(default_factory=_NodeSpec)
    status: _NodeStatus = field(default_factory=_NodeStatus)


class Resources(Struct, gc=False):
    """Requests and limits by resource, as quantities."""

    requests: dict[str, str] = {}
    limits: dict[str, str] = {}


class Container(Struct, gc=False, rename="camel"):
    """A container of a pod or a template."""

    name: str
    image: str | None = None
    resources: Resources = field(default_factory=Resources)
    restart_policy: str | None = None
    liveness_probe: Raw = NULL
    readiness_probe: Raw = NULL
    startup_probe: Raw = NULL

    @property
    def is_sidecar(self) -> bool:
        """True for an init container that runs beside the others until the end."""
        return self.restart_policy == "Always"


class _ClaimReference(Struct, rename="camel"):
    claim_name: str


class _PodVolume(Struct, rename="camel"):
    persistent_volume_claim: _ClaimReference | None = None


class PodSpec(Struct, rename="camel"):
    """Containers of a pod or a template, and where it may run."""

    containers: list[Container]
    init_containers: list[Container] = []
    resources: Resources = field(default_factory=Resources)
    overhead: dict[str, str] = {}
    node_name: str | None = None
    priority_class_name: str | None = None
    node_selector: Raw = NULL
    tolerations: Raw = NULL
    affinity: Raw = NULL
    volumes: list[_PodVolume] = []


class _ContainerStatus(Struct, gc=False, rename="camel"):
    restart_count: int = 0


class _PodStatus(Struct, rename="camel"):
    phase: str | None = None
    qos_class: str | None = None
    start_time: datetime | None = None
    container_statuses: list[_ContainerStatus] = []


class Pod(Object):
    """``v1`` Pod."""

    spec: PodSpec
    status: _PodStatus = field(default_factory=_PodStatus)


class _TemplateMetadata(Struct):
    labels: Raw = NULL


class Template(Struct):
    """The pods a workload makes."""

    spec: PodSpec
    metadata: _TemplateMetadata = field(default_factory=_TemplateMetadata)


class _RollingUpdate(Struct, rename="camel"):
    max_unavailable: int | str | None = None
    max_surge: int | str | None = None


class _Strategy(Struct, rename="camel"):
    type: str | None = None
    rolling_update: _RollingUpdate = field(default_factory=_RollingUpdate)


class _JobSpec(Struct):
    template: Template


class _JobTemplate(Struct):
    spec: _JobSpec


class _WorkloadSpec(Struct, rename="camel"):
    replicas: int | None = None
    parallelism: int | None = None
    suspend: bool | None = None
    schedule: str | None = None
    selector: Raw = NULL
    strategy: _Strategy | None = None
    update_strategy: _Strategy | None = None
    template: Template | None = None
    job_template: _JobTemplate | None = None


class _WorkloadStatus(Struct, rename="camel"):
    desired_number_scheduled: int | None = None
    completion_time: datetime | None = None


class Workload(Object):
    """``apps/v1`` and ``batch/v1``: six kinds whose fields have the same meaning in each."""

    spec: _WorkloadSpec
    status: _WorkloadStatus = field(default_factory=_WorkloadStatus)

    @property
    def template(self) -> Template:
        """Template of its pods; that of a CronJob lies one level deeper."""
        of_jobs = self.spec.job_template.spec.template if self.spec.job_template else None
        if template := self.spec.template or of_jobs:
            return template
        raise msgspec.ValidationError(f"{self.metadata.name} has no pod template")

    @property
    def strategy(self) -> _Strategy:
        """Rules by which its pods are replaced."""
        return self.spec.strategy or self.spec.update_strategy or _Strategy()

    @property
    def replicas(self) -> int | None:
        """Pods it wants; None where the API says nothing, as of a CronJob."""
        spec, of_nodes = self.spec, self.status.desired_number_scheduled
        wanted = spec.replicas if spec.replicas is not None else spec.parallelism
        return wanted if wanted is not None else of_nodes


class _ServiceSpec(Struct):
    type: str | None = None
    selector: Raw = NULL


class _LoadBalancer(Struct):
    ingress: Raw = NULL


class _ServiceStatus(Struct, rename="camel"):
    load_balancer: _LoadBalancer = field(default_factory=_LoadBalancer)


class Service(Object):
    """``v1`` Service."""

    spec: _ServiceSpec = field(default_factory=_ServiceSpec)
    status: _ServiceStatus = field(default_factory=_ServiceStatus)


class _ClaimRef(Struct):
    name: str | None = None
    namespace: str | None = None


class _Csi(Struct, rename="camel"):
    driver: str | None = None
    volume_handle: str | None = None


class _VolumeSpec(Struct, rename="camel"):
    capacity: dict[str, str] = {}
    storage_class_name: str | None = None
    claim_ref: _ClaimRef = field(default_factory=_ClaimRef)
    csi: _Csi = field(default_factory=_Csi)
    access_modes: Raw = NULL
    reclaim_policy: str | None = field(default=None, name="persistentVolumeReclaimPolicy")


class _VolumeStatus(Struct):
    phase: str | None = None
    capacity: dict[str, str] = {}


class Volume(Object):
    """``v1`` PersistentVolume."""

    spec: _VolumeSpec = field(default_factory=_VolumeSpec)
    status: _VolumeStatus = field(default_factory=_VolumeStatus)


class _ClaimSpec(Struct, rename="camel"):
    resources: Resources = field(default_factory=Resources)
    storage_class_name: str | None = None
    volume_name: str | None = None
    access_modes: Raw = NULL


class VolumeClaim(Object):
    """``v1`` PersistentVolumeClaim."""

    spec: _ClaimSpec = field(default_factory=_ClaimSpec)
    status: _VolumeStatus = field(default_factory=_VolumeStatus)


class StorageClass(Object, rename="camel"):
    """``storage.k8s.io/v1`` StorageClass."""

    provisioner: str | None = None
    reclaim_policy: str | None = None
    volume_binding_mode: str | None = None
    allow_volume_expansion: bool = False
    parameters: Raw = NULL


class _Target(Struct):
    kind: str
    name: str


class _AutoscalerSpec(Struct, rename="camel"):
    scale_target_ref: _Target
    max_replicas: int
    min_replicas: int = 1  # what the API means where it is left out
    metrics: Raw = NULL


class _AutoscalerStatus(Struct, rename="camel"):
    current_replicas: int | None = None
    desired_replicas: int | None = None


class Autoscaler(Object):
    """``autoscaling/v2`` HorizontalPodAutoscaler."""

    spec: _AutoscalerSpec
    status: _AutoscalerStatus = field(default_factory=_AutoscalerStatus)


class _BudgetSpec(Struct, rename="camel"):
    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    selector: Raw = NULL


class _BudgetStatus(Struct, rename="camel"):
    disruptions_allowed: int | None = None
    expected_pods: int | None = None


class DisruptionBudget(Object):
    """``policy/v1`` PodDisruptionBudget."""

    spec: _BudgetSpec = field(default_factory=_BudgetSpec)
    status: _BudgetStatus = field(default_factory=_BudgetStatus)
