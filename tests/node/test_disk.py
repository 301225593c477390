"""What a node's data directory holds."""

from pathlib import Path

from pnyx.node.disk import open_disk
from pnyx.node.example import settings_file
from pnyx.node.settings import NodeAddress
from pnyx.node.sources import load


def test_a_file_that_goes_while_the_directory_is_measured_has_no_bytes(tmp_path: Path) -> None:
    # RocksDB drops files by itself. /v1/status was a 500 then, and `pnyx health` said PARTIAL.
    path = tmp_path / "n1.toml"
    path.write_text(settings_file("n1", "0" * 32, {"n1": NodeAddress(host="127.0.0.1")}, {}))
    disk = open_disk(load(path, {}, None))
    before = disk.bytes_held()
    assert before > 0
    # Listed, and not there any more.
    (disk.directory.path / "wal" / "gone").symlink_to(tmp_path / "nowhere")
    assert disk.bytes_held() == before
    disk.close()
