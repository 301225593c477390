"""The demo's control socket: what a second terminal gets to hear."""

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pnyx.cli.demo.control import Asked, ControlSocket, DemoRefused, NoDemo, ask
from pnyx.cli.running import Running


def asked_while_answering(
    directory: Path, carry_out: Callable[[Asked], str], verb: str, node: str | None
) -> str:
    control = ControlSocket(directory)
    running = Running(os.getpid(), str(directory), str(control.path), ())
    answering = threading.Thread(target=control.answer, args=(carry_out,))
    answering.start()
    try:
        return ask(running, verb, node)
    finally:
        answering.join()
        control.close()


def refuse(asked: Asked) -> str:
    raise DemoRefused(f"cannot {asked.verb}")


def test_what_is_asked_arrives_and_the_answer_comes_back(tmp_path: Path) -> None:
    said = asked_while_answering(tmp_path, lambda asked: f"{asked.verb} {asked.node}", "kill", "n2")
    assert said == "kill n2"


def test_a_refusal_comes_back_as_one(tmp_path: Path) -> None:
    with pytest.raises(DemoRefused, match="cannot pause"):
        asked_while_answering(tmp_path, refuse, "pause", None)


def test_a_long_directory_still_gets_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    assert asked_while_answering(deep, lambda asked: asked.verb, "heal", None) == "heal"


def test_a_caller_that_talks_nonsense_is_dropped_and_the_next_one_served(tmp_path: Path) -> None:
    control = ControlSocket(tmp_path)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(control.path))
        caller.sendall(b"no json\n")
        assert control.answer(lambda asked: asked.verb) == ""
    control.close()
    assert asked_while_answering(tmp_path, lambda asked: asked.verb, "heal", None) == "heal"


def test_a_demo_that_went_away_is_said_to_have(tmp_path: Path) -> None:
    gone = Running(os.getpid(), str(tmp_path), str(tmp_path / "demo.sock"), ())
    with pytest.raises(NoDemo):
        ask(gone, "status", None)
