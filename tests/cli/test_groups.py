"""What `pnyx group` and `pnyx shards` say and do, over real pages and a controller in memory."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from admin.pages import Pages
from pnyx.admin import controller
from pnyx.admin.controller import joining, leaving
from pnyx.admin.movement import MoveProgress, Moves
from pnyx.cli.app import run
from pnyx.cli.demo.growth import Growth
from pnyx.cli.shards import waiting
from pnyx.client.admin import Admin
from pnyx.replica.requests import Reason

THREE = ("n1", "n2", "n3")
Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))


@pytest.fixture
def pages() -> Iterator[Pages]:
    with Pages() as pages:
        controller.change(pages.where, joining({1: THREE}))
        yield pages


@contextmanager
def arriving(pages: Pages, each_s: float = 0.02) -> Iterator[None]:
    """Let moves end one after the other, as groups would."""
    over = threading.Event()

    def arrive() -> None:
        while not over.wait(each_s):
            pages.arrive(1)

    thread = threading.Thread(target=arrive)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def typed(pages: Pages, words: str) -> int:
    return run([*words.split(), "--http", pages.http])


def test_groups_join_in_one_configuration_and_their_shards_are_waited_for(
    pages: Pages, capsys: Said
) -> None:
    with arriving(pages):
        assert typed(pages, "group add g2 g3") == 0
    said = capsys.readouterr().out
    assert "g2 on n2 n3 n1\ng3 on n3 n1 n2\nall shards are where they should be" in said
    maps = controller.maps(pages.where)
    assert maps.configuration.number == 2
    assert [maps.configuration.targets.count(group) for group in (1, 2, 3)] == [4, 4, 4]
    assert maps.to_move() == []


def test_a_group_that_is_added_while_a_node_is_down_has_it_for_a_member(
    pages: Pages, capsys: Said
) -> None:
    """It was founded with two voters, silently and for ever."""
    pages.stop("n3")
    assert typed(pages, "group add g2 --wait 0") == 0
    assert "g2 on n2 n1 n3 (when it answers again: n3)\n" in capsys.readouterr().out
    assert controller.configuration(pages.where).placements[1].nodes == ("n2", "n1", "n3")


def test_the_librarys_and_the_demos_groups_have_a_node_that_is_down_for_a_member_too(
    pages: Pages,
) -> None:
    pages.stop("n3")
    Admin(pages.where).join("g2", wait_s=0)
    nodes = {
        label: SimpleNamespace(
            label=label,
            host=host,
            ports=SimpleNamespace(http=port),
            is_running=lambda label=label: label != "n3",
            paused=False,
        )
        for label, (host, port) in pages.where.pages.items()
    }
    stage = SimpleNamespace(nodes=nodes, password=pages.where.password)
    assert Growth(stage).begin().startswith("g3 joins on ")  # type: ignore[arg-type]
    placed = controller.configuration(pages.where).placements
    assert [sorted(each.nodes) for each in placed[1:]] == [["n1", "n2", "n3"]] * 2


def test_a_group_without_a_name_gets_the_next_number(pages: Pages, capsys: Said) -> None:
    assert typed(pages, "group add --wait 0 --nodes n3,n1") == 0
    assert capsys.readouterr().out == (
        "g2 on n3 n1\n"
        "decided; the shards move by themselves, and `pnyx group add g2` waits for them\n"
    )


def test_a_group_runs_the_engine_that_is_chosen_for_it_and_keeps_it(
    pages: Pages, capsys: Said
) -> None:
    with arriving(pages):
        assert typed(pages, "group add g2 --consensus multipaxos") == 0
        assert typed(pages, "group add g2 --consensus multipaxos") == 0, "asked again"
    capsys.readouterr()
    assert typed(pages, "group list -o jsonl") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["group"], row["consensus"]) for row in rows] == [
        ("g1", "raft"), ("g2", "multipaxos"),
    ]  # fmt: skip
    assert typed(pages, "group show g2") == 0
    assert "consensus  multipaxos\n" in capsys.readouterr().out
    assert typed(pages, "group add g2 --consensus raft") == 1
    assert "there is a group g2 already, and it runs multipaxos" in capsys.readouterr().err
    assert typed(pages, "group add g3 --consensus viewstamped") == 2


def test_asked_again_it_goes_on_waiting(pages: Pages, capsys: Said) -> None:
    assert typed(pages, "group add g2 --wait 0") == 0
    pages.arrive(2)
    with arriving(pages):
        assert typed(pages, "group add g2") == 0
    assert "g2 on n2 n3 n1 already, going on\nall shards are" in capsys.readouterr().out
    assert controller.configuration(pages.where).number == 2
    assert typed(pages, "group add g2 --nodes n1") == 1
    assert "there is a group g2 already, on n2 n3 n1" in capsys.readouterr().err


def test_a_group_that_leaves_is_retired_once_others_have_what_it_had(
    pages: Pages, capsys: Said
) -> None:
    controller.change(pages.where, joining({2: THREE}))
    pages.arrive()
    with arriving(pages):
        assert typed(pages, "group remove g2 --yes") == 0
    said = capsys.readouterr().out
    assert said.startswith("will let g2 leave for ever: 6 shards move\n")
    assert said.endswith("g2 left for ever; the replicas are destroyed\n")
    assert controller.maps(pages.where).directory.retired == (2,)
    assert typed(pages, "group remove g2 --yes") == 0, "asked again it does no harm"
    assert typed(pages, "group add g2") == 1
    assert "group g2 was retired" in capsys.readouterr().err
    assert typed(pages, "group add --wait 0") == 0
    assert "g3 on" in capsys.readouterr().out


def test_a_removal_that_was_interrupted_goes_on(pages: Pages) -> None:
    controller.change(pages.where, joining({2: THREE}))
    pages.arrive()
    assert typed(pages, "group remove g2 --yes --wait 0") == 0
    assert controller.maps(pages.where).directory.retired == ()
    with arriving(pages):
        assert typed(pages, "group remove g2") == 0
    assert controller.maps(pages.where).directory.retired == (2,)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("group remove g1 --yes", "would leave no group to serve the keys"),
        ("group remove g7 --yes", "there is no group g7"),
        ("group add g2 --nodes n1,n9", "no member of the cluster is called n9"),
        ("group add g2 --nodes n1,n1", "names a node twice"),
        ("group add g2 --apart", "would be in groups g1 and g2"),
        ("shards move 12 g1", "there is no shard 12"),
        ("shards move 3 g9", "there is no group g9"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason_and_changes_nothing(
    pages: Pages, words: str, why: str, capsys: Said
) -> None:
    assert typed(pages, words) == 1
    said = capsys.readouterr().err
    assert why in said
    assert "nothing was changed" in said
    assert controller.configuration(pages.where).number == 1


@pytest.mark.parametrize(
    ("words", "what", "listed_by"),
    [
        ("group show g7", "group g7", "pnyx group list"),
        ("group members --group 7", "group g7", "pnyx group list"),
        ("node show n9", "node n9", "pnyx node list"),
        ("shards history 99", "configuration 99", "pnyx shards history"),
    ],
)
def test_what_there_is_not_is_not_shown_as_if_it_were_empty(
    pages: Pages, words: str, what: str, listed_by: str, capsys: Said
) -> None:
    assert typed(pages, words) == 5
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"error: there is no {what}\n  next    `{listed_by}` shows what there is\n"


@pytest.mark.parametrize(
    "words",
    [
        "shards history --last 0",
        "group add 4x",
        "group remove",
        "group show g",
        "shards move 1 0",
        "group add g2 g2",
        "group add g2 2",
        "group remove g1 g1",
    ],
)
def test_what_is_no_group_is_a_usage_error(pages: Pages, words: str) -> None:
    assert typed(pages, words) == 2


def test_a_dry_run_shows_the_moves_and_changes_nothing(pages: Pages, capsys: Said) -> None:
    assert typed(pages, "group add g2 g3 --dry-run") == 0
    assert capsys.readouterr().out == (
        "would join: g2 on n2 n3 n1, g3 on n3 n1 n2; configuration 1 -> 2, 8 of 12 shards move\n"
        "from  to  count  shards\n"
        "g1    g2  4      4-7\n"
        "g1    g3  4      8-11\n"
    )
    controller.change(pages.where, joining({2: THREE}))
    pages.arrive()
    assert typed(pages, "group remove g2 --dry-run -o jsonl") == 0
    said = capsys.readouterr()
    assert said.err == "would leave: g2; configuration 2 -> 3, 6 of 12 shards move\n"
    lines = said.out.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"shard": shard, "from": "g2", "to": "g1"} for shard in range(6, 12)
    ]
    assert typed(pages, "shards move 0 g2 --dry-run -o plain") == 0
    assert capsys.readouterr().out == "g1\tg2\t1\t0\n"
    assert typed(pages, "shards move 0 g1 --dry-run") == 0
    assert capsys.readouterr().out == (
        "would move shard 0; configuration 2 -> 2, 0 of 12 shards move\n"
    )
    assert controller.configuration(pages.where).number == 2


def test_who_waits_for_what_somebody_else_took_back_is_told(pages: Pages, capsys: Said) -> None:
    controller.change(pages.where, joining({2: THREE}))
    pages.arrive()
    controller.change(pages.where, controller.moving(0, 2))
    statuses: list[int] = []
    waits = threading.Thread(target=lambda: statuses.append(typed(pages, "shards move 0 g2")))
    waits.start()
    time.sleep(0.5)
    assert typed(pages, "group remove g2 --yes") == 1
    assert "on its way" in capsys.readouterr().err
    assert typed(pages, "shards move 0 g1 --wait 0") == 0
    waits.join()
    assert statuses == [1]
    assert "shard 0 is to be at g1 since configuration 4" in capsys.readouterr().err


def test_a_move_to_a_dead_group_waits_says_why_and_is_taken_back(
    capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "STALLED_S", 0.3)
    with Pages("n1", "n2", "n3", "n4") as pages:
        controller.change(pages.where, joining({1: THREE, 2: ("n4",)}))
        pages.stop("n4")
        assert typed(pages, "shards move 0 g2 --wait 1") == 1
        said = capsys.readouterr().err
        assert "waiting: g2 has no leader with a quorum (1 shard waits): n4" in said
        assert "`pnyx shards move 0 g1` takes it back" in said
        assert "PX0415" in said
        assert typed(pages, "group list") == 4
        assert "no quorum, without n4" in capsys.readouterr().out


def test_without_a_controller_nothing_changes_and_groups_are_still_shown(
    pages: Pages, capsys: Said
) -> None:
    pages.reason = Reason.NO_QUORUM
    asked = ("shards show", "shards plan", "shards history")
    changes = ("group add g2", "group remove g1 --yes", "shards move 0 g1")
    # `shards watch` said "0 shards are not where they should be yet".
    for words in (*changes, *asked, "shards watch --wait 1"):
        assert typed(pages, words) == 4
        said = capsys.readouterr().err
        assert "PX0414" in said
        assert "shards go on being served" in said
    assert typed(pages, "group list -o plain") == 0
    assert capsys.readouterr().out == "g1\tn1\tok\tn1 n2 n3\t12\t16384\t100.0 %\traft\n"


def test_moves_say_whom_they_could_not_ask(pages: Pages, capsys: Said) -> None:
    # Two of three nodes were silent, and the empty table with status 0 said that nothing moves.
    assert typed(pages, "shards moves") == 0
    assert capsys.readouterr().err == ""
    pages.stop("n3")
    assert typed(pages, "shards moves") == 3
    assert "without n3, no answer" in capsys.readouterr().err
    pages.stop("n2")
    assert typed(pages, "shards moves") == 4
    assert "without n2 n3, no answer" in capsys.readouterr().err


def test_shards_are_shown_in_runs_or_one_by_one(pages: Pages, capsys: Said) -> None:
    controller.change(pages.where, joining({2: THREE}))
    pages.arrive(2)
    assert typed(pages, "shards show") == 0
    assert capsys.readouterr().out == (
        "shards  slots        group  to\n"
        "0-5     0-8191       g1     -\n"
        "6-7     8192-10922   g2     -\n"
        "8-11    10923-16383  g1     g2\n"
    )
    assert typed(pages, "shards plan -o json") == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned == [{"shard": shard, "from": "g1", "to": "g2"} for shard in range(8, 12)]
    assert typed(pages, "shards show --each -o jsonl") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[6] == {"shard": 6, "slots": "8192-9557", "group": "g2", "to": None, "epoch": 2}
    with arriving(pages):
        assert typed(pages, "shards watch") == 0
    assert typed(pages, "group show g2 -o plain") == 0
    assert "g2\tn1\tok\tn1 n2 n3\t6\t8192-16383\t50.0 %\traft\n" in capsys.readouterr().out


def test_that_nothing_is_to_be_moved_is_said_in_words(pages: Pages, capsys: Said) -> None:
    assert typed(pages, "shards plan") == 0
    assert capsys.readouterr().out == "nothing to move: every shard is where it should be\n"
    assert typed(pages, "shards plan -o json") == 0
    assert json.loads(capsys.readouterr().out) == []
    assert typed(pages, "shards plan -o plain") == 0
    assert capsys.readouterr().out == ""


def test_a_group_that_is_named_twice_is_told_which(pages: Pages, capsys: Said) -> None:
    assert typed(pages, "group add g2 g3 2") == 2
    assert capsys.readouterr().err == (
        "error[PX0101] g2 is named twice; nothing was changed\n"
        "  cause   each name is one group, so it is not clear how many are meant\n"
        "  next    name each group once: g2 g3\n"
    )
    assert controller.configuration(pages.where).number == 1


def test_who_leads_a_group_that_there_is_not_is_refused_with_those_there_are(
    pages: Pages, capsys: Said
) -> None:
    # It looked for a leader for ten seconds, and said that there was none with a quorum.
    assert typed(pages, "group transfer-leader n2 --group 9") == 1
    assert capsys.readouterr().err == (
        "error[PX0411] could not lead n2 in group g9; nothing was changed\n"
        "  cause   there is no group g9; there are g1\n"
        "  next    `pnyx group list` shows those there are\n"
    )
    assert pages.wishes == []


def test_a_refusal_says_once_that_nothing_was_changed(pages: Pages, capsys: Said) -> None:
    assert typed(pages, "shards move 12 g1") == 1
    assert capsys.readouterr().err == (
        "error[PX0413] could not move; nothing was changed\n"
        "  cause   there is no shard 12; they are 0 to 11\n"
        "  next    `pnyx group list` and `pnyx shards show` say what there is\n"
    )


def test_on_a_terminal_it_is_said_how_much_of_a_large_shard_is_copied(
    pages: Pages, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "SAID_S", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    controller.change(pages.where, joining({2: THREE}))
    pages.arrive(5)
    under_way = MoveProgress(11, 2, 1, 2, "copying", 10, 42_500_000, 9_000, 0, "")
    others = MoveProgress(0, 2, 2, 1, "copying", 10, 77_000_000, 9_000, 0, "")
    monkeypatch.setattr(waiting, "ask_moves", lambda _: Moves((under_way, others)))
    assert typed(pages, "shards watch --wait 1") == 1
    assert "0/1 shards moved  1 under way, 42.5 MB" in capsys.readouterr().err
    between_looks = iter(
        (
            lambda: controller.change(pages.where, controller.moving(0, 2)),
            lambda: pages.arrive(1),
            lambda: pages.arrive(1),
        )
    )

    def ask(_: object) -> Moves:
        next(between_looks, lambda: None)()
        return Moves((under_way, others))

    monkeypatch.setattr(waiting, "ask_moves", ask)
    assert typed(pages, "shards watch") == 0
    assert "2/2 shards moved" in capsys.readouterr().err


def test_history_says_what_each_change_was(pages: Pages, capsys: Said) -> None:
    controller.change(pages.where, joining({2: THREE, 3: THREE}))
    pages.arrive()
    controller.change(pages.where, controller.moving(0, 2))
    pages.arrive()
    controller.change(pages.where, leaving([3]))
    assert typed(pages, "shards history -o plain") == 0
    assert capsys.readouterr().out == (
        "0\t-\t-\t0\tfounded\n"
        "1\tg1\t12\t0\tjoin g1\n"
        "2\tg1 g2 g3\t4 4 4\t8\tjoin g2 g3\n"
        "3\tg1 g2 g3\t3 5 4\t1\tmove 0 g2\n"
        "4\tg1 g2\t6 6\t4\tleave g3\n"
    )
    assert typed(pages, "shards history --last 1 -o json") == 0
    assert json.loads(capsys.readouterr().out)[0]["change"] == "leave g3"
    assert typed(pages, "shards history 1 -o plain") == 0
    assert capsys.readouterr().out == "0-11\t0-16383\tg1\n"
