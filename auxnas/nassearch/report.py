"""``nassearch report``: a run as one HTML page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from auxnas.backends.base import BackendUnavailable
from auxnas.backends.caching import cache_dir
from auxnas.console import OneLineCommand, note, print_json, say
from auxnas.nassearch import options
from auxnas.search.errors import RequestError
from auxnas.search.storage.folders import check_no_result
from auxnas.search.storage.journal import Journal

NAME = "report.html"
_NEEDED = ("jinja2", "matplotlib")


@click.command(cls=OneLineCommand)
@options.run_folder
@click.option(
    "--against",
    type=options.PATH,
    metavar="RUN",
    help="Another run to compare with, for example by random search.",
)
@click.option(
    "--output",
    type=options.PathType(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"The page.  [default: RUN/{NAME}]",
)
@options.data
@options.parts_of("run")
@options.cache
@options.as_json
def report(
    folder: Path,
    against: Path | None,
    output: Path | None,
    data: str | None,
    cache: Path | None,
    as_json: bool,
    **parts: str | None,
) -> None:
    """Write RUN, running or not, as one HTML page that needs nothing else.

    Rewards in time and by stage, the best so far, the share stopped after stage 1, Pareto
    fronts, the best architectures and what one of them predicts, times, the controller's
    diagnostics, failures, settings.
    """
    if output is not None:
        if output.suffix != ".html":
            raise click.BadParameter(
                f"{output}, expected a name that ends in .html", param_hint="--output"
            )
        check_no_result(output, "--output")
    with Journal(folder) as journal:
        options.check_parts({"data": data, **parts}, journal.meta().get("settings", {}), folder)
    write = _writer()
    try:
        found = write(folder, against, output or folder / NAME, cache_dir(cache))
    except OSError as error:
        if output is not None or error.filename != str(folder / NAME):
            raise
        expected = "--output with another place"
        raise RequestError(str(folder / NAME), str(error.strerror), expected) from error
    if found.get("incomparable"):
        reasons = "; ".join(found["incomparable"])
        note(f"warning: rewards of {folder} and {against} do not compare: {reasons}")
    if as_json:
        print_json(found)
    else:
        say(found["report"])


def _writer() -> Callable[[Path, Path | None, Path, Path], dict[str, Any]]:
    """Function that writes the page.

    Raises:
        BackendUnavailable: naming the extra that it needs.
    """
    try:
        from auxnas.html import write_report
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        raise BackendUnavailable("nassearch report", error.name, "report") from None
    return write_report
