"""docs/architecture.md lists every module with the first line of its docstring."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "architecture.md"


def expected() -> str:
    """The list as it has to stand in the document."""
    lines = ["| module | |", "| --- | --- |"]
    for path in sorted((ROOT / "zchat").rglob("*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text()))
        assert docstring, f"{path} has no docstring"
        lines.append(f"| `{path.relative_to(ROOT / 'zchat')}` | {docstring.splitlines()[0]} |")
    return "\n".join(lines)


def test_the_modules_are_listed() -> None:
    listed = DOCUMENT.read_text().split("<!-- modules -->")[1].split("<!-- /modules -->")[0].strip()
    assert listed == expected(), "python -m tests.unit.test_architecture_document writes the list anew"


if __name__ == "__main__":
    before, rest = DOCUMENT.read_text().split("<!-- modules -->")
    after = rest.split("<!-- /modules -->")[1]
    DOCUMENT.write_text(f"{before}<!-- modules -->\n{expected()}\n<!-- /modules -->{after}")
