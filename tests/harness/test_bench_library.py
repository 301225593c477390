"""Which ratio stands in which line of what the client library does."""

from pnyx.harness.bench.library import FileRates, Rates, client_summary, files_summary


def test_each_ratio_is_of_the_two_figures_that_its_line_names() -> None:
    lines = client_summary(Rates(plain=200, session=100, pipelined=800, redis_py=400))
    assert [line.split("|")[3].strip() for line in lines[2:]] == [
        "", "0.50x of without", "ours without sessions 0.50x", "8.0x of one at a time",
    ]  # fmt: skip


def test_files_are_measured_against_the_disk() -> None:
    lines = files_summary(FileRates(10_000_000, 200e6, 50e6, 100e6, 2**25))
    assert "50 MB/s | 0.25x of the disk |" in lines[3]
    assert "32 MiB" in lines[5]
