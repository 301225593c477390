"""Forming the cluster: carries out what consensus/formation.py decides, until it is complete."""

import asyncio
from collections.abc import Callable

import structlog

from pnyx.consensus.formation import ASK_AGAIN_MS, Formation, FormationMessage, Formed
from pnyx.errors import FormationStopped
from pnyx.ids import NodeId
from pnyx.node.batching import Batcher
from pnyx.transport.codec import FORMATION, Packet, Parcel
from pnyx.transport.lane import Lane
from pnyx.transport.peers import Peers

_log = structlog.get_logger("pnyx.node")


class Forming:
    """One node's part in forming its cluster."""

    def __init__(
        self,
        formation: Formation,
        *,
        batcher: Batcher,
        peers: Peers,
        complete: Callable[[Formed], None],
        stopped: Callable[[BaseException], None],
    ) -> None:
        self._formation = formation
        self._batcher = batcher
        self._peers = peers
        self._complete = complete
        self._stopped = stopped
        self._told = False
        self._recording: Formed | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; ends by itself, or with `stop`."""
        self.carry_out()
        if not self._told:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(ASK_AGAIN_MS / 1_000, self._ask_again)

    def stop(self) -> None:
        """Ask nobody any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _ask_again(self) -> None:
        if not self._told:
            self._formation.ask_again(one.node for one in self._peers.linked)
            self.start()

    @property
    def waits_for(self) -> str:
        """Say what is missing, for whoever asks why this node is not ready."""
        formation = self._formation
        silent = [label for label in formation.labels if label not in formation.heard]
        if silent:
            return f"the cluster is forming: {', '.join(silent)} did not answer yet"
        return "the cluster is forming: not all nodes have recorded its map yet"

    def connected(self, label: str, node: NodeId) -> None:
        """Both lanes to `node` are up."""
        formation = self._formation
        if label not in formation.labels and not formation.complete:
            _log.warning("a node that this node's file does not list", peer=label, node=f"{node:x}")
        formation.connected(label, node)
        self.carry_out()

    def received(self, parcel: Parcel) -> None:
        """Take in what a peer says about formation."""
        for packet in parcel.packets:
            if packet.group == FORMATION:
                message: FormationMessage = packet.message  # type: ignore[assignment]
                sender = self._peers.identity(parcel.sender)
                assert sender is not None, "a parcel comes after a handshake"
                self._formation.step(sender.label, parcel.sender, message)
        self.carry_out()

    def recorded(self, formed: Formed) -> None:
        """The record is durable."""
        self._recording = None
        self._formation.recorded_durably(formed)
        self.carry_out()

    def carry_out(self) -> None:
        """Send, record, and say when the cluster is formed or cannot be."""
        formation = self._formation
        for to, message in formation.send:
            self._peers.send(to, Lane.RAFT, (Packet(FORMATION, message),))
        formation.send.clear()
        if formation.record is not None and formation.record != self._recording:
            self._recording = formation.record
            self._batcher.record(formation.record)
            self._batcher.start()
        if self._told:
            return
        if formation.stopped:
            self._told = True
            self._stopped(
                FormationStopped(
                    "this node cannot join the forming cluster; nothing was acknowledged",
                    cause=formation.stopped,
                    next_step="give every node an empty data directory, or bring the old ones back",
                )
            )
        elif formation.complete and formation.recorded is not None:
            self._told = True
            _log.info("cluster formed", nodes=len(formation.recorded.nodes))
            self._complete(formation.recorded)
