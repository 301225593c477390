"""How long a move is waited for, and what is told of SETs that were refused meanwhile."""

from pnyx.harness.bench.moves import Moved, summary, within_s
from pnyx.node.settings import LimitsTable


def test_a_large_shard_is_waited_for_longer_than_its_copy_takes_at_the_usual_rate() -> None:
    copied_s = 500_000_000 / LimitsTable().move_rate_bytes
    assert copied_s < within_s(500_000_000)
    assert within_s(1_000_000) < within_s(500_000_000)


def test_it_is_told_what_refused_sets_were_told() -> None:
    texts = ["UNKNOWN PX0203 not known", "UNKNOWN PX0203 not known", "CLUSTERDOWN PX0107"]
    one = Moved(1_000_000, False, [20, 30], 9e6, 10.0, 20.0, 0.05, 3, texts, 1 << 20)
    said = summary([one])
    assert "| 1 MB | unlimited | 2 | 30 / 30 ms | 9.0 MB/s | 10, 20 ms (2.0x) | 3 |" in said[2]
    assert [line.strip() for line in said[3:]] == [
        "2 SETs were told: UNKNOWN PX0203 not known", "1 SETs were told: CLUSTERDOWN PX0107",
    ]  # fmt: skip
