"""A file's chunks leave together, so many at once, and none is under way when it is over."""

import threading

import pytest

from pnyx.client.files.upload import UNDER_WAY_MAX, Upload


class Cluster:
    """Takes a chunk when it is told to."""

    def __init__(self, failing: int | None = None) -> None:
        self.written: dict[int, bytes] = {}
        self.threads: set[str] = set()
        self.most = self.now = 0
        self._failing = failing
        self._lock = threading.Lock()
        self.may_answer = threading.Event()

    def write(self, file_id: bytes, number: int, content: bytes) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.threads.add(threading.current_thread().name)
            if self.now == UNDER_WAY_MAX:
                self.may_answer.set()
        try:
            if number == self._failing:
                raise OSError(f"chunk {number} of {file_id!r}")
            assert self.may_answer.wait(30)
            self.written[number] = content
        finally:
            with self._lock:
                self.now -= 1


def upload(cluster: Cluster) -> Upload:
    return Upload(cluster, b"id")  # type: ignore[arg-type]


def put_all(sent: Upload, contents: list[bytes]) -> None:
    for content in contents:
        sent.put(content)


def test_so_many_chunks_are_under_way_and_no_more() -> None:
    cluster = Cluster()
    sent = upload(cluster)
    contents = [b"%d" % number for number in range(40)]

    put_all(sent, contents)
    sent.finish()

    assert cluster.most == UNDER_WAY_MAX
    assert [cluster.written[number] for number in range(40)] == contents


def test_a_lone_chunk_is_written_by_the_callers_own_thread() -> None:
    cluster = Cluster()
    cluster.may_answer.set()
    sent = upload(cluster)

    sent.put(b"all of it")
    sent.finish()

    assert cluster.written == {0: b"all of it"}
    assert cluster.threads == {threading.current_thread().name}


def test_a_chunk_that_fails_is_told_and_nothing_is_under_way_after_it() -> None:
    cluster = Cluster(failing=1)
    cluster.may_answer.set()
    sent = upload(cluster)

    with pytest.raises(OSError, match="chunk 1"):
        put_all(sent, [b"piece"] * 40)
    sent.finish()

    assert cluster.now == 0
    assert 1 not in cluster.written
