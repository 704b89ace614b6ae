# SPDX-License-Identifier: Apache-2.0
"""Nodes as they stand now, and the one way to write them (omadm §7.2).

What the tree, the properties and whole sub-trees share: a new node looks as the DDF
says, a value may be computed by a handler, and every change moves time stamp and
version.  No rights and no rules: those are judged before anything comes here.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from scomod.mo import acl as acls
from scomod.mo import uri as uris
from scomod.mo.node import Format, Node, check_value, next_verno

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.clock import Clock
    from scomod.mo.handler import Handlers
    from scomod.mo.judge import Judge
    from scomod.mo.store import NodeStore


class Nodes:
    """Reads and writes single nodes, by canonical path."""

    def __init__(self, store: NodeStore, judge: Judge, handlers: Handlers, clock: Clock) -> None:
        self._store = store
        self._judge = judge
        self._handlers = handlers
        self._clock = clock

    def fresh(self, path: str) -> Node:
        """Return a node as the DDF describes it, without a value; raises `NotAllowed`."""
        rule = self._judge.rule(path)
        return Node(
            path=path,
            format=rule.format,
            type=rule.type,
            acl=acls.ROOT_ACL if path == uris.ROOT else "",
            value=None if rule.format is Format.NODE else b"",
        )

    def make_parents(self, path: str) -> None:
        """Make what is missing above a path."""
        above = uris.parent(path)
        if above and self._store.get(above) is None:
            self.make_parents(above)
            self.write(self.fresh(above))

    def plant(self, path: str, acl: str, leaves: Mapping[str, str]) -> None:
        """Make a node and all below it where nothing is; what lies between comes by itself."""
        self.make_parents(path)
        now_s = int(self._clock.wall_s())
        self._store.insert(dataclasses.replace(self.fresh(path), acl=acl, tstamp_s=now_s))
        made = {path}
        for leaf, value in leaves.items():
            above = uris.parent(f"{path}/{leaf}")
            while above not in made:
                made.add(above)
                self._store.insert(dataclasses.replace(self.fresh(above), tstamp_s=now_s))
                above = uris.parent(above)
            self._store.insert(self._leaf(f"{path}/{leaf}", value.encode(), now_s))

    def _leaf(self, path: str, value: bytes, now_s: int) -> Node:
        """Return a new leaf with a short value; raises `BadFormat`, `NotAllowed`."""
        rule = self._judge.rule(path)
        check_value(rule.format, value)
        return Node(path=path, format=rule.format, type=rule.type, value=value, tstamp_s=now_s)

    def computed(self, node: Node) -> Node:
        """Return the node with the value of this moment."""
        if node.is_interior:
            return node
        value = self._handlers.handler_for(node.path).compute(node.path)
        return node if value is None else dataclasses.replace(node, value=value, blob=None)

    def write(self, node: Node) -> None:
        """Insert, or update what changed: time stamp and version follow, equal costs no write.

        A long binary value goes into a file, as does one whose handler wants that; raises
        `DeviceFull`, `StorageFailed`.
        """
        wants_file = False
        if node.format is Format.BIN:
            wants_file = self._handlers.handler_for(node.path).wants_file(node.path)
        node = self._store.settled(node, wants_file=wants_file)
        now_s = int(self._clock.wall_s())
        old = self._store.get(node.path)
        if old is None:
            self._store.insert(dataclasses.replace(node, tstamp_s=now_s))
        elif node != old:
            is_same = (node.value, node.blob) == (old.value, old.blob)
            verno = old.verno if is_same else next_verno(old.verno)
            self._store.update(dataclasses.replace(node, tstamp_s=now_s, verno=verno))
