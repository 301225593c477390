"""Does the witness notice what a broken store would do?"""

from pnyx.harness.witness import Append, Observed, Read, judge


def append(token: bytes, began: float, ended: float, outcome: str, length: int = 0) -> Append:
    return Append("k", token, began, ended, outcome, length)


def test_a_correct_history_is_not_accused() -> None:
    observed = Observed(
        [
            append(b"1;", 0, 1, "done", 2),
            append(b"2;", 2, 3, "unknown"),
            append(b"3;", 4, 5, "refused"),
        ],
        [Read("k", 0.5, 0.6, b""), Read("k", 1.5, 1.6, b"1;"), Read("k", 6, 7, b"1;2;")],
    )
    assert judge(observed, {"k": b"1;2;"}) == []


def test_an_acknowledged_write_that_is_gone_is_noticed() -> None:
    observed = Observed([append(b"1;", 0, 1, "done", 2)])
    assert any("lost" in sentence for sentence in judge(observed, {"k": b""}))


def test_a_write_that_happened_twice_is_noticed() -> None:
    observed = Observed([append(b"1;", 0, 1, "unknown")])
    assert any("doubled" in sentence for sentence in judge(observed, {"k": b"1;1;"}))


def test_a_refused_write_that_happened_is_noticed() -> None:
    observed = Observed([append(b"1;", 0, 1, "refused")])
    assert any("refused" in sentence for sentence in judge(observed, {"k": b"1;"}))


def test_a_read_that_misses_an_acknowledged_write_is_noticed() -> None:
    observed = Observed([append(b"1;", 0, 1, "done", 2)], [Read("k", 2, 3, b"")])
    assert any("stale" in sentence for sentence in judge(observed, {"k": b"1;"}))


def test_a_read_older_than_the_read_before_is_noticed() -> None:
    observed = Observed(
        [append(b"1;", 0, 9, "done", 2)], [Read("k", 2, 3, b"1;"), Read("k", 4, 5, b"")]
    )
    assert any("stale" in sentence for sentence in judge(observed, {"k": b"1;"}))


def test_a_value_that_never_was_is_noticed() -> None:
    observed = Observed([append(b"1;", 0, 1, "done", 2)], [Read("k", 2, 3, b"9;")])
    assert any("never was" in sentence for sentence in judge(observed, {"k": b"1;"}))


def test_a_write_ordered_before_one_that_ended_earlier_is_noticed() -> None:
    observed = Observed([append(b"1;", 0, 1, "done", 4), append(b"2;", 2, 3, "done", 2)])
    assert any("before one" in sentence for sentence in judge(observed, {"k": b"2;1;"}))
