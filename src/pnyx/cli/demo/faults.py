"""What a key or a second terminal may do to the demo's nodes, each answered with a sentence."""

from pnyx.cli.demo.control import Asked, DemoRefused
from pnyx.harness.cluster import Cluster


def carry_out(cluster: Cluster, asked: Asked) -> str:
    """Do what was asked and say what was done.

    Raises:
        DemoRefused: no such node or verb, or the node is not in a state for it.
    """
    label = asked.node
    if label is not None and label not in cluster.nodes:
        raise DemoRefused(f"there is no node {label}; there are {' '.join(cluster.nodes)}")
    match asked.verb:
        case "kill":
            return _kill(cluster, label)
        case "restart":
            return _restart(cluster, label)
        case "pause":
            return _pause(cluster, label)
        case "partition":
            return _partition(cluster, label)
        case "heal":
            cluster.heal()
            return "all links are back and no node is paused"
        case "status":
            return status(cluster)
        case _:
            raise DemoRefused(f"the demo cannot {asked.verb}")


def status(cluster: Cluster) -> str:
    """Return one line for the cluster and one a node."""
    seen = cluster.health()
    lines = [seen.sentence()]
    for label, node in cluster.nodes.items():
        if node.paused:
            state = "paused"
        elif node.is_running():
            state = "leader" if label == seen.leader else "up"
        else:
            state = f"down, status {node.status}"
        if label in cluster.cut_off:
            state += ", cut off"
        where = f"gateway {node.ports.gateway}  cluster {node.ports.cluster}"
        lines.append(f"  {label}  {state:<16} pid {node.pid or '-':<8} {where}")
    return "\n".join(lines)


def _kill(cluster: Cluster, label: str | None) -> str:
    label, what = _victim(cluster, label)
    if not cluster.nodes[label].is_running():
        raise DemoRefused(f"{label} does not run")
    cluster.kill(label)
    return f"killed {label}{what} with SIGKILL; [r] or `pnyx demo restart` starts it again"


def _pause(cluster: Cluster, label: str | None) -> str:
    label, what = _victim(cluster, label)
    if not cluster.nodes[label].is_running():
        raise DemoRefused(f"{label} does not run")
    cluster.pause(label)
    return f"paused {label}{what} with SIGSTOP; [h] or `pnyx demo heal` lets it go on"


def _partition(cluster: Cluster, label: str | None) -> str:
    label, what = _victim(cluster, label)
    cluster.partition(label)
    return f"cut {label}{what} off from the others; [h] or `pnyx demo heal` joins them again"


def _restart(cluster: Cluster, label: str | None) -> str:
    down = [name for name, node in cluster.nodes.items() if node.paused or not node.is_running()]
    chosen = down if label is None else [label]
    if not chosen:
        return "every node is running"
    if label is not None and label not in down:
        cluster.nodes[label].terminate()
        cluster.nodes[label].wait()
    for name in chosen:
        cluster.restart(name)
    return f"started {' '.join(chosen)}"


def _victim(cluster: Cluster, label: str | None) -> tuple[str, str]:
    leader = cluster.leader()
    if label is None and leader is None:
        raise DemoRefused("there is no leader to choose; name a node")
    chosen = label or leader
    assert chosen is not None, "one of the two was given"
    return chosen, " (the leader of g1)" if chosen == leader else ""
