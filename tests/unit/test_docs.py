"""The documentation: generated pages are current, links lead somewhere, commands exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer

from paisctl.cli.app import app
from paisctl.pipeline import lint
from paisctl.views.diagnostics import as_text

REPOSITORY = Path(__file__).parents[2]
STARTER = REPOSITORY / "src/paisctl/starter/README.md"
PAGES = [*REPOSITORY.glob("*.md"), *sorted(REPOSITORY.glob("docs/**/*.md")), STARTER]
GENERATED = ["cli.md", "inventory.md", "stacks.md"]

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^ *(`{3,}).*?^ *\1 *$", re.DOTALL | re.MULTILINE)
_SHELL_OPERATORS = re.compile(r"\s(?:&&|\|\||[|>;])\s")


def _id(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def test_generated_pages_are_current(tmp_path: Path) -> None:
    program = [sys.executable, str(REPOSITORY / "scripts/generate-docs"), str(tmp_path)]
    subprocess.run(program, check=True)
    for name in GENERATED:
        current = (REPOSITORY / "docs/reference" / name).read_text("utf-8")
        assert (tmp_path / name).read_text("utf-8") == current, "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_links_lead_somewhere(page: Path) -> None:
    prose = _FENCED.sub("", page.read_text("utf-8"))
    for link in _LINK.findall(prose):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in _anchors(target), f"{target.name} has no heading for {link}"


def _anchors(page: Path) -> set[str]:
    """The anchors of headings, as GitHub makes them."""
    text = _FENCED.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_commands_exist(page: Path) -> None:
    for line in _commands(page.read_text("utf-8")):
        _parse(shlex.split(line, comments=True)[1:])


def _commands(text: str) -> Iterator[str]:
    """Command lines in code blocks and between backticks."""
    blocks = [match[0] for match in _FENCED.finditer(text)]
    indented = re.findall(r"^ {4,}.*$", _FENCED.sub("", text), re.MULTILINE)
    lines = [line for block in [*blocks, *indented] for line in block.splitlines()]
    lines += re.findall(r"`(paisctl [^`]+)`", _FENCED.sub("", text))
    for line in lines:
        for part in _SHELL_OPERATORS.split(line.strip().removeprefix("$ ")):
            if part.startswith("paisctl "):
                yield re.split(r"\s{2,}", part)[0]


def _parse(words: list[str]) -> None:
    """Parse a command line as paisctl would, without running it."""
    command: Any = typer.main.get_command(app)
    context: Any = None
    name, rest = "paisctl", words
    while True:
        try:
            context = command.make_context(name, rest, parent=context)
        except typer.Exit:  # --help and --version
            return
        rest = [*context._protected_args, *context.args]
        if not hasattr(command, "resolve_command") or not rest:
            return
        name, command, rest = command.resolve_command(context, rest)


@pytest.mark.parametrize(
    "name",
    [
        "access-policy",
        "add-a-device",
        "add-a-person",
        "change-a-version",
        "headscale",
        "join-a-device",
        "overlays",
    ],
)
def test_inventories_of_how_tos_are_right(name: str, tmp_path: Path) -> None:
    page = (REPOSITORY / f"docs/how-to/{name}.md").read_text("utf-8")
    for block in re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        overlay = tmp_path / "overlay.yaml"
        overlay.write_text(block)
        found = lint([REPOSITORY / "inventory/pais.yaml", overlay])
        assert list(found) == [], as_text(found)


def test_a_wrong_command_line_would_be_noticed() -> None:
    with pytest.raises(Exception, match="No such option"):
        _parse(["plan", "--nonsense"])
    with pytest.raises(Exception, match="No such command"):
        _parse(["secrets", "nonsense"])
