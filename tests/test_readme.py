"""What the README and the guides say is true: their Python runs, their links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest

from tests.tables import masked

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_python_in_the_readme_runs(number, capsys):
    exec(compile(BLOCKS[number], f"README block {number}", "exec"), {})
    printed = capsys.readouterr().out
    assert bool(printed) == ("print(" in BLOCKS[number])
    assert "nan" not in printed


def test_the_readme_shows_what_its_wrong_gradient_gives(capsys):
    (block,) = (block for block in BLOCKS if "check_gradient" in block)
    (shown,) = re.findall(
        r"```text\n(forward\n.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    exec(compile(block, "README block", "exec"), {})
    assert masked(capsys.readouterr().out) == masked(shown)


def test_there_is_python_in_the_readme():
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    for link in links:
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_the_two_commands_stand_in_the_readme_as_ci_runs_them():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [shlex.split(line, comments=True) for line in text.splitlines() if line.startswith("pip install")]
    assert lines == [
        ["pip", "install", ".", "&&", "whygrad", "train"],
        ["pip", "install", ".[test]", "&&", "pytest", "-n", "auto", "--dist", "worksteal"],
    ]


def test_no_page_mentions_a_file_of_the_package_that_is_not_there():
    for page in PAGES:
        for name in re.findall(
            r"`((?:src|tests|docs|examples|scripts)/[\w./]+)`", page.read_text(encoding="utf-8")
        ):
            if "swish" not in name:  # the operation that CONTRIBUTING invents
                assert (ROOT / name).exists(), f"{page.name}: {name}"
