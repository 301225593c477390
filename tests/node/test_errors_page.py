"""The page of error codes has every code that a node says, with the promise of its class."""

import inspect
import re
from pathlib import Path

import pytest

import pnyx
from pnyx import errors

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/errors.md").read_text()
NODE, _, REST = PAGE.partition("## A reply")
CLIENT, _, REST = REST.partition("## The tools' own")
TOOLS, _, LIBRARY = REST.partition("## The client library's")


def classes() -> list[type[errors.PnyxError]]:
    found = vars(errors).values()
    return [one for one in found if inspect.isclass(one) and issubclass(one, errors.PnyxError)]


def test_every_class_has_a_row_with_its_own_promise() -> None:
    for one in classes():
        row = next(row for row in NODE.splitlines() if f"`{one.__name__}`" in row)
        assert row.startswith(f"| `{one.code}` |")
        if one is not errors.PnyxError:
            assert inspect.getdoc(one) is not None
            first = (inspect.getdoc(one) or "").split(". ")[0].split(";")[0].rstrip(".")
            assert first in row


def test_no_two_classes_share_a_code() -> None:
    codes = [one.code for one in classes()]
    assert len(set(codes)) == len(codes)


def test_every_code_that_the_gateway_says_has_a_row_with_its_prefix() -> None:
    package = Path(pnyx.__path__[0])
    files = [
        *sorted((package / "gateway").glob("*.py")),
        package / "machine" / "sessions.py",
        package / "machine" / "once.py",
    ]
    texts = "".join(path.read_text() for path in files)
    said = set(re.findall(r'"([A-Z]+) (?:[^"\n]*?)(PX\d{4}) ', texts))
    assert said, "the gateway's error texts were found"
    for prefix, code in said:
        assert f"| `{code}` | `{prefix}` |" in CLIENT
    assert {code for _, code in said} == set(re.findall(r"^\| `(PX\d{4})`", CLIENT, re.MULTILINE))


@pytest.mark.parametrize(
    ("section", "floors"), [(TOOLS, ("admin", "harness", "cli")), (LIBRARY, ("client",))]
)
def test_every_code_of_tools_and_library_has_a_row_with_its_class(
    section: str, floors: tuple[str, ...]
) -> None:
    package = Path(pnyx.__path__[0])
    texts = "".join(
        path.read_text() for floor in floors for path in sorted((package / floor).rglob("*.py"))
    )
    bases = r"(?:PnyxError|Unavailable|Timeout)(?:, (?:ValueError|OSError))?"
    found = re.findall(rf"class (\w+)\({bases}\):.*?code = \"(PX\d{{4}})\"", texts, re.DOTALL)
    assert len({code for _, code in found}) == len(found) > 5
    for name, code in found:
        assert f"| `{code}` | `{name}` |" in section
    assert {code for _, code in found} == set(re.findall(r"^\| `(PX\d{4})`", section, re.MULTILINE))
