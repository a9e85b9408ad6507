"""Finding an implementation of a seam: ours by name, a user's by where it is."""

from __future__ import annotations

import difflib
import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from traceback import walk_tb
from typing import Any

from auxnas.genotype.errors import InputError, short_repr, truncate

OWN = "auxnas"
"""Top-level package of our own code."""

GROUP = f"{OWN}."
"""Start of the entry point groups: ``auxnas.encoders``, ``auxnas.tasks``, ..."""

_IMPORT = (ImportError, AttributeError, ValueError)
"""Errors of a place that there is not; their messages say that by themselves."""

LIBRARIES = ("timm", "optuna")
"""Prefixes, as in ``timm:NAME``, of what is read from another library: no code of a user's own."""

_OPTIONS = {"tracker": "log"}
"""Kinds whose option has another name."""
_named_by_user: set[str] = set()
_loaded: dict[str, str] = {}
"""Places of other people's code that this process has imported, by their top-level modules."""


def with_options(text: str) -> tuple[str, dict[str, str]]:
    """A name or a place, and the options behind it: ``depth,max=80`` is depth with max 80.

    Raises:
        PluginError: for an option without a value, or one that is there twice.
    """
    name, *rest = text.split(",")
    pairs = [option.partition("=") for option in rest]
    options = {key: value for key, _, value in pairs}
    if not all(key.isidentifier() and value for key, _, value in pairs) or len(options) < len(rest):
        raise PluginError(
            "options", truncate(text), "name=value, each once, with commas between them"
        )
    return name, options


def options_over(text: str, other: str) -> str:
    """``text`` with those options of ``other`` that it does not give, where both have one name."""
    (name, given), (known, options) = with_options(text), with_options(other)
    if name != known:
        return text
    return ",".join([name, *(f"{key}={value}" for key, value in {**options, **given}.items())])


def trust_place(place: str) -> str:
    """Trusts the code at ``place``, which the user named: files may refer to it from now on.

    A file alone, which may be somebody else's, must not choose the code that is run.
    """
    if ":" in place:
        _named_by_user.add(place.partition(",")[0])
    return place


def may_run(name: str) -> bool:
    """Whether a file may ask for ``name``: plain, a library's, or a place that the user named."""
    return (
        name.partition(":")[0] in LIBRARIES
        or ":" not in name
        or name.partition(",")[0] in _named_by_user
    )


class PluginError(InputError):
    """There is no implementation of the name that was given, or it cannot be imported.

    Attributes:
        kind: of implementation, in the singular, as options and settings have it: ``encoder``.
        found: what was given, and what is wrong with it.
        expected: what would have been right; may be empty.
    """

    def __init__(self, seam: str, found: str, expected: str = "") -> None:
        one = re.sub("ie$", "y", re.sub("(?<=ss)es$|s$", "", seam))
        self.kind = _OPTIONS.get(one, one)
        self.found, self.expected = found, expected
        super().__init__(f"{self.kind}: {self.said}")

    @property
    def said(self) -> str:
        """The message without the kind."""
        return self.found + (f", expected {self.expected}" if self.expected else "")


def find_plugin(seam: str, name: str, table: Mapping[str, str]) -> Any:
    """The object called ``name``: of our own table, of an entry point, or at a place.

    Args:
        seam: kind of implementation, in the plural, as in the entry points' group: ``encoders``.
        name: a name, or ``package.module:attribute``; modules are looked for in the current
            directory too, as with ``python -m``.
        table: our own names, and where each is as ``package.module:attribute``.

    Raises:
        PluginError: naming what is not there, and the nearest known name.
    """
    place = locate(seam, name, table)
    return _load(seam, name, place)


