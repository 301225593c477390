"""Family W: views, backups and answers, in the lesson of primary-backup."""

# A mutant reaches where no caller may.
# ruff: noqa: SLF001

from functools import partial
from typing import Final

from pnyx.lab.lessons.backup import Server
from pnyx.lab.lessons.service import Reply, Request
from pnyx.lab.lessons.views import View, ViewService
from pnyx.lab.zoo.mutant import Mutant, Patch, Patches, mutant

_mutant = partial(mutant, scenario="PRIMARY-BACKUP")


@_mutant(
    "W1-view-ends-unacknowledged",
    story="The view service goes on to the next view before the primary has said that it acts in "
    "the present one.",
    seen="6.824's lab 2A, the rule that everybody asks about",
    caught_by=("view_acknowledged_first", "primary_had_the_state"),
)
def _unacknowledged() -> Patches:
    return [Patch(ViewService, "may_change", lambda _self: True)]


@_mutant(
    "W2-backup-without-a-transfer",
    story="Primary and backup act in a view at once, and nobody gives the backup what was there "
    "before. When it leads, that is lost.",
    seen="6.824's lab 2B, TestBasicFail",
    caught_by=("one_order_explains_all_answers",),
)
def _no_transfer() -> Patches:
    was = Server._on_view

    def on_view(self: Server, view: View, now_ms: int) -> None:
        was(self, view, now_ms)
        if self.me in (self.view.primary, self.view.backup):
            self.has_state, self.joined = True, self.view.number

    return [Patch(Server, "_on_view", on_view)]


@mutant(
    "W3-idle-server-leads",
    story="If primary and backup are gone, the view service makes an idle server primary: it has "
    "nothing, and all is lost.",
    seen="6.824's lab 2A, an uninitialised server",
    caught_by=("primary_had_the_state",),
    scenario="B-1",
)
def _idle_leads() -> Patches:
    was = ViewService._change

    def change(self: ViewService, now_ms: int) -> None:
        view = self.view
        was(self, now_ms)
        idle = [server for server in self.heard if server not in (view.primary, view.backup)]
        if self.view == view and not self.is_alive(view.primary) and idle:
            self._enter(type(view)(view.number + 1, idle[0], 0))

    return [Patch(ViewService, "_change", change)]


@_mutant(
    "W4-reads-by-the-primary-alone",
    story="A primary answers reads from its own state. One that was replaced and does not know it "
    "tells the past.",
    seen="6.824's lab 2B, TestPartition1; every lease without a clock",
    caught_by=("one_order_explains_all_answers", "backup_first"),
)
def _reads_alone() -> Patches:
    def on_request(self: Server, place: int, request: Request) -> None:
        if self.leads and self.has_state and request.kind == "get":
            self._answer(place, Reply(request.number, self.values.get(request.key, b"")))
        else:
            was(self, place, request)

    was = Server._on_request
    return [Patch(Server, "_on_request", on_request)]


@_mutant(
    "W5-answered-before-the-backup",
    story="A primary answers, and then tells its backup. If it dies between, what it acknowledged "
    "is gone.",
    seen="asynchronous replication",
    caught_by=("backup_first", "one_order_explains_all_answers"),
)
def _answered_first() -> Patches:
    was = Server._on_request

    def on_request(self: Server, place: int, request: Request) -> None:
        if self.leads and self.has_state:
            self._answer(place, Reply(request.number, self.perform(request)))
        was(self, place, request)

    return [Patch(Server, "_on_request", on_request)]


@mutant(
    "W6-old-primary-obeyed",
    story="A backup that has become primary still does what the old primary forwards, and so "
    "proves to it that it is primary.",
    seen="6.824's lab 2B, TestPartition1",
    caught_by=("scenario",),
    scenario="B-7",
)
def _old_primary_obeyed() -> Patches:
    return [Patch(Server, "obeys", lambda self, _sender, _view: self.has_state)]


@_mutant(
    "W7-retry-done-twice",
    story="Servers do not remember what they have done: what is sent again is done again.",
    seen="6.824's lab 2B, TestAtMostOnce",
    caught_by=("one_order_explains_all_answers", "backup_first"),
)
def _retry_done_twice() -> Patches:
    was = Server.perform

    def perform(self: Server, request: Request) -> bytes:
        self.sessions.pop(request.client, None)
        return was(self, request)

    return [Patch(Server, "perform", perform)]


@_mutant(
    "W8-restart-not-noticed",
    story="The view service sees a primary that restarted ping, and takes it for the one that it "
    "knew: it has lost everything.",
    seen="6.824's lab 2A, Ping(0)",
    caught_by=("scenario", "one_order_explains_all_answers"),
)
def _restart_not_noticed() -> Patches:
    return [Patch(ViewService, "_had_state", lambda _self, _server, _before: False)]


MUTANTS: Final[tuple[Mutant, ...]] = (
    _unacknowledged,
    _no_transfer,
    _idle_leads,
    _reads_alone,
    _answered_first,
    _old_primary_obeyed,
    _retry_done_twice,
    _restart_not_noticed,
)
