"""Kubernetes objects of the pretend cluster at one minute, as the API writes them."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

from finops_pipeline.simulation import noise
from finops_pipeline.simulation.catalog import Autoscaler, Container, Kind, LoadBalancer, Workload
from finops_pipeline.simulation.cluster import Cluster
from finops_pipeline.simulation.labels import node_labels, pod_labels
from finops_pipeline.simulation.schedule import (
    WINDOW_MINUTES,
    Claim,
    Node,
    Pod,
    Slot,
    day_minute,
    instant,
)
from finops_pipeline.simulation.schedule import pods as pods_of
from finops_pipeline.units import rfc3339

_Object = dict[str, object]
_JOBS_KEPT_MINUTES: Final = 180  # for so long finished jobs and their pods stay listed
_PROVISIONERS: Final = {"gp2": "kubernetes.io/aws-ebs"}
_OWNERS: Final[dict[Kind, tuple[str, str]]] = {  # API and kind of what owns a pod
    "deployment": ("apps/v1", "ReplicaSet"),
    "statefulset": ("apps/v1", "StatefulSet"),
    "daemonset": ("apps/v1", "DaemonSet"),
    "cronjob": ("batch/v1", "Job"),
}
_QUANTITIES: Final = (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))


class Objects:
    """Builds the objects of one minute.

    Args:
        cluster: the model.
        at: minutes since 1970.
    """

    def __init__(self, cluster: Cluster, at: int) -> None:
        self._cluster, self._at = cluster, at

    @staticmethod
    def key(item: _Object) -> str:
        """Return the key that lists are sorted by: namespace and name."""
        metadata = item["metadata"]
        assert isinstance(metadata, dict)  # noqa: S101
        prefix = f"{metadata['namespace']}/" if "namespace" in metadata else ""
        return f"{prefix}{metadata['name']}"

    def namespaces(self) -> list[_Object]:
        """Return every namespace of the catalog."""
        return [
            {
                "metadata": self._metadata(
                    "Namespace",
                    space.name,
                    labels={**space.labels, "kubernetes.io/metadata.name": space.name},
                    annotations=space.annotations,
                ),
                "spec": {"finalizers": ["kubernetes"]},
                "status": {"phase": "Active"},
            }
            for space in self._cluster.catalog.namespaces
        ]

    def nodes(self) -> list[_Object]:
        """Return the nodes that stand now."""
        return [self._node(node) for node in self._cluster.nodes(self._at, self._at + 1)]

    def pods(self) -> list[_Object]:
        """Return the pods that run now, and those of jobs that ended lately."""
        return [self._pod(pod) for pod in self._listed_pods]

    def services(self) -> list[_Object]:
        """Return a service per Deployment and StatefulSet, and the load balancers."""
        own = [
            self._service(workload.namespace, workload.name, workload.name)
            for workload in self._workloads("deployment", "statefulset")
        ]
        balancers = self._cluster.catalog.load_balancers
        return own + [self._balancer(balancer) for balancer in balancers]

    def volumes(self) -> list[_Object]:
        """Return the persistent volumes, mounted or not."""
        return [self._volume(claim) for claim in self._cluster.claims(self._at)]

    def claims(self) -> list[_Object]:
        """Return the persistent volume claims; orphaned volumes have none."""
        return [self._claim(claim) for claim in self._cluster.claims(self._at) if claim.name]

    def deployments(self) -> list[_Object]:
        """Return the Deployments that exist now."""
        return [
            {
                "metadata": self._workload_metadata("Deployment", workload),
                "spec": {
                    "replicas": len(self._running(workload)),
                    "selector": {"matchLabels": {"app": workload.name}},
                    "template": self._template(workload),
                    "strategy": {
                        "type": "RollingUpdate",
                        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
                    },
                    "revisionHistoryLimit": 10,
                    "progressDeadlineSeconds": 600,
                },
                "status": {
                    "observedGeneration": 1,
                    "replicas": len(self._running(workload)),
                    "updatedReplicas": len(self._running(workload)),
                    "readyReplicas": len(self._running(workload)),
                    "availableReplicas": len(self._running(workload)),
                },
            }
            for workload in self._workloads("deployment")
        ]

    def replica_sets(self) -> list[_Object]:
        """Return the ReplicaSets of the pods that run, and one before each, scaled to nothing."""
        sets: dict[tuple[str, str], _Object] = {}
        for slot in self._cluster.slots:
            for pod in self._with_predecessor(slot):
                key = (slot.workload.namespace, pod.owner)
                sets.setdefault(key, self._replica_set(pod))
        return list(sets.values())

    def stateful_sets(self) -> list[_Object]:
        """Return the StatefulSets that exist now."""
        return [
            {
                "metadata": self._workload_metadata("StatefulSet", workload),
                "spec": {
                    "replicas": workload.replicas,
                    "selector": {"matchLabels": {"app": workload.name}},
                    "template": self._template(workload),
                    "serviceName": workload.name,
                    "podManagementPolicy": "OrderedReady",
                    "updateStrategy": {"type": "RollingUpdate"},
                    "volumeClaimTemplates": self._claim_templates(workload),
                },
                "status": {
                    "replicas": workload.replicas,
                    "readyReplicas": len(self._running(workload)),
                    "availableReplicas": len(self._running(workload)),
                },
            }
            for workload in self._workloads("statefulset")
        ]

    def daemon_sets(self) -> list[_Object]:
        """Return the DaemonSets, one pod per node."""
        return [
            {
                "metadata": self._workload_metadata("DaemonSet", workload),
                "spec": {
                    "selector": {"matchLabels": {"app": workload.name}},
                    "template": self._template(workload),
                    "updateStrategy": {"type": "RollingUpdate"},
                    "revisionHistoryLimit": 10,
                },
                "status": {
                    "currentNumberScheduled": len(self._running(workload)),
                    "numberMisscheduled": 0,
                    "desiredNumberScheduled": len(self._running(workload)),
                    "numberReady": len(self._running(workload)),
                },
            }
            for workload in self._workloads("daemonset")
        ]

    def jobs(self) -> list[_Object]:
        """Return the jobs that run now or ended lately."""
        pods = [pod for pod in self._listed_pods if pod.slot.workload.kind == "cronjob"]
        # A job whose node went away has more than one pod.
        return list({(pod.slot.index, pod.owner): self._job(pod) for pod in pods}.values())

    def cron_jobs(self) -> list[_Object]:
        """Return the CronJobs that exist now."""
        return [
            {
                "metadata": self._workload_metadata("CronJob", workload),
                "spec": {
                    "schedule": self._cron(workload),
                    "concurrencyPolicy": "Allow",
                    "suspend": False,
                    "jobTemplate": {"metadata": {}, "spec": {"template": self._template(workload)}},
                    "successfulJobsHistoryLimit": 3,
                    "failedJobsHistoryLimit": 1,
                },
                "status": {},
            }
            for workload in self._workloads("cronjob")
        ]

    def autoscalers(self) -> list[_Object]:
        """Return the HorizontalPodAutoscalers."""
        return [self._autoscaler(entry) for entry in self._cluster.catalog.autoscalers]

    def disruption_budgets(self) -> list[_Object]:
        """Return a budget for each StatefulSet with more than one replica."""
        return [
            {
                "metadata": self._metadata(
                    "PodDisruptionBudget", workload.name, workload.namespace
                ),
                "spec": {
                    "selector": {"matchLabels": {"app": workload.name}},
                    "maxUnavailable": 1,
                },
                "status": {
                    "disruptionsAllowed": 1,
                    "currentHealthy": workload.replicas,
                    "desiredHealthy": workload.replicas - 1,
                    "expectedPods": workload.replicas,
                },
            }
            for workload in self._workloads("statefulset")
            if workload.replicas > 1
        ]

    def storage_classes(self) -> list[_Object]:
        """Return the storage classes of all volumes."""
        names = {claim.storage_class for claim in self._cluster.claims(self._at)}
        return [
            {
                "metadata": self._metadata("StorageClass", name),
                "provisioner": _PROVISIONERS.get(name, "ebs.csi.aws.com"),
                "parameters": {"type": name},
                "reclaimPolicy": "Delete",
                "allowVolumeExpansion": True,
                "volumeBindingMode": "WaitForFirstConsumer",
            }
            for name in sorted(names)
        ]

    @cached_property
    def _listed_pods(self) -> list[Pod]:
        recent = self._cluster.pods(self._at - _JOBS_KEPT_MINUTES, self._at + 1)
        return [pod for pod in recent if pod.end > self._at or pod.slot.workload.kind == "cronjob"]

    @cached_property
    def _running_by_name(self) -> dict[tuple[str, str], list[Pod]]:
        pods: dict[tuple[str, str], list[Pod]] = {}
        for pod in self._listed_pods:
            if pod.end > self._at:
                workload = pod.slot.workload
                pods.setdefault((workload.namespace, workload.name), []).append(pod)
        return pods

    def _running(self, workload: Workload) -> Sequence[Pod]:
        return self._running_by_name.get((workload.namespace, workload.name), [])

    def _workloads(self, *kinds: Kind) -> Iterable[Workload]:
        """Return the workloads that exist now; of several phases of one, the first."""
        workloads: dict[tuple[str, str], Workload] = {}
        for workload in self._cluster.catalog.workloads:
            born = day_minute(self._cluster.anchor, workload.born)
            gone = day_minute(self._cluster.anchor, workload.gone)
            if workload.kind in kinds and born <= self._at < gone:
                workloads.setdefault((workload.namespace, workload.name), workload)
        return workloads.values()

    def _metadata(
        self,
        kind: str,
        name: str,
        namespace: str = "",
        *,
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
        created: int | None = None,
        owner: tuple[str, str, str] | None = None,
    ) -> _Object:
        """Return metadata; ``owner`` is the API, kind and name of the controller."""
        born = self._cluster.first_minute if created is None else created
        metadata: _Object = {"name": name}
        if namespace:
            metadata["namespace"] = namespace
        # A pod of a StatefulSet comes back under its old name as another object.
        life = born if kind == "Pod" else 0
        metadata |= {
            "uid": _uid(self._cluster.seed, kind, namespace, name, life),
            "resourceVersion": str(born % 10_000_000),
            "creationTimestamp": rfc3339(instant(born)),
        }
        if labels:
            metadata["labels"] = labels
        if annotations:
            metadata["annotations"] = annotations
        if owner:
            api, owner_kind, owner_name = owner
            uid = _uid(self._cluster.seed, owner_kind, namespace, owner_name, 0)
            reference = {"apiVersion": api, "kind": owner_kind, "name": owner_name, "uid": uid}
            metadata["ownerReferences"] = [reference | {"controller": True}]
        return metadata

    def _workload_metadata(self, kind: str, workload: Workload) -> _Object:
        labels = {"app": workload.name, **workload.labels}
        return self._metadata(kind, workload.name, workload.namespace, labels=labels)

    def _node(self, node: Node) -> _Object:
        pool = node.pool
        capacity = {
            "cpu": f"{pool.cores:g}",
            "memory": f"{pool.memory_gib * 2**20:.0f}Ki",
            "pods": "58",
        }
        spec: _Object = {"providerID": f"aws:///{node.zone}/{node.provider_id}"}
        if pool.is_spot or pool.gpus:
            taint = "spot" if pool.is_spot else "gpu"
            spec["taints"] = [{"key": f"example.com/{taint}", "effect": "NoSchedule"}]
        if pool.gpus:
            capacity["nvidia.com/gpu"] = str(pool.gpus)
        return {
            "metadata": self._metadata(
                "Node", node.name, labels=node_labels(node), created=node.start
            ),
            "spec": spec,
            "status": _node_status(node, capacity),
        }

    def _pod(self, pod: Pod) -> _Object:
        workload, is_over = pod.slot.workload, pod.end <= self._at
        owner = (*_OWNERS[workload.kind], pod.owner) if pod.owner else None
        return {
            "metadata": self._metadata(
                "Pod",
                pod.name,
                workload.namespace,
                labels=pod_labels(pod),
                created=pod.start,
                owner=owner,
            ),
            "spec": self._pod_spec(workload, pod),
            "status": {
                "phase": "Succeeded" if is_over else "Running",
                "conditions": [{"type": "Ready", "status": "False" if is_over else "True"}],
                "startTime": rfc3339(instant(pod.start)),
                "containerStatuses": [
                    self._container_status(pod, i) for i in range(len(workload.containers))
                ],
                "qosClass": _quality(workload.containers),
            },
        }

    def _pod_spec(self, workload: Workload, pod: Pod | None = None) -> _Object:
        spec: _Object = {
            "containers": [_container(workload, entry) for entry in workload.containers],
            "restartPolicy": "Never" if workload.kind == "cronjob" else "Always",
            "terminationGracePeriodSeconds": 30,
            "schedulerName": "default-scheduler",
            "nodeSelector": {"eks.amazonaws.com/nodegroup": workload.pool},
        }
        if workload.kind == "daemonset":
            del spec["nodeSelector"]
        if pod is not None:
            spec["nodeName"] = pod.node.name
        claim = _claim_name(workload, pod)
        if claim:
            spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
        return spec

    def _container_status(self, pod: Pod, index: int) -> _Object:
        container = pod.slot.workload.containers[index]
        started = {"startedAt": rfc3339(instant(pod.start))}
        state: _Object = {"running": started}
        if pod.end <= self._at:
            ended = {"finishedAt": rfc3339(instant(pod.end)), "exitCode": 0, "reason": "Completed"}
            state = {"terminated": started | ended}
        restarts, killed = self._restarts(pod, index)
        last = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}} if killed else {}
        return {
            "name": container.name,
            "state": state,
            "lastState": last,
            "ready": pod.end > self._at,
            "restartCount": restarts,
            "image": f"registry.example.com/{container.name}:1.0",
        }

    def _restarts(self, pod: Pod, index: int) -> tuple[int, bool]:
        """Return the restarts of a container since its pod began, and whether memory killed it."""
        workload = pod.slot.workload
        if not workload.oom_hours and not workload.restart_hours:
            return 0, False
        series = pod.slot.first_series + index
        quarters = range(pod.start // WINDOW_MINUTES + 1, self._at // WINDOW_MINUTES)
        counts = [self._cluster.profile.restarts_and_kills(quarter) for quarter in quarters]
        restart_count = sum(int(restarts[series]) for restarts, _ in counts)
        return restart_count, any(kills[series] for _, kills in counts)

    def _service(self, namespace: str, name: str, workload: str) -> _Object:
        return {
            "metadata": self._metadata("Service", name, namespace),
            "spec": {
                "ports": [{"protocol": "TCP", "port": 80, "targetPort": 8080}],
                "selector": {"app": workload},
                "type": "ClusterIP",
                "sessionAffinity": "None",
            },
            "status": {"loadBalancer": {}},
        }

    def _balancer(self, balancer: LoadBalancer) -> _Object:
        # A service without pods selects a workload that no longer exists.
        workload = balancer.workload or "legacy-api"
        service = self._service(balancer.namespace, balancer.service, workload)
        is_ip = balancer.address.replace(".", "").isdigit()
        ingress = [{"ip" if is_ip else "hostname": balancer.address}]
        spec = service["spec"]
        assert isinstance(spec, dict)  # noqa: S101
        status = {"loadBalancer": {"ingress": ingress}}
        return service | {"spec": spec | {"type": "LoadBalancer"}, "status": status}

    def _volume(self, claim: Claim) -> _Object:
        spec: _Object = {
            "capacity": {"storage": _bytes(claim.size_bytes)},
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": claim.provider_id},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": claim.storage_class,
            "volumeMode": "Filesystem",
        }
        if claim.name:
            reference = {"kind": "PersistentVolumeClaim", "apiVersion": "v1"}
            spec["claimRef"] = reference | {"namespace": claim.namespace, "name": claim.name}
        created = max(claim.born, self._cluster.first_minute)
        return {
            "metadata": self._metadata("PersistentVolume", claim.volume, created=created),
            "spec": spec,
            "status": {
                "phase": claim.phase,
                "lastPhaseTransitionTime": rfc3339(instant(created)),
            },
        }

    def _claim(self, claim: Claim) -> _Object:
        size = {"storage": _bytes(claim.size_bytes)}
        created = max(claim.born, self._cluster.first_minute)
        return {
            "metadata": self._metadata(
                "PersistentVolumeClaim", claim.name, claim.namespace, created=created
            ),
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": size},
                "volumeName": claim.volume,
                "storageClassName": claim.storage_class,
                "volumeMode": "Filesystem",
            },
            "status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": size},
        }

    def _template(self, workload: Workload) -> _Object:
        labels = {"app": workload.name, **workload.labels}
        return {"metadata": {"labels": labels}, "spec": self._pod_spec(workload)}

    def _claim_templates(self, workload: Workload) -> list[_Object]:
        if workload.volume is None:
            return []
        size = {"storage": _bytes(workload.volume.size_gib * 2**30)}
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": size},
            "storageClassName": workload.volume.storage_class,
        }
        return [{"metadata": {"name": "data"}, "spec": spec}]

    def _with_predecessor(self, slot: Slot) -> Iterable[Pod]:
        """Yield the Deployment's pod that runs in a slot, and the one it replaced."""
        running = [pod for pod in self._running(slot.workload) if pod.slot is slot]
        for pod in running if slot.workload.kind == "deployment" else []:
            yield pod
            yield from pods_of(slot, pod.start - 1, pod.start)

    def _replica_set(self, pod: Pod) -> _Object:
        workload = pod.slot.workload
        running = self._running(workload)
        count = sum(other.owner == pod.owner for other in running)
        labels = pod_labels(pod)
        return {
            "metadata": self._metadata(
                "ReplicaSet",
                pod.owner,
                workload.namespace,
                created=pod.start,
                labels=labels,
                owner=("apps/v1", "Deployment", workload.name),
            ),
            "spec": {
                "replicas": count,
                "selector": {"matchLabels": {"app": workload.name}},
                "template": self._template(workload),
            },
            "status": {"replicas": count, "readyReplicas": count},
        }

    def _job(self, pod: Pod) -> _Object:
        workload = pod.slot.workload
        status: _Object = {"startTime": rfc3339(instant(pod.start)), "active": 1}
        if pod.end <= self._at:
            ended = {"completionTime": rfc3339(instant(pod.end)), "succeeded": 1}
            status = {"startTime": rfc3339(instant(pod.start))} | ended
        return {
            "metadata": self._metadata(
                "Job",
                pod.owner,
                workload.namespace,
                created=pod.start,
                labels=pod_labels(pod),
                owner=("batch/v1", "CronJob", workload.name),
            ),
            "spec": {
                "parallelism": 1,
                "completions": 1,
                "backoffLimit": 6,
                "template": self._template(workload),
            },
            "status": status,
        }

    def _cron(self, workload: Workload) -> str:
        """Return the schedule in cron's words."""
        slot = next(slot for slot in self._cluster.slots if slot.workload is workload)
        period, (hour, minutes) = workload.every_minutes, divmod(slot.job_offset, 60)
        if period < 60:
            return f"*/{period} * * * *"
        if period < 1440:
            return f"{minutes} {hour}-23/{period // 60} * * *"
        return f"{minutes} {hour} * * *"

    def _autoscaler(self, autoscaler: Autoscaler) -> _Object:
        name = (autoscaler.namespace, autoscaler.workload)
        replicas = len(self._running_by_name.get(name, []))
        target = {"type": "Utilization", "averageUtilization": autoscaler.target_percent}
        return {
            "metadata": self._metadata(
                "HorizontalPodAutoscaler", autoscaler.workload, autoscaler.namespace
            ),
            "spec": {
                "scaleTargetRef": {
                    "kind": "Deployment",
                    "name": autoscaler.workload,
                    "apiVersion": "apps/v1",
                },
                "minReplicas": autoscaler.smallest,
                "maxReplicas": autoscaler.largest,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            },
            "status": {"currentReplicas": replicas, "desiredReplicas": replicas},
        }


