"""Docstrings open with a noun phrase or a verb, not with a question's word.

The number of those that do not only falls: whoever rewrites some lowers ``BOUND``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("genotype", "compiler", "backends", "search", "auxnas")
ASKING = re.compile(r"(What|Who|Whom|Whose|How|Which|Where|Why|When)\b")
BOUND = 24


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of the docstrings in ``source``: of fields and constants too."""
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            match statement:
                case ast.Expr(ast.Constant(str(text))):
                    yield statement.lineno, text.strip()


def asking(source: str) -> list[tuple[int, str]]:
    """The docstrings that open with a question's word."""
    return [(line, text) for line, text in docstrings(source) if ASKING.match(text)]


def test_docstrings_that_open_with_a_question_word_only_become_fewer():
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    files = list({path.resolve(): path for path in reversed(files)}.values())
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for path in files
        for line, text in asking(path.read_text(encoding="utf-8"))
    ]
    assert len(files) > 150
    assert len(found) <= BOUND, f"{len(found)}, expected at most {BOUND}:\n" + "\n".join(found)


def test_what_is_counted():
    module = '"""{}"""\nX = 1\n"""{}"""\nclass A:\n    """{}"""\n    x: int\n    """{}"""\n'
    assert len(asking(module.format("What a", "How b", "Whose c", "Which d"))) == 4
    assert asking(module.format("Whether a", "Whatever b", "Howitzers c", "The whole d")) == []
