"""Labels of pods and nodes, shared by the dialects."""

from finops_pipeline.simulation.schedule import Node, Pod


def pod_labels(pod: Pod) -> dict[str, str]:
    """Return the labels of a pod as Kubernetes has them."""
    workload = pod.slot.workload
    labels = {"app": workload.name, **workload.labels}
    if pod.template_hash:
        labels["pod-template-hash"] = pod.template_hash
    elif workload.kind == "statefulset":
        labels["statefulset.kubernetes.io/pod-name"] = pod.name
    elif workload.kind == "cronjob":
        labels["job-name"] = pod.owner
    return labels


def node_labels(node: Node, *, is_short: bool = False) -> dict[str, str]:
    """Return the labels of a node; OpenCost passes the short set on to its pods."""
    topology = {
        "node.kubernetes.io/instance-type": node.pool.node_type,
        "topology.kubernetes.io/region": "eu-west-1",
        "topology.kubernetes.io/zone": node.zone,
    }
    if is_short:
        return topology
    return {
        "eks.amazonaws.com/capacityType": "SPOT" if node.pool.is_spot else "ON_DEMAND",
        "eks.amazonaws.com/nodegroup": node.pool.name,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": node.name,
        "kubernetes.io/os": "linux",
        **topology,
    }
