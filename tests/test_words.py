"""Words: no two things share a public name, prose names what is there, docstrings ask nothing."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("genotype", "compiler", "backends", "search", "auxnas")


@cache
def sources() -> dict[str, str]:
    """Text of each file of the package, by its path: of a link's target once."""
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in {path.resolve(): path for path in reversed(files)}.values()
    }


@cache
def tree(source: str) -> ast.Module:
    """The parsed module."""
    return ast.parse(source)


def definitions(source: str) -> list[ast.stmt]:
    """The statements of a module."""
    return tree(source).body


def types(source: str) -> Iterator[tuple[str, bool]]:
    """The public classes and aliases of types in a module: name, and whether it is a class."""
    for node in definitions(source):
        match node:
            case ast.ClassDef(name=name):
                yield name, True
            case ast.Assign(targets=[ast.Name(id=name)]) if (
                name[0].isupper() and not name.isupper()
            ):
                yield name, False


def shared_names(modules: Mapping[str, str]) -> dict[str, list[str]]:
    """Names of classes that another module gives to a class or a type of its own."""
    homes: dict[str, list[str]] = defaultdict(list)
    classes = set()
    for place, source in modules.items():
        for name, is_class in types(source):
            if not name.startswith("_"):
                homes[name].append(place)
                classes |= {name} if is_class else set()
    return {name: homes[name] for name in sorted(classes) if len(homes[name]) > 1}


ALIKE = [
    {"compiler/semantics.py", "backends/torch/functions.py"},  # a primitive in numpy and in torch
    {"compiler/published.py", "compiler/decoders/resnet_refinenet.py"},  # of two checkpoints
]
"""Modules that have functions of one name and one meaning."""


def functions(source: str) -> set[str]:
    """The public functions of a module that its Python names; a command's own is for click."""
    return {
        node.name
        for node in definitions(source)
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and not any("command" in ast.unparse(each) for each in node.decorator_list)
    }


def shared_functions(modules: Mapping[str, str]) -> dict[str, list[str]]:
    """Names of functions that modules give which are not ``ALIKE``."""
    homes: dict[str, list[str]] = defaultdict(list)
    for place, source in modules.items():
        for name in functions(source) - {"main"}:
            homes[name].append(place)
    return {
        name: places
        for name, places in sorted(homes.items())
        if len(places) > 1 and not any(alike.issuperset(places) for alike in ALIKE)
    }


def test_no_class_shares_its_name():
    found = sources()
    assert len(found) > 150
    assert shared_names(found) == {}


def test_no_function_shares_its_name():
    assert shared_functions(sources()) == {}


def test_a_name_given_twice_is_found():
    one, other = "class Trial:\n    pass\nArray = list[int]\n", "Array = list[int]\n"
    assert shared_names({"a": one, "b": other}) == {}
    assert shared_names({"a": one, "b": "class Trial:\n    pass\n"}) == {"Trial": ["a", "b"]}
    assert shared_names({"a": one, "b": "Trial = list[int]\n"}) == {"Trial": ["a", "b"]}
    assert shared_names({"a": one, "b": "class _Trial:\n    class Trial:\n        pass\n"}) == {}
    assert shared_functions({"a": "def f(): ...", "b": "def g(): ..."}) == {}
    assert shared_functions({"a": "def f(): ...", "b": "def f(): ..."}) == {"f": ["a", "b"]}
    assert shared_functions({"a": "def f(): ...", "b": "@click.command()\ndef f(): ..."}) == {}
    both = sorted(ALIKE[0])
    assert shared_functions(dict.fromkeys(both, "def add(): ...")) == {}
    assert shared_functions(dict.fromkeys([*both, "c"], "def add(): ...")) == {"add": [*both, "c"]}


def refusing(source: str) -> list[str]:
    """Functions and methods named after a refusal: ours are ``check_`` and the subject."""
    functions = (node for node in ast.walk(tree(source)) if isinstance(node, ast.FunctionDef))
    return [node.name for node in functions if re.match(r"_*(refuse|reject)(_|$)", node.name)]


def test_checks_are_named_check():
    found = {place: refusing(source) for place, source in sources().items()}
    assert {place: names for place, names in found.items() if names} == {}


def test_a_function_named_after_a_refusal_is_found():
    methods = "class A:\n    def refuse_b(self): ...\n    def refused(self): ...\n"
    assert refusing(f"def _refuse(): ...\n{methods}") == ["_refuse", "refuse_b"]


# Dotted names --------------------------------------------------------------------------------

