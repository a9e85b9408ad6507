"""Files that a run leaves for its page: the course of its pre-training, its best by class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, TypeGuard

from matplotlib.ticker import MaxNLocator

from auxnas.backends.progress import format_duration
from auxnas.genotype.texts import parse_json, read_text
from auxnas.html import words
from auxnas.html.charts import Chart
from auxnas.html.runs import Run
from auxnas.html.svg import FIRST, chart
from auxnas.html.tables import PageTable
from auxnas.search.storage.folders import CLASSES, PRETRAINED

_PERCENT = re.compile(r"[0-9.]+ %")


def _read(path: Path) -> Mapping[str, Any]:
    """A file of a run's own; empty where there is none yet, or it is damaged."""
    try:
        found = parse_json(read_text(path))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isfinite(value) else None


# Pre-training ----------------------------------------------------------------------------


def encoder_origin(run: Run) -> str:
    """In a sentence, where an encoder that this run did not train is from; else empty."""
    given = run.settings.get("encoder_weights")
    source = given or _read(run.folder / PRETRAINED).get("source")
    how = "The encoder was given" if given else "An earlier run had pre-trained the encoder"
    return f"{how}: {source}." if isinstance(source, str) else ""


def pretraining_facts(run: Run) -> list[tuple[str, str]]:
    """Names and numbers of the run's own pre-training; none where it had none."""
    known = _read(run.folder / PRETRAINED)
    seconds, epochs, value = (_number(known.get(name)) for name in ("seconds", "epochs", "value"))
    found = {
        "time": "" if seconds is None else format_duration(seconds),
        "epochs": "" if epochs is None else f"{epochs:,.0f}",
        f"{known.get('metric')} with its own decoder": words.score(value),
    }
    return [(name, text) for name, text in found.items() if text]


def pretraining_losses(run: Run) -> list[tuple[float, float]]:
    """(epoch, mean loss) of the run's own pre-training."""
    rows = _read(run.folder / PRETRAINED).get("losses")
    pairs = [row for row in rows if isinstance(row, list)] if isinstance(rows, list) else []
    numbers = [[_number(value) for value in pair] for pair in pairs if len(pair) == 2]
    return [(epoch, loss) for epoch, loss in numbers if epoch is not None and loss is not None]


def pretraining_curve(run: Run) -> Chart | None:
    """Loss against epoch; None where fewer than two epochs are known."""
    losses = pretraining_losses(run)
    if len(losses) < 2:
        return None
    xs, ys = zip(*losses, strict=True)

    def plot(axes: Any) -> Mapping[str, Sequence[str]]:
        axes.plot(xs, ys, color=FIRST, lw=1.8, marker="o" if len(xs) < 30 else "", ms=3)
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(bottom=0)
        return {}

    alt = f"Pre-training loss: {ys[0]:.3f} in epoch {xs[0]:.0f}, {ys[-1]:.3f} in {xs[-1]:.0f}."
    note = "Mean over an epoch's steps, of encoder and Light-Weight RefineNet."
    return Chart("Loss", chart(plot, alt), note)


# Classes ---------------------------------------------------------------------------------


def class_table(run: Run) -> PageTable | None:
    """The best network's classes, as counted over meta-val; None where it was not counted."""
    known = _read(run.folder / CLASSES)
    heads, rows = known.get("columns"), known.get("rows")
    if not run.best or known.get("trial") != run.best[0].number + 1:
        return None
    if not (_texts(heads) and isinstance(rows, list) and rows and all(map(_texts, rows))):
        return None
    if any(len(row) != len(heads) for row in rows):
        return None
    measured = [row[1] for row in rows if len(row) > 1]
    bars = heads[1:2] if any(map(_PERCENT.fullmatch, measured)) else []
    return PageTable(heads, rows, heads[:1], bars)


def _texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and value != [] and all(isinstance(v, str) for v in value)
