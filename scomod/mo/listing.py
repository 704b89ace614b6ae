# SPDX-License-Identifier: Apache-2.0
"""What a server sees of a sub-tree, node by node (omadm §7.3, "?list=").

One pass in the order of the tree: the ACL in force and the place in the DDF go down
with it, so that a node costs the same in a tree of ten and of a hundred thousand
nodes, and only one node of each level is held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.mo import acl as acls
from scomod.mo import uri
from scomod.mo.acl import Acl
from scomod.mo.ddf import AccessType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scomod.mo.ddf import Ddf
    from scomod.mo.node import Node
    from scomod.mo.nodes import Nodes
    from scomod.mo.store import NodeStore


def walk(
    store: NodeStore, ddf: Ddf, nodes: Nodes, start: Node, may_get: Callable[[Acl, str], bool]
) -> Iterator[Node]:
    """Yield the start node, which the caller has judged, and all below that the server may Get.

    `may_get` judges the ACL in force at a path.  Parents come before children, values are
    those of this moment.  A node is left out
    if the ACL or the DDF excludes Get; what lies below it is judged for itself.
    """
    yield nodes.computed(start)
    place = ddf.place_for(start.path)
    acl = acls.effective(store.acl_chain(start.path))
    open_levels = [(store.below(start.path), acl, place)]
    while open_levels:
        level, acl, place = open_levels[-1]
        node = next(level, None)
        if node is None:
            open_levels.pop()
            continue
        own = Acl.parse(node.acl) if node.acl else acl
        at = place.below(uri.name(node.path)) if place else None
        can_be_read = at is not None and AccessType.GET in at.rule.access
        if can_be_read and may_get(own, node.path):
            yield nodes.computed(node)
        if node.is_interior:
            open_levels.append((store.below(node.path), own, at))
