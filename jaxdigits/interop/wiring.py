"""The order of a graph: nested graphs inlined, cycles cut, one step's order of the nodes.

Nodes stand in depth-first order from the input: in front of the nodes that they reach, but for
the edges that lead back.  An edge back closes a cycle; it delivers one step later.  As a step
cannot wait for itself, each cycle needs a neuron.  Between the edges of one node, names decide
the order, so a graph means the same however its file lists them.
"""

from collections.abc import Mapping
from typing import NamedTuple

from jaxdigits.interop.graph import Graph, Node
from jaxdigits.interop.neuron import STATEFUL


class Wiring(NamedTuple):
    """A flat graph in order."""

    nodes: Mapping[str, Node]
    groups: tuple[tuple[str, ...], ...]
    """names in order; the nodes of a cycle form one group, other nodes a group each"""
    sources: Mapping[str, tuple[str, ...]]
    """the sources of each node"""
    late: frozenset[tuple[str, str]]
    """edges that deliver one step later"""
    input: str
    output: str


def wire(graph: Graph) -> Wiring:
    """Put a complete graph in order.

    Raises:
      ValueError: without exactly one input and one output, for a node that the input does not
        reach, for a cycle without a neuron, and for two nodes of one name.
    """
    nodes, edges = _inline(graph, "")
    ends = [[k for k, node in nodes.items() if node.kind == end] for end in ("Input", "Output")]
    for kind, names in zip(("Input", "Output"), ends, strict=True):
        if len(names) != 1:
            raise ValueError(f"the graph needs one {kind} node, it has {len(names)}")
    (start,), (end,) = ends
    targets: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in sorted(edges):
        targets[source].append(target)
    order = _depth_first(start, targets)
    if missed := sorted(nodes.keys() - set(order)):
        raise ValueError(f"node {missed[0]}: not reached from the input {start}")
    place = {name: i for i, name in enumerate(order)}
    late = frozenset(e for e in edges if place[e[0]] >= place[e[1]])
    groups = _groups(order, targets)
    for group in groups:
        _require_neuron(group, nodes, targets)
    sources = {name: tuple(a for a, b in edges if b == name) for name in order}
    return Wiring({k: nodes[k] for k in order}, groups, sources, late, start, end)


def _inline(graph: Graph, lead: str) -> tuple[dict[str, Node], list[tuple[str, str]]]:
    """Return the nodes and edges of a flat graph, in which an inner node is "outer.inner"."""
    nodes: dict[str, Node] = {}
    edges = [(lead + a, lead + b) for a, b in graph.edges]
    for key, node in graph.nodes.items():
        name = lead + key
        if not isinstance(node, Graph):
            inner = {name: node}
        else:
            inner, wires = _inline(node, f"{name}.")
            doors = [_door(inner, kind, name) for kind in ("Input", "Output")]
            outside = [(doors[1] if a == name else a, doors[0] if b == name else b)
                       for a, b in edges]  # fmt: skip
            edges = wires + outside
            for door in doors:
                del inner[door]
                edges = _without(door, edges)
        if both := inner.keys() & nodes.keys():
            raise ValueError(f"node {min(both)}: two nodes have this name")
        nodes |= inner
    return nodes, edges


def _door(nodes: Mapping[str, Node], kind: str, name: str) -> str:
    doors = [key for key in nodes if nodes[key].kind == kind]
    if len(doors) != 1:
        raise ValueError(f"node {name}: a graph in a graph needs one {kind} node")
    return doors[0]


def _without(door: str, edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Join each edge into a door to each edge out of it."""
    sources = [a for a, b in edges if b == door]
    targets = [b for a, b in edges if a == door]
    others = [edge for edge in edges if door not in edge]
    return others + [(a, b) for a in sources for b in targets]


def _depth_first(start: str, targets: Mapping[str, list[str]]) -> list[str]:
    """Return the names in depth-first order: the reverse of the order in which they end."""
    ended, visited, stack = [], {start}, [(start, iter(targets[start]))]
    while stack:
        name, rest = stack[-1]
        for target in rest:
            if target not in visited:
                visited.add(target)
                stack.append((target, iter(targets[target])))
                break
        else:
            stack.pop()
            ended.append(name)
    return ended[::-1]


def _groups(order: list[str], targets: Mapping[str, list[str]]) -> tuple[tuple[str, ...], ...]:
    """Return the strongly connected nodes together (by Kosaraju), in order."""
    backwards: dict[str, list[str]] = {name: [] for name in order}
    for name in order:
        for target in targets[name]:
            backwards[target].append(name)
    group: dict[str, int] = {}
    for i, root in enumerate(order):
        stack = [root]
        while stack:
            name = stack.pop()
            if name not in group:
                group[name] = i
                stack += [n for n in backwards[name] if n not in group]
    members: dict[int, list[str]] = {}
    for name in order:
        members.setdefault(group[name], []).append(name)
    return tuple(tuple(names) for names in members.values())


def is_cycle(group: tuple[str, ...], wiring: Wiring) -> bool:
    """Whether a group holds a cycle: several nodes, or one that is its own source."""
    return len(group) > 1 or any(name in wiring.sources[name] for name in group)


def _require_neuron(group, nodes, targets) -> None:
    """Check that the cycles of a group end when its neurons are taken out."""
    others = [name for name in group if nodes[name].kind not in STATEFUL]
    inside = {name: [t for t in targets[name] if t in others] for name in others}
    while free := [name for name, ends in inside.items() if not ends]:
        inside = {
            name: [t for t in ends if t not in free]
            for name, ends in inside.items()
            if name not in free
        }
    if inside:
        cycle = ", ".join(sorted(inside))
        raise ValueError(f"node {min(inside)}: a cycle without a neuron ({cycle})")
