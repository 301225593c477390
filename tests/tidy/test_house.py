"""What no linter knows about this house, in the spirit of a tidy script."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pnyx import __version__

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "pnyx"
MODULES = sorted(SOURCE.rglob("*.py"))
PYTHON = [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))]
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
README_LINES_MAX = 120
ARCHITECTURE_LINES_MAX = 300
DECISION_LINES_MAX = 60
ENTRY_POINTS = {
    "pnyx.cli.entry", "pnyx.cli.pages", "pnyx.harness.nursery", "pnyx.harness.plugin",
    "pnyx.harness.simulation", "pnyx.harness.bench.onefile", "pnyx.redis",
    "pnyx.redis.asyncio",
}  # fmt: skip
FOR_TESTS = {
    "pnyx.harness.disks", "pnyx.harness.witness",
    "pnyx.storage.memory", "pnyx.storage.simulated",
}  # fmt: skip
"""Imported by tests alone, on purpose: they judge and simulate."""
AVOIDED = {
    "manager", "helper", "helpers", "util", "utils", "misc", "tmp", "cfg", "conf", "idx", "ctx",
    "cnt", "req", "resp_", "msg", "srv", "my",
}  # fmt: skip
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported_names() -> set[str]:
    found: set[str] = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                # cli/app.py names modules that are loaded when their command is typed.
                found.update(re.findall(r"^(pnyx\.[\w.]+):", node.value))
    return found


def identifiers(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.arg(arg=name) | ast.Name(id=name):
                yield name
            case _:
                pass


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in PYTHON}
    assert {path: n for path, n in lengths.items() if n > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{path}:{function.lineno} {function.name}"
        for path in PYTHON
        for function in functions(path)
        if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_every_module_says_in_one_sentence_what_it_answers() -> None:
    for path in (path for path in PYTHON if path.name != "conftest.py"):
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        first = text.splitlines()[0] if text else ""
        assert first.endswith((".", "?", ":")), f"{path}: {first!r}"


def test_no_module_is_forgotten() -> None:
    known = imported_names() | ENTRY_POINTS | FOR_TESTS
    # lab/catalogue.py loads every file of that folder.
    known |= {n for n in map(name_of, MODULES) if n.startswith("pnyx.lab.scenarios.")}
    packages = {name_of(path) for path in MODULES if path.name == "__init__.py"}
    assert [n for n in map(name_of, MODULES) if n not in known and n not in packages] == []


def test_folders_are_floors_or_protocols_and_no_drawers() -> None:
    folders = {part for path in MODULES for part in path.relative_to(SOURCE).parts[:-1]}
    assert not folders & {"utils", "util", "common", "helpers", "core", "misc"}


def test_avoided_words_are_no_identifiers() -> None:
    for path in MODULES:
        for name in identifiers(path):
            words = set(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_"))
            assert not words & AVOIDED, f"{path}: {name}"


def test_a_todo_names_its_issue() -> None:
    for path in PYTHON:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if re.search(r"#.*\bTODO\b", line):
                assert re.search(r"TODO\(#\d+\)", line), f"{path}:{number}"


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "docs/explanation/life-of-a-set.md"])
def test_files_that_the_maps_name_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    named = re.findall(r"`((?:tests/)?[\w/]+/[\w/]*(?:\.py)?|\w+\.py)`", text)
    assert len(named) > 20
    for name in named:
        assert (SOURCE / name).exists() or (ROOT / name).exists(), f"{document} names {name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_documents_that_the_code_names_exist() -> None:
    known = [f"/{path.relative_to(ROOT)}" for path in DOCUMENTS]
    for path in PYTHON:
        for name in re.findall(r"(?<![*.])\b[\w/-]+\.md\b", path.read_text()):
            assert any(document.endswith(f"/{name}") for document in known), f"{path} names {name}"


def test_the_documents_stay_as_short_as_promised() -> None:
    def lines(path: Path) -> int:
        return len(path.read_text().splitlines())

    assert lines(ROOT / "README.md") <= README_LINES_MAX
    assert lines(ROOT / "ARCHITECTURE.md") <= ARCHITECTURE_LINES_MAX
    decisions = (ROOT / "docs" / "decisions").glob("*.md")
    assert all(lines(path) <= DECISION_LINES_MAX for path in decisions)


def test_the_version_is_said_once_in_two_places() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__


def test_the_lock_names_hashes_and_no_host() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "index-url" not in lock
    pinned = re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)
    assert len(pinned) > 40
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["lab"], *extras["dev"]]
    wanted.remove("pnyx[lab]")
    assert {re.split(r"[>=]", one)[0] for one in wanted} <= set(pinned)
