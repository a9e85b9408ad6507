"""Options that subcommands share, and the frame around their work."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar

import click
from click.core import ParameterSource

from auxnas.backends.base import BackendUnavailable
from auxnas.console import INTERRUPTED, error_line, note
from auxnas.genotype.plugins import options_over, trust_place
from auxnas.genotype.texts import parse_json
from auxnas.options import PathType as PathType
from auxnas.options import SizeType, json_option, part_option
from auxnas.options import depth_scale as depth_scale
from auxnas.scripts import TERMINATED
from auxnas.search.data.mapped import label_table
from auxnas.search.data.spec import TAKES
from auxnas.search.errors import SettingsError
from auxnas.search.settings.fields import SettingsSection
from auxnas.search.settings.presets import DEFAULT, PRESETS
from auxnas.search.settings.recorded import CODE, check_trusted, trust_code
from auxnas.search.settings.resolving import flatten, nest, resolve
from auxnas.search.settings.search import PUBLISHED, SCRATCH
from auxnas.search.storage.folders import folder_kinds
from auxnas.trackers.finding import TRACKERS

S = TypeVar("S", bound=SettingsSection)
F = TypeVar("F", bound=Callable[..., Any])


class AssignmentType(click.ParamType[tuple[str, Any]]):
    """``NAME=VALUE``, the value as JSON or as text."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        """(name, value)."""
        name, equals, text = str(value).partition("=")
        if not name or not equals:
            self.fail(f"{value!r}: expected NAME=VALUE, for example stage1.epochs=3", param, ctx)
        try:
            return name, parse_json(text)
        except JSONDecodeError:
            return name, text
        except ValueError as error:
            return self.fail(f"{name}: {error}".partition(";")[0], param, ctx)


PATH = PathType(path_type=Path)

DATA_HELP = f"{TAKES}."
PICTURE_HELP = "The confusion matrix.  [default: of the folder's own data, confusion.png in it]"

SETTINGS = {
    "data": "data.source",
    "classes": "data.classes",
    "size": "data.size",
    "task": "task.name",
    "encoder": "model.encoder",
    "depth_scale": "data.depth_scale",
    "label_map": "data.map",
    "learner": "learner",
    "encoder_weights": "encoder_weights",
}
"""The settings that the options below stand for."""
TASK = SETTINGS["task"]


def parts_of(place: str) -> Callable[[F], F]:
    """``--task``, ``--encoder`` and ``--vocabulary`` of a command that takes what there is.

    Args:
        place: where those parts are recorded, in a word.
    """

    def decorated(command: F) -> F:
        for name in ("vocabulary", "encoder", "task"):
            default = f"the {place}'s; code of your own is named once again"
            command = part_option(name, default)(command)
        return command

    return decorated


def code_in_data(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """The value of --data; code of the user's own that it names may be run."""
    trust_code({"data.source": value})
    return value


