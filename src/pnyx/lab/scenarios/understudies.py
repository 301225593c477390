"""What the B-* scenarios share: clients of a primary and its backup, and the views they see.

Host 1 is the view service, the others are servers. A client keeps the view that it was told until
nobody answers, or who it asks is not primary.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pnyx.lab.history import History
from pnyx.lab.lessons.backup import VIEW_SERVICE, Server, Wrong
from pnyx.lab.lessons.backupjudge import LINEARIZABLE, BackupJudge
from pnyx.lab.lessons.service import Reply, Request
from pnyx.lab.lessons.stage import LessonStage, Mailbox
from pnyx.lab.lessons.views import NOBODY, AskView, View, ViewService
from pnyx.lab.lessons.world import UNRELIABLE
from pnyx.lab.linearizability import judge
from pnyx.lab.refutation import refute
from pnyx.lab.scenario import Scenario, Script, Sleep, Step, Until, scenario
from pnyx.lab.scenarios.views import PRIMARY_BACKUP

TRY_US: Final = 200_000
RETRY_US: Final = 50_000
WAIT_US: Final = 30_000_000
VIEW_US: Final = 5_000_000
"""A view that is wanted is there within this."""


def backup_scenario(
    identifier: str, test: str, *, about: str, servers: int = 2, **more: Any
) -> Callable[[Callable[..., Script]], Scenario]:
    """Make the decorated script a scenario of a view service and so many servers."""
    more.setdefault("lesson", PRIMARY_BACKUP)
    return scenario(
        identifier,
        about=about,
        source=f"MIT 6.824 2015, lab 2B (pbservice), {test}",
        nodes=1 + servers,
        profile=UNRELIABLE,
        **more,
    )


@dataclass(slots=True, eq=False)
class Client:
    """One client, with one request at a time."""

    stage: LessonStage
    history: History | None = None
    view: View | None = None
    """Which it believes in."""
    number: int = 0
    box: Mailbox = field(init=False)

    def __post_init__(self) -> None:
        """Take a place in the network."""
        self.box = self.stage.client()

    def get(self, key: bytes) -> Generator[Step, Any, bytes]:
        """Return the value, empty if there is none."""
        value = yield from self.ask("get", key)
        return value

    def ask(self, kind: str, key: bytes, value: bytes = b"") -> Generator[Step, Any, bytes]:
        """Return the answer, whoever gives it."""
        stage = self.stage
        self.number += 1
        request = Request(self.box.place, self.number, kind, key, value)
        called = self._begin(request)
        deadline_us = stage.now_us + WAIT_US
        while True:
            stage.check(
                stage.now_us < deadline_us,
                f"client {self.box.place} waits {WAIT_US / 1e6:.0f} s for {kind} {key!r}",
            )
            reply = yield from self.attempt(request)
            if reply is not None:
                break
            self.view = None
            yield Sleep(RETRY_US)
        if self.history is not None and called is not None:
            told = reply.decode() if kind == "get" else None
            self.history.returned(called, "ok", told, time_us=stage.now_us)
        return reply

    def attempt(self, request: Request) -> Generator[Step, Any, bytes | None]:
        """Ask the primary once; return its answer, or None."""
        if self.view is None:
            self.view = yield from self._look()
        if self.view is None or self.view.primary == NOBODY:
            return None
        self.box.arrived.clear()
        self.box.ask(self.view.primary, request)
        yield Until(lambda: self._answer(request.number) is not None, TRY_US)
        answer = self._answer(request.number)
        return answer.value if isinstance(answer, Reply) else None

    def send(self, server: int, kind: str, key: bytes) -> int:
        """Send a request to that server, once, and return its number."""
        self.number += 1
        self.box.ask(server, Request(self.box.place, self.number, kind, key))
        return self.number

    def value(self, number: int) -> bytes | None:
        """Return what was answered to that request, or None."""
        answer = self._answer(number)
        return answer.value if isinstance(answer, Reply) else None

    def _begin(self, request: Request) -> int | None:
        if self.history is None:
            return None
        words = (request.value.decode(),) if request.kind != "get" else ()
        key = request.key.decode()
        return self.history.call(
            self.box.place, request.kind, key, words, time_us=self.stage.now_us
        )

    def _look(self) -> Generator[Step, Any, View | None]:
        self.box.arrived.clear()
        self.box.ask(VIEW_SERVICE, AskView())
        yield Until(lambda: bool(self._views()), TRY_US)
        views = self._views()
        return views[-1] if views else None

    def _views(self) -> list[View]:
        return [message for _, message in self.box.arrived if isinstance(message, View)]

    def _answer(self, number: int) -> Reply | Wrong | None:
        for _, message in self.box.arrived:
            if isinstance(message, Reply | Wrong) and message.number == number:
                return message
        return None


def view_of(stage: LessonStage) -> View:
    """Return the view, as the view service has it."""
    service = stage.host(VIEW_SERVICE).node
    assert isinstance(service, ViewService), "host 1 is the view service"
    return service.view


def server_on(stage: LessonStage, number: int) -> Server:
    """Return the server on a host that runs."""
    server = stage.host(number).node
    assert isinstance(server, Server), "all hosts but the first are servers"
    return server


def is_settled(stage: LessonStage) -> bool:
    """Do primary and backup, both there and with their state, act in the view?"""
    service = stage.host(VIEW_SERVICE).node
    if not isinstance(service, ViewService):
        return False
    view = service.view
    if not service.is_acknowledged or view.backup == NOBODY or not service.may_lead(view.backup):
        return False
    servers = [stage.host(number).node for number in (view.primary, view.backup)]
    # The view service may not know yet that one has lost its memory.
    return all(isinstance(each, Server) and each.joined == view.number for each in servers)


def settled(stage: LessonStage) -> Script:
    """Wait until primary and backup are there and act in the view."""
    reached = yield Until(lambda: is_settled(stage), VIEW_US)
    stage.check(reached, f"no backup has the state within {VIEW_US / 1e6:.0f} s: {view_of(stage)}")


def only(*servers: int, of: int) -> Callable[[LessonStage], None]:
    """Return a preparation: of so many servers, only these are there from the beginning."""

    def prepare(stage: LessonStage) -> None:
        stage.absent.update(set(range(2, 2 + of)) - set(servers))

    return prepare


def are_equal(stage: LessonStage) -> Script:
    """Wait until primary and backup hold the same."""
    yield from settled(stage)
    view = view_of(stage)
    primary, backup = server_on(stage, view.primary), server_on(stage, view.backup)
    yield Until(lambda: primary.values == backup.values, VIEW_US)
    stage.check(primary.values == backup.values, "primary and backup hold different values")


def judged(stage: LessonStage, history: History) -> list[str]:
    """Return why no order explains what clients were told, or nothing."""
    if isinstance(stage.judge, BackupJudge):
        stage.judge.marks.hit(LINEARIZABLE.sometimes)
    verdict = judge(history)
    if verdict.word == "linearizable":
        return []
    refutation = refute(history, verdict)
    return [
        refutation.reason.sentence,
        *(f"  {one.described()}: {one.call()} -> {one.reply()}" for one in refutation.operations),
    ]


def check_history(stage: LessonStage, history: History) -> None:
    """Break the run if no order explains what clients were told."""
    why = judged(stage, history)
    if why:
        raise LINEARIZABLE.broken("\n          ".join(why))


def check_tokens(stage: LessonStage, value: bytes, tokens: Sequence[bytes]) -> None:
    """Fail unless each of these is there exactly once."""
    for token in tokens:
        count = value.count(token)
        stage.check(count == 1, f"{token!r} is there {count} times")