GROUPS = ("vocabularies", "encoders", "tasks", "targets", "searchers", "executors", "datasets")
"""Of entry points: ``auxnas.encoders``."""
_OURS = "auxnas|genotype|compiler|backends|search"
DOTTED = re.compile(rf"`((?:{_OURS})(?:\.\w+)+)(?<!\.json)(?:\(\))?`")
Names = dict[str, set[str]]


def names_of(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """Each name that statements bind, imported ones too, and the statement."""
    for node in body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name, node
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from ((each.asname or each.name, node) for each in aliases)
            case ast.Assign(targets=targets):
                yield from ((word, node) for each in targets for word in _words(each))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name, node
            case ast.If(body=inner) | ast.Try(body=inner):
                yield from names_of(inner)


def _words(target: ast.expr) -> Iterator[str]:
    return (each.id for each in ast.walk(target) if isinstance(each, ast.Name))


def index(modules: Mapping[str, str]) -> Names:
    """The names in each module, package and class, by dotted name without ``auxnas``."""
    found: Names = defaultdict(set)
    for place, source in modules.items():
        parts = place.removesuffix(".py").removesuffix("/__init__").split("/")
        for depth in range(1, len(parts)):
            found[".".join(parts[:depth])].add(parts[depth])
        for name, node in names_of(definitions(source)):
            found[".".join(parts)].add(name)
            if isinstance(node, ast.ClassDef):
                found[".".join((*parts, name))] |= {inner for inner, _ in names_of(node.body)}
    found["auxnas"] |= {"genotype", "compiler", "backends", "search", *GROUPS}
    found["search"] |= found["search.settings.search.SearchSettings"]  # ``--set search.batch=8``
    return found


def unknown(text: str, known: Names) -> list[str]:
    """The dotted names in backquotes that begin like ours, and that are nowhere."""
    return [word for word in DOTTED.findall(text) if not _exists(word, known)]


def _exists(word: str, known: Names) -> bool:
    home, _, name = word.rpartition(".")
    homes = (home, home.removeprefix("auxnas."))
    return any(name in known.get(each, ()) or f"{each}.{name}" in known for each in homes)


def test_dotted_names_in_prose_are_there():
    known = index(sources())
    written = (path for path in ROOT.glob("docs/**/*.md") if path.parent.name != "made")
    pages = sorted([*ROOT.glob("*.md"), *written])
    papers = {str(path): path.read_text(encoding="utf-8") for path in pages}
    found = {place: unknown(text, known) for place, text in (sources() | papers).items()}
    assert {place: words for place, words in found.items() if words} == {}


def test_a_dotted_name_that_is_nowhere_is_found():
    inner = "import re\nX, Y = 1, 2\nclass A:\n    f: int\n    def g(self): ...\n"
    known = index({"search/a/b.py": inner, "search/a/__init__.py": "from z import up\n"})
    there = "``search.a`` ``search.a.b`` `auxnas.search.a.b.Y` ``search.a.b.A.g()`` ``search.a.up``"
    assert unknown(f"{there} ``search.a.b.A.f`` ``auxnas.encoders`` ``search on.``", known) == []
    gone = ["search.b", "search.a.b.Z", "auxnas.search.a.b.A.h", "compiler.a"]
    assert unknown(" ".join(f"``{word}``" for word in gone), known) == gone


# Docstrings ----------------------------------------------------------------------------------

ASKING = re.compile(r"(What|Who|Whom|Whose|How|Which|Where|Why|When)\b")
MOST = 0.003
"""Share of the docstrings that may open with a question's word."""


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of the docstrings in ``source``: of fields and constants too."""
    for node in ast.walk(tree(source)):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            match statement:
                case ast.Expr(ast.Constant(str(text))):
                    yield statement.lineno, text.strip()


def asking(source: str) -> list[tuple[int, str]]:
    """The docstrings that open with a question's word."""
    return [(line, text) for line, text in docstrings(source) if ASKING.match(text)]


def test_docstrings_open_with_a_noun_phrase_or_a_verb():
    found = [
        f"{place}:{line}: {text.splitlines()[0]}"
        for place, source in sources().items()
        for line, text in asking(source)
    ]
    most = int(MOST * sum(len(list(docstrings(source))) for source in sources().values()))
    assert len(found) <= most, f"{len(found)}, expected at most {most}:\n" + "\n".join(found)


def test_what_is_counted():
    module = '"""{}"""\nX = 1\n"""{}"""\nclass A:\n    """{}"""\n    x: int\n    """{}"""\n'
    assert len(asking(module.format("What a", "How b", "Whose c", "Which d"))) == 4
    assert asking(module.format("Whether a", "Whatever b", "Howitzers c", "The whole d")) == []