def _code_in_sets(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """The values of --set; code of the user's own that they name may be run."""
    for name, one in value:
        trust_code({name: one})
    return value


def _known_map(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The value of --map, as it is."""
    if value is not None:
        try:
            label_table(value)
        except ValueError as error:
            raise click.BadParameter(f"expected {error}") from None
    return value


data = click.option("--data", metavar="SPEC", callback=code_in_data, help=DATA_HELP)
classes = click.option(
    "--classes", type=int, metavar="N", help="Number of classes.  [default: what the data say]"
)
label_map = click.option(
    "--map",
    "label_map",
    metavar="MAP",
    callback=_known_map,
    help="Other numbers for label values: -1 (0 becomes not labelled), 255=1, "
    "0=none,1-150=0-149, *=3.",
)
data_of_phases = click.option(
    "--data",
    metavar="SPEC",
    multiple=True,
    callback=code_in_data,
    help=f"{DATA_HELP} Several: of the phases in order, the last one's to the end.",
)
size = click.option("--size", type=SizeType(), help="Image height and width.")
task = part_option("task")
encoder = part_option("encoder")
vocabulary = part_option("vocabulary")
learner = click.option("--learner", type=click.Choice(["torch", "null"]), hidden=True)
"""``torch``, or ``null``, which does not train: for tests."""
encoder_weights = click.option(
    "--encoder-weights",
    type=PathType(PUBLISHED, SCRATCH),
    metavar="FILE",
    help="Encoder weights to begin with; published: those of timm or torchvision, fetched; none: "
    "random ones. Nothing is pre-trained then.",
)

encoder_weights_begun = click.option(
    "--encoder-weights",
    type=PathType(PUBLISHED),
    metavar="FILE",
    help="Encoder weights to begin with; published: those of timm or torchvision, fetched.",
)

workers = click.option(
    "--workers",
    type=int,
    metavar="N",
    help="Trials or evaluations at a time, each in its own process.",
)
cluster = click.option(
    "--cluster",
    metavar="auto|HOST:PORT",
    help="Evaluate trials on the nodes of this Ray cluster, of which this machine is one.",
)
mixed = click.option(
    "--mixed", is_flag=True, default=None, help="Let machines take part that compute otherwise."
)

run_folder = click.argument("folder", metavar="RUN", type=PATH)
preset = click.option(
    "--preset", metavar="NAME", default=DEFAULT, show_default=True, help=", ".join(PRESETS) + "."
)
teacher = click.option(
    "--teacher",
    type=PathType(),
    metavar="FILE",
    help="Trained network to learn from; the folder of its training or run will do.",
)
sets = click.option(
    "--set",
    "sets",
    type=AssignmentType(),
    multiple=True,
    callback=_code_in_sets,
    help="Any setting that nassearch settings lists; lists as JSON.",
)
log = click.option(
    "--log",
    metavar="NAME",
    multiple=True,
    callback=lambda context, option, value: tuple(map(trust_place, value)),
    help=f"Log to this tool too: {', '.join(TRACKERS)}, or package.module:Class; may be repeated.",
)
as_json = json_option
cache = click.option(
    "--cache",
    metavar="DIR",
    type=PATH,
    help="Folder that runs share.  [default: $AUXNAS_CACHE, else ~/.cache/auxnas]",
)


def known_preset(name: str) -> str:
    """``name`` itself, when there is such a preset."""
    if name not in PRESETS:
        known = ", ".join(PRESETS)
        raise click.BadParameter(f"{name!r} is none of {known}", param_hint="--preset")
    return name


def require_data(
    out: Path,
    named: Mapping[str, Any],
    sets: Iterable[tuple[str, Any]],
    *layers: Mapping[str, Any],
) -> None:
    """Checks that a command which begins something new names data or a preset.

    It would work on rendered scenes, for hours. One that names a preset alone is told so.

    Args:
        out: where to; what was begun there goes on.
        named: values of options.
        sets: of ``--set``.
        layers: further layers of settings.

    Raises:
        UsageError: saying what to give.
    """
    said = [*layers, nest(dict(sets))]
    if any(name == "data.source" for each in said for name, _ in flatten(each)):
        return
    if named.get("data") is not None or folder_kinds(out):
        return
    if click.get_current_context().get_parameter_source("preset") is ParameterSource.DEFAULT:
        found = "--data: not given, which would take rendered scenes; expected "
        raise click.UsageError(
            f"{found}--data folder:DIR or another format, or to try it out --data synthetic or "
            "--preset demo"
        )
    note("data: rendered scenes, since there is no --data")


def check_parts(given: Mapping[str, str | None], recorded: Mapping[str, Any], place: Path) -> None:
    """Checks that options name the parts that a run has, with whatever options of their own.

    Args:
        given: values of ``--encoder`` and its like; None for one that was not given.
        recorded: the run's settings.
        place: its folder.

    Raises:
        UsageError: naming the one that it has.
    """
    own = {CODE[name]: value for name, value in flatten(recorded) if name in CODE}
    for name, value in given.items():
        known = own.get(f"--{name}")
        if value and known and value.split(",")[0] != known.split(",")[0]:
            raise click.UsageError(f"--{name}: {value}, expected {known}, as {place} has")


def settings_of(
    kind: type[S],
    layers: Iterable[Mapping[str, Any]],
    table: Mapping[str, str],
    named: Mapping[str, Any],
    sets: Iterable[tuple[str, Any]],
) -> S:
    """Settings of a command line, over ``layers``.

    Args:
        kind: of the settings.
        layers: settings below, the later over the earlier.
        table: the setting of each option that stands for one.
        named: values of those options; None for one that was not given.
        sets: of ``--set``.
    """
    given = {table[name]: value for name, value in named.items() if value is not None}
    layers = list(layers)
    if TASK in given:
        given[TASK] = _task_over(given[TASK], layers)
    trust_code(given)
    _check_sets(kind, sets)
    try:
        settings = resolve(*layers, nest(given), nest(dict(sets)), kind=kind)
        check_trusted(settings.model_dump(mode="json"))
        return settings
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


def _task_over(asked: str, layers: Iterable[Mapping[str, Any]]) -> str:
    """The task asked for, with the options that the layers below give the same one."""
    below = [each["task"]["name"] for each in layers if "name" in each.get("task", {})]
    return options_over(asked, below[-1]) if below else asked


def _check_sets(kind: type[SettingsSection], sets: Iterable[tuple[str, Any]]) -> None:
    """Checks that no part is set which is no setting here, but an option of the command."""
    known = dict(flatten(kind().model_dump(mode="json")))
    has = {o for each in click.get_current_context().command.params for o in each.opts}
    for name, value in sets:
        if name not in known and CODE.get(name) in has:
            raise click.UsageError(f"{name}: no setting here, expected {CODE[name]} {value}")


def all_of(checks: Iterable[Callable[[], Any]]) -> list[Any]:
    """Results of checks before a long work; what is wrong is told of all of them at once.

    Raises:
        UsageError: with what each of several found; of one, its own error.
    """
    found, faults = list[Any](), list[Exception]()
    for check in checks:
        try:
            found.append(check())
        except (click.UsageError, ValueError, OSError, BackendUnavailable) as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        lines = dict.fromkeys(error_line(each).partition(" (see ")[0] for each in faults)
        raise click.UsageError("; ".join(lines))
    return found


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends what Ctrl-C does."""


def run_resumable(work: Callable[[], int], remark: str) -> int:
    """The exit status of ``work``; after Ctrl-C or SIGTERM ``remark`` says what becomes of it."""
    try:
        with _terminations():
            return work()
    except _Terminated:
        note(f"terminated: {remark}")
        return TERMINATED
    except KeyboardInterrupt:
        note(f"interrupted: {remark}")
        return INTERRUPTED


@contextmanager
def _terminations() -> Iterator[None]:
    """SIGTERM raises ``_Terminated`` in the block."""

    def terminate(number: int, frame: FrameType | None) -> NoReturn:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():  # no place for a handler
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
