"""Runs text scripts: commands, a line of dashes, what they answer.

    # Why this block is here.
    command
    another command
    ----
    what they printed

Blocks are separated by blank lines. A line that ends in a blank line's place is written as "." so
that output may contain one. With ``rewrite`` the script's outputs are replaced by what happens.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

DASHES = "----"


@dataclass
class Block:
    """One step of a script."""

    comments: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)


def parse(text: str) -> list[Block]:
    blocks: list[Block] = []
    for paragraph in text.strip().split("\n\n"):
        block = Block()
        lines = paragraph.splitlines()
        dashes = lines.index(DASHES) if DASHES in lines else len(lines)
        for line in lines[:dashes]:
            (block.comments if line.startswith("#") else block.commands).append(line)
        block.expected = lines[dashes + 1 :]
        blocks.append(block)
    return blocks


def render(blocks: list[Block]) -> str:
    paragraphs = []
    for block in blocks:
        lines = [*block.comments, *block.commands]
        if block.commands:
            lines += [DASHES, *block.expected]
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs) + "\n"


def run(path: Path, execute: Callable[[str], list[str]], *, rewrite: bool) -> None:
    """Run the script at `path`; each command is handed to `execute`, which returns its lines."""
    blocks = parse(path.read_text())
    for block in blocks:
        happened = [line or "." for command in block.commands for line in execute(command)]
        if rewrite:
            block.expected = happened
        else:
            where = f"{path.name}: {' / '.join(block.commands)}"
            assert happened == block.expected, where
    if rewrite:
        path.write_text(render(blocks))