def _node_status(node: Node, capacity: dict[str, str]) -> _Object:
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    return {
        "capacity": capacity,
        # What the kubelet keeps for itself.
        "allocatable": capacity | {"cpu": f"{node.pool.cores * 980:.0f}m"},
        "conditions": [ready | {"lastTransitionTime": rfc3339(instant(node.start))}],
        "addresses": [{"type": "Hostname", "address": node.name}],
        "nodeInfo": {"kubeletVersion": "v1.35.4", "architecture": "amd64"},
    }


def _uid(*parts: int | str) -> str:
    digits = noise.hexadecimal(32, *parts)
    sizes, start, groups = (8, 4, 4, 4, 12), 0, []
    for size in sizes:
        groups.append(digits[start : start + size])
        start += size
    return "-".join(groups)


def _container(workload: Workload, container: Container) -> _Object:
    requests = _resources(container.cpu_request, container.memory_request)
    limits = _resources(container.cpu_limit, container.memory_limit)
    if container.gpus:
        limits["nvidia.com/gpu"] = requests["nvidia.com/gpu"] = str(container.gpus)
    resources = {"requests": requests, "limits": limits}
    spec: _Object = {
        "name": container.name,
        "image": f"registry.example.com/{container.name}:1.0",
        "resources": {key: value for key, value in resources.items() if value},
        "imagePullPolicy": "IfNotPresent",
    }
    if workload.volume is not None:
        spec["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return spec


def _resources(cores: float | None, mebibytes: float | None) -> dict[str, str]:
    quantities = {}
    if cores is not None:
        quantities["cpu"] = f"{cores:g}" if float(cores).is_integer() else f"{cores * 1000:.0f}m"
    if mebibytes is not None:
        quantities["memory"] = _bytes(mebibytes * 2**20)
    return quantities


def _bytes(size: float) -> str:
    """Return a quantity in the largest unit that leaves a whole number."""
    for unit, factor in _QUANTITIES:
        if size % factor == 0:
            return f"{size / factor:.0f}{unit}"
    return f"{size:.0f}"


def _claim_name(workload: Workload, pod: Pod | None) -> str:
    """Return the claim that a pod, or a Deployment's pod template, mounts."""
    if workload.volume is None:
        return ""
    if workload.kind == "statefulset":
        return f"data-{pod.name}" if pod else ""
    return f"data-{workload.name}"


def _quality(containers: Sequence[Container]) -> str:
    requests = [value for c in containers for value in (c.cpu_request, c.memory_request) if value]
    return "Burstable" if requests else "BestEffort"
