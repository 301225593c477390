"""The judge of primary-backup: views follow each other, and nobody answers alone."""

from typing import Final

from pnyx.lab.invariants.invariant import Invariant, Mark, Marks
from pnyx.lab.lessons.backup import VIEW_SERVICE, Server
from pnyx.lab.lessons.host import Host
from pnyx.lab.lessons.judge import Judge
from pnyx.lab.lessons.node import Parcel
from pnyx.lab.lessons.service import Reply
from pnyx.lab.lessons.views import NO_VIEW, NOBODY, Ping, View, ViewService

ACKNOWLEDGED_FIRST: Final = Invariant(
    "view_acknowledged_first",
    "MIT 6.824 2015, lab 2A",
    "If a view ends that its primary never heard of, servers of two views know nothing of each "
    "other.",
    Mark("primary_unaware", "A view waited for a primary that had not said it acts in it."),
)
HAD_THE_STATE: Final = Invariant(
    "primary_had_the_state",
    "MIT 6.824 2015, lab 2A",
    "A server without the state that becomes primary has lost everything.",
    Mark("backup_took_over", "A backup became primary."),
)
BACKUP_FIRST: Final = Invariant(
    "backup_first",
    "MIT 6.824 2015, lab 2B",
    "What was answered and is on the primary alone is gone when that one dies.",
    Mark("answered_with_backup", "A primary answered what its backup had done."),
)
LINEARIZABLE: Final = Invariant(
    "one_order_explains_all_answers",
    "Herlihy & Wing 1990",
    "Two servers that both answer tell clients different pasts.",
    Mark("history_judged", "What clients were told was judged as a whole."),
)
BACKUP: Final = (ACKNOWLEDGED_FIRST, HAD_THE_STATE, BACKUP_FIRST, LINEARIZABLE)


class BackupJudge(Judge):
    """Watches one run; `LINEARIZABLE` is judged by the script that keeps the history."""

    def __init__(self) -> None:
        self.marks = Marks()
        self._view = NO_VIEW
        self._acknowledged: set[tuple[int, int]] = set()
        """Which server has said in which view that it has its state."""

    def started(self, host: Host) -> None:
        """A view service that starts anew has forgotten which views there were."""
        if host.number == VIEW_SERVICE:
            self._view = NO_VIEW
            self._acknowledged.clear()

    def sending(self, host: Host, parcel: Parcel) -> None:
        """Look at pings and at answers to clients."""
        match parcel.message:
            case Ping(number=number) if number:
                self._acknowledged.add((host.number, number))
            case Reply() if isinstance(host.node, Server):
                self._check_reply(host, host.node, parcel)
            case _:
                pass

    def touched(self, host: Host) -> None:
        """Look at the view, which follows from the one before."""
        if isinstance(host.node, ViewService) and host.node.view != self._view:
            self._check_view(self._view, host.node.view)
            self._view = host.node.view
        elif isinstance(host.node, ViewService) and not host.node.is_acknowledged:
            self.marks.hit(ACKNOWLEDGED_FIRST.sometimes)

    def _check_view(self, before: View, view: View) -> None:
        if before.number == 0 or before.primary not in self.world.hosts:
            return
        if (before.primary, before.number) not in self._acknowledged:
            raise ACKNOWLEDGED_FIRST.broken(
                f"view {view.number} follows view {before.number}, whose primary "
                f"n{before.primary} has never said that it acts in it"
            )
        if view.primary != before.primary:
            self.marks.hit(HAD_THE_STATE.sometimes)
            had = view.primary == before.backup
            if not had or (view.primary, before.number) not in self._acknowledged:
                raise HAD_THE_STATE.broken(
                    f"n{view.primary} becomes primary of view {view.number}; it never said that "
                    f"it has the state of view {before.number}"
                )

    def _check_reply(self, host: Host, server: Server, parcel: Parcel) -> None:
        backup = server.view.backup
        other = self.world.hosts[backup].node if backup in self.world.hosts else None
        if backup == NOBODY or not isinstance(other, Server) or other.joined != server.joined:
            return
        number = other.sessions.get(parcel.to, (0, b""))[0]
        if number < parcel.message.number:
            raise BACKUP_FIRST.broken(
                f"n{host.number} answers request {parcel.message.number} of client {parcel.to}; "
                f"its backup n{backup} has done {number} only"
            )
        self.marks.hit(BACKUP_FIRST.sometimes)
