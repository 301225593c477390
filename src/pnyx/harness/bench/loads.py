"""Who measures: redis-benchmark for everything that speaks RESP, h2load for etcd's gRPC.

Both keep a fixed number of connections with one request (or one pipeline) in flight each, and are
C programs, so that the generator costs little of the cores it shares with the subjects.
"""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pnyx.errors import PnyxError

KEY_COUNT: Final = 100_000
VALUE_BYTES: Final = 64
RUN_S_MAX: Final = 180.0
_RATE: Final = re.compile(r"throughput summary: ([\d.]+) requests per second")
_PERCENTILE: Final = re.compile(r"^([\d.]+)% <= ([\d.]+) milliseconds \(cumulative", re.MULTILINE)
_SUMMARY: Final = re.compile(r"avg +min +p50 +p95 +p99 +max *\n" + r" +([\d.]+)" * 6)
_FINISHED: Final = re.compile(r"finished in ([\d.]+)(us|ms|s|m|h), ([\d.]+) req/s")
_OUTCOMES: Final = re.compile(r"requests: (\d+) total, .* (\d+) succeeded, (\d+) failed")


class LoadFailed(PnyxError):
    """A load generator did not finish its work; there is no figure."""

    code = "PX0409"


@dataclass(frozen=True, slots=True)
class Workload:
    """One line of the table."""

    command: str
    """SET or GET."""
    connections: int
    pipeline: int = 1

    @property
    def name(self) -> str:
        """The line's name in the table."""
        words = f"{self.command} c={self.connections}"
        return words if self.pipeline == 1 else f"{words} P={self.pipeline}"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run of a generator saw. Latencies in ms, as the client waited."""

    per_s: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    requests: int


def redis_benchmark(
    port: int, workload: Workload, requests: int, *, all_masters: bool = False
) -> Measured:
    """Run redis-benchmark: random ones of 100,000 keys, values of 64 bytes.

    With `all_masters` it asks a cluster port who leads what, and sends each key to its leader.
    """
    words = ["redis-benchmark", "-p", str(port), "-t", workload.command.lower()]
    words += ["-d", str(VALUE_BYTES), "-r", str(KEY_COUNT), "-c", str(workload.connections)]
    words += ["-n", str(requests), "-P", str(workload.pipeline)]
    words += ["--cluster"] if all_masters else []
    return measured_by_redis_benchmark(_run(words), requests)


def measured_by_redis_benchmark(said: str, requests: int) -> Measured:
    """Return what redis-benchmark says at its end.

    Raises:
        LoadFailed: it says no rate or no latencies.
    """
    text = said.replace("\r", "\n")
    rate, summary = _RATE.search(text), _SUMMARY.search(text)
    # The first list of percentiles, which halves what is left: 99.219 is its next to 99, so that
    # comes from the summary, and 99.902 to 99.9. A second list counts by latency steps.
    first = text.partition("Cumulative distribution")[0]
    steps = [(float(share), float(ms)) for share, ms in _PERCENTILE.findall(first)]
    if rate is None or summary is None or not steps:
        raise LoadFailed("redis-benchmark said no rate or no latencies", cause=text[-300:])
    p999_ms = next((ms for share, ms in steps if share >= 99.9), steps[-1][1])
    p50_ms, p99_ms = float(summary[3]), float(summary[5])
    return Measured(float(rate[1]), p50_ms, p99_ms, p999_ms, requests)


def h2load(port: int, path: str, body: bytes, connections: int, requests: int) -> Measured:
    """Run h2load with one prepared gRPC message a request, one in flight a connection."""
    with tempfile.TemporaryDirectory(prefix="pnyx-bench-") as folder:
        payload, log = Path(folder) / "body", Path(folder) / "log"
        payload.write_bytes(b"\0" + len(body).to_bytes(4, "big") + body)
        words = ["h2load", "-t", "1", "-m", "1", "-c", str(connections), "-n", str(requests)]
        words += ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        words += ["-d", str(payload), f"--log-file={log}", f"http://127.0.0.1:{port}{path}"]
        text = _run(words)
        lines = log.read_text(encoding="ascii").splitlines()
    finished, outcomes = _FINISHED.search(text), _OUTCOMES.search(text)
    if finished is None or outcomes is None or int(outcomes.group(2)) != requests:
        raise LoadFailed("h2load did not finish its requests", cause=text[-300:])
    # Start in us since 1970, http status, duration in us.
    durations_ms = sorted(int(line.split("\t")[2]) / 1_000 for line in lines)
    return Measured(
        float(finished.group(3)),
        _quantile(durations_ms, 0.50),
        _quantile(durations_ms, 0.99),
        _quantile(durations_ms, 0.999),
        requests,
    )


def put_request(key: bytes, value: bytes) -> bytes:
    """Return etcd's PutRequest: fields 1 and 2."""
    return _field(1, key) + _field(2, value)


def range_request(key: bytes) -> bytes:
    """Return etcd's RangeRequest of one key; linearizable unless it says otherwise."""
    return _field(1, key)


def _field(number: int, content: bytes) -> bytes:
    assert len(content) < 128, "one byte of length is enough for the bench"
    return bytes((number << 3 | 2, len(content))) + content


def _run(words: list[str]) -> str:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=RUN_S_MAX, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(f"{words[0]} took more than {RUN_S_MAX:g} s") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout)[-300:]
        raise LoadFailed(f"{words[0]} ended with status {done.returncode}", cause=said)
    return done.stdout


def _quantile(ascending: list[float], share: float) -> float:
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))]
