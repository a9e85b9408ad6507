"""The front's best networks as one page: scores against times, the table, the drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from auxnas.compiler.drawing.genotype_drawing import draw_genotype
from auxnas.drawing import svg
from auxnas.html.charts import COLOURS
from auxnas.html.sections import PageSection, Picture, render_sections
from auxnas.html.svg import chart
from auxnas.html.tables import PageTable
from auxnas.search.trials.records import Trial

_MARKS = {"fp32": "o", "fp16": "s", "bf16": "^", "int8": "D"}


def pareto_page(
    found: Mapping[str, Any],
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    trials: Sequence[Trial],
    said: str,
) -> str:
    """The page as text.

    Args:
        found: as ``nassearch pareto`` prints it.
        heads: of the table.
        rows: of the table.
        trials: those that were trained.
        said: a line about all that.
    """
    drawn = [
        Picture(
            f"Trial {trial.number + 1}",
            Markup(svg(draw_genotype(trial.genotype))),
            str(trial.genotype),
            "sheet",
        )
        for trial in trials
    ]
    table = PageTable(heads, rows, ["form"])
    charts = _charts(found)
    sections = [
        PageSection("forms", "All forms", table=table),
        *([PageSection("front", "Scores and times", pictures=charts)] if charts else []),
        PageSection("architectures", "Architectures", pictures=drawn),
    ]
    heading = f"{found['run']}: the front's best, trained fully"
    return render_sections(heading, str(found["run"]), said, sections, datetime.now(UTC))


def _charts(found: Mapping[str, Any]) -> list[Picture]:
    """Score against latency of each form; none where nothing was timed."""
    name, title = found["metric"]["name"], found["metric"]["title"]
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in found["finalists"]:
        for form in row["forms"]:
            if form.get("latency_ms") is not None:
                place = (form["latency_ms"], row[name])
                points.setdefault((form["target"], form["precision"]), []).append(place)
    targets = list(dict.fromkeys(target for target, _ in points))

    def plot(axes: Any) -> Mapping[str, Sequence[str]]:
        for (target, precision), places in points.items():
            colour = COLOURS[targets.index(target) % len(COLOURS)]
            xs, ys = zip(*sorted(places), strict=True)
            look = {"marker": _MARKS.get(precision, "x"), "lw": 0.8, "ms": 4.5}
            axes.plot(xs, ys, color=colour, label=f"{target} {precision}", **look)
        axes.set_xlabel("latency, ms")
        axes.set_ylabel(title)
        axes.legend()
        return {}

    if not points:
        return []
    alt = f"{title} after full training against the latency of each form"
    return [Picture(f"{title} and latency", Markup(chart(plot, alt)), "A line joins one form.")]
