"""The reference page says what the code does."""

import re
from pathlib import Path
from typing import get_args

from pnyx.transport import frames, handshake, lane, link, peers
from pnyx.transport.backoff import BACKOFF_MS_MAX, BACKOFF_MS_MIN, QUICK_MS_MAX
from pnyx.transport.codec import FORMATION, Message

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "wire-format.md").read_text()


def test_the_page_lists_every_message_and_no_other() -> None:
    tags = {str(kind.__struct_config__.tag) for kind in get_args(Message)}
    table = PAGE.partition("<!-- messages")[2].partition("## Trust")[0]
    listed = set(re.findall(r"`([a-z_]+)`", table))
    assert listed == tags


def test_the_page_shows_the_frames_picture() -> None:
    assert frames.__doc__ is not None
    picture = [row.strip() for row in frames.__doc__.splitlines() if row.startswith("    ")]
    assert len(picture) == 4
    assert "\n".join(picture) in PAGE


def test_the_page_lists_every_reason_of_a_refusal_that_is_sent() -> None:
    for reason in handshake.Reason:
        assert f"| `{reason.value}` |" in PAGE


def test_the_page_has_the_limits_of_the_code() -> None:
    mib = 1024 * 1024
    for sentence in (
        f"1 to {frames.HANDSHAKE_BYTES_MAX} before the handshake is done, "
        f"1 to {frames.FRAME_BYTES_MAX} after",
        f"more than {link.HANDSHAKE_MS // 1000} s is closed",
        f"beyond {peers.GREETING_COUNT_MAX} that have",
        f"{BACKOFF_MS_MIN} ms, doubling to {BACKOFF_MS_MAX // 1000} s",
        f"at most {QUICK_MS_MAX} ms",
        f"The group is {FORMATION} while",
        f"Above {lane.BUFFERED_BYTES_MAX[lane.Lane.RAFT] // mib} MiB (RAFT) "
        f"or {lane.BUFFERED_BYTES_MAX[lane.Lane.BULK] // mib} MiB (BULK)",
    ):
        assert sentence in PAGE.replace("\n", " "), sentence
    assert (peers.PULSE_MS, peers.SILENT_ROUNDS_MAX) == (1_000, 3), "as the page says"
