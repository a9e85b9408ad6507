"""Modules of the user's own that are called as one of ours, of Python's or of a library's.

Python takes the first one on its path, PYTHONPATH before what is installed. This module imports
nothing but the standard library, and of that only what there is no way around.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder

WRONG_USE = 2
_OF_IMPORTS = (ImportError, AttributeError, SyntaxError, SystemExit)
"""Errors that a module which is not what it is taken for leads to."""
_OTHER_NAMES = {
    "ai-edge-litert": "ai_edge_litert",
    "myst-nb": "myst_nb",
    "onnxruntime-gpu": "onnxruntime",
    "pillow": "PIL",
    "pytest-xdist": "xdist",
    "sphinx-click": "sphinx_click",
    "sphinx-copybutton": "sphinx_copybutton",
    "tensorrt-rtx-cu12-bindings": "tensorrt_rtx",
}
"""Import names of requirements that have another one."""
_OURS = os.path.dirname(os.path.realpath(__file__))
"""The folder of this package."""


def end_start(error: BaseException) -> None:
    """Ends the process with one line where ``error``, of our imports, is due to such a module."""
    files = hiding_files(error)
    if files:
        os.write(2, f"error: {hiding_line(error, files)}\n".encode())
        sys.exit(WRONG_USE)


def hiding_line(error: BaseException, files: list[str]) -> str:
    """A line on the modules that hide others, and on what came of it."""
    names = ", ".join(module_name(file) for file in files)
    said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return (
        f"{', '.join(files)}: hides the module {names} that auxnas needs ({said}), expected "
        "another name for it, or a PYTHONPATH without its folder"
    )


def blamed_files(error: BaseException) -> list[str]:
    """Files of such modules that an error while a command runs is due to."""
    chain, files = [*_chain(error)], hiding_files(error)
    if any(isinstance(each, _OF_IMPORTS) for each in chain):
        return files
    seen = {_top(file) for each in chain for file in _traced(each)}
    return [file for file in files if file in seen]


def hiding_files(error: BaseException) -> list[str]:
    """Files that hide a module, of what is imported or was about to be when ``error`` arose."""
    traced = [file for each in _chain(error) for file in _traced(each)]
    loaded = [file for module in [*sys.modules.values()] for file in _files(module)]
    script = [*_files(sys.modules.get("__main__"))]
    tops = dict.fromkeys(_top(file) for file in [*traced, *loaded] if file not in script)
    entries = [os.path.realpath(entry or os.curdir) for entry in sys.path]
    needed = _requirements()
    return [top for top in tops if _hides(top, entries, needed)]


def folder_hides(folder: str) -> list[str]:
    """Files in a folder that hide a module of Python's, of ours or of our libraries from scripts
    in it.
    """
    entries = [os.path.realpath(entry or os.curdir) for entry in (folder, *sys.path)]
    needed = _requirements()
    names = needed | sys.stdlib_module_names | {"auxnas"}
    tops = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    tops = [top for top in tops if module_name(top) in names and _is_module(top)]
    return [top for top in tops if _hides(top, entries, needed)]


def _is_module(top: str) -> bool:
    """Whether a file or folder is one that Python imports before what is installed."""
    return top.endswith((".py", ".so")) or os.path.isfile(os.path.join(top, "__init__.py"))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that it arose from."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def _traced(error: BaseException) -> Iterator[str]:
    """The files that an error went through, and the one that it names."""
    step = error.__traceback__
    while step is not None:
        yield step.tb_frame.f_code.co_filename
        step = step.tb_next
    for name in ("filename", "path"):
        if isinstance(error, SyntaxError | ImportError) and getattr(error, name, None):
            yield str(getattr(error, name))


def _files(module: object) -> Iterator[str]:
    """The file of a module, or the folder of one that has none.

    Only what it has itself is looked at: modules that are loaded when they are used would be.
    """
    try:
        known = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return
    file, places = known.get("__file__"), known.get("__path__", ())
    if isinstance(file, str):
        yield file
    elif isinstance(places, list):
        yield from map(str, places)


def _top(file: str) -> str:
    """The file, or the folder of a package, that is imported by one name."""
    folder, name = os.path.split(os.path.abspath(file))
    return folder if name.startswith("__init__.") else os.path.join(folder, name)


def module_name(top: str) -> str:
    """The name that a file or a package's folder is imported by."""
    return os.path.basename(top).partition(".")[0]


def _hides(top: str, entries: list[str], needed: set[str]) -> bool:
    """Whether a user's module on Python's path keeps one of Python's or of a library's from being
    found; another one of the user's own does no harm.
    """
    folder, name = os.path.realpath(os.path.dirname(top)), module_name(top)
    if folder not in entries or os.path.join(folder, name) in (_OURS, f"{_OURS}_start"):
        return False
    if name == "auxnas" or _is_of_packages(folder):
        return name == "auxnas"
    later = PathFinder.find_spec(name, entries[entries.index(folder) + 1 :])
    if later is None or not later.origin:
        return name in needed
    of_python = name in sys.stdlib_module_names
    return of_python or name in needed or _is_of_packages(os.path.dirname(_top(later.origin)))


def _is_of_packages(folder: str) -> bool:
    """Whether packages are installed in a folder."""
    try:
        return any(each.endswith(".dist-info") for each in os.listdir(folder))
    except OSError:  # an archive
        return False


def _requirements() -> set[str]:
    """Import names of the libraries that we may need, installed or not."""
    try:
        from importlib.metadata import requires

        words = {re.split(r"[^\w-]", each)[0] for each in requires("auxnas") or ()}
    except (Exception, SystemExit):  # what is hidden may be a module that this needs
        return set()
    return {import_name(word) for word in words}


def import_name(requirement: str) -> str:
    """The name that a distribution is imported by."""
    return _OTHER_NAMES.get(requirement, requirement)