def find_maker(
    seam: str, name: str, table: Mapping[str, str], arguments: Sequence[str]
) -> Callable[..., Any]:
    """The class or function called ``name``, as ``find_plugin``, which takes these arguments.

    Raises:
        PluginError: when there is none, or it does not take them.
    """
    found = find_plugin(seam, name, table)
    expected = f"a class or function of ({', '.join(arguments)})"
    if not callable(found):
        raise PluginError(seam, f"{truncate(name)} is {short_repr(found)}", expected)
    try:
        inspect.signature(found).bind(*arguments)
    except (TypeError, ValueError) as error:
        raise PluginError(seam, f"{truncate(name)}: {error}", expected) from None
    maker: Callable[..., Any] = found
    return maker


def check_members(seam: str, name: str, made: object, members: Sequence[str]) -> None:
    """Checks that what was made by ``name`` has all members.

    Raises:
        PluginError: naming those that it lacks.
    """
    missing = [member for member in members if not hasattr(made, member)]
    if missing:
        found = f"{truncate(name)} makes a {type(made).__name__} without {', '.join(missing)}"
        raise PluginError(seam, found, f"one with {', '.join(members)}")


def locate(seam: str, name: str, table: Mapping[str, str]) -> str:
    """The place, ``package.module:attribute``, of what ``find_plugin`` would import.

    Raises:
        PluginError: for a name that is neither known nor a place, naming the nearest known: of
            those that it begins, up to a colon, the first.
    """
    if name in table:
        return table[name]
    if ":" in name:
        return name
    points = installed(seam)
    if name in points:
        return points[name]
    known = [*table, *sorted(points)]
    begun = [each for each in known if each.startswith(f"{name}:")]
    near = begun or difflib.get_close_matches(name, known, 1)
    hint = f"perhaps {near[0]}, or " if near else ""
    expected = f"{hint}one of {', '.join(known)}, or package.module:attribute"
    raise PluginError(seam, f"no {truncate(name)!r}", expected)


def installed(seam: str) -> dict[str, str]:
    """The places of implementations that other packages have installed, by name."""
    return {point.name: point.value for point in entry_points(group=GROUP + seam)}


def rebuild_with_home(home: str, make: Callable[..., Any], *fields: Any) -> Any:
    """``make(*fields)`` in another process, where ``home``, a user's module, is imported first.

    A pickle of a part that means something by what such a module has added refers to this.
    """
    if home:
        import_module(home)
    return make(*fields)


def import_place(place: str) -> Any:
    """The attribute at ``package.module:attribute``.

    Raises:
        ImportError, AttributeError: when there is none; or what the module itself raises.
    """
    module, _, attribute = place.partition(":")
    found: Any = import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found


def fault_of_plugin(error: BaseException) -> str:
    """Place, line and words of an error that arose in a plugin's code; "" for any other.

    Errors of the user's input (``InputError``) say by themselves what is wrong.
    """
    steps = [
        (_top(frame.f_globals.get("__name__", "")), frame.f_code.co_filename, line)
        for frame, line in walk_tb(error.__traceback__)
    ]
    known = [step for step in steps if step[0] == OWN or step[0] in _loaded]
    if isinstance(error, InputError) or not known or known[-1][0] == OWN:
        return ""
    top, file, line = known[-1]
    ends = ", expected an exception that says why" if isinstance(error, SystemExit) else ""
    where = f"{type(error).__name__} in {Path(file).name}, line {line}"
    return f"{_loaded[top]}: {where}: {error}{ends}"


def loaded_plugins() -> tuple[str, ...]:
    """Places of the plugins that this process has imported."""
    return tuple(_loaded.values())


def _top(module: str) -> str:
    """The top-level package of a module."""
    return module.partition(".")[0]


def _load(seam: str, name: str, place: str) -> Any:
    """The attribute at ``place``, which a user named by itself or which is called ``name``."""
    if place == name and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    top = _top(place.partition(":")[0])
    if top != OWN:
        _loaded[top] = place
    try:
        return import_place(place)
    except (Exception, SystemExit) as error:  # other people's code can end in any
        if top == OWN and place != name:
            raise
        said = error if isinstance(error, _IMPORT) else f"{type(error).__name__}: {error}"
        of = "" if place == name else f", which {truncate(name)!r} is,"
        raise PluginError(seam, f"{truncate(place)!r}{of} cannot be imported ({said})") from error
