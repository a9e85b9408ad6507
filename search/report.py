"""What a run has found: a table for people, the same as data, and the best network's files."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from genotype import to_json
from genotype.console import atomic_write
from search.examples import IMAGE, LABEL
from search.journal import Journal
from search.lock import holder
from search.pictures import Example, classify, draw
from search.trials import PENDING, Trial, best_of
from search.watch import ending
from search.weights import shipped
from search.workplace import Workplace

SHOWN = 4
"""Examples in the picture of predictions."""


def row(trial: Trial) -> dict[str, Any]:
    """A trial as plain data."""
    return {
        "trial": trial.number + 1,
        "state": trial.state,
        "reward": trial.reward,
        "metrics": dict(trial.metrics),
        "stages": [{"reward": stage.reward, "seconds": stage.seconds} for stage in trial.stages],
        "parameters": trial.parameters,
        "multiply_adds": trial.multiply_adds,
        "genotype": json.loads(str(trial.genotype)),
        "key": trial.key,
    }


def table(trials: list[Trial], count: int = 10) -> Table:
    """The best trials, as a table."""
    shown = best_of(trials)[:count]
    ended = sum(trial.state != PENDING for trial in trials)
    result = Table(title=f"best {len(shown)} of {ended} trials", title_justify="left")
    for name in ("trial", "reward", "mIoU", "stages", "parameters", "multiply-adds"):
        result.add_column(name, justify="right", no_wrap=True)
    for trial in shown:
        result.add_row(
            str(trial.number + 1),
            f"{trial.reward:.4f}",
            f"{trial.metrics['miou']:.4f}",
            str(len(trial.stages)),
            f"{(trial.parameters or 0) / 1e6:.3f} M",
            f"{(trial.multiply_adds or 0) / 1e6:.1f} M",
        )
    return result


def print_best(trials: list[Trial], count: int = 10) -> None:
    """The table on stdout, then the genotypes in it, ready to be copied."""
    console = Console(file=sys.stdout, highlight=False, emoji=False)
    console.print(table(trials, count))
    for trial in best_of(trials)[:count]:
        console.print(f"trial {trial.number + 1}: {trial.genotype}", markup=False, soft_wrap=True)


def status(folder: Path) -> dict[str, Any]:
    """Where a run stands, as plain data; the run may be under way."""
    with Journal(folder) as journal:
        meta, trials = journal.meta(), journal.trials()
    ended = [trial for trial in trials if trial.state != PENDING]
    best = best_of(trials)
    return {
        "run": str(folder),
        "running": holder(folder),
        "asked": meta.get("settings", {}).get("trials"),
        "ended": len(ended),
        "states": dict(Counter(trial.state for trial in trials)),
        "failures": dict(Counter(t.failure.kind for t in trials if t.failure is not None)),
        "seconds": sum(trial.seconds for trial in trials),
        "best": row(best[0]) if best else None,
        "settings": meta.get("settings", {}),
        "versions": meta.get("versions", {}),
    }


def status_lines(found: Mapping[str, Any], trials: list[Trial]) -> list[str]:
    """The same for people."""
    states = ", ".join(f"{count} {name}" for name, count in sorted(found["states"].items()))
    running = f"running: {found['running']}" if found["running"] else "not running"
    lines = [f"{found['run']}: {found['ended']} of {found['asked']} trials ended, {running}"]
    if states:
        lines.append(f"states: {states}")
    if found["failures"]:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(found["failures"].items()))
        lines.append(f"failures: {kinds}")
    best = best_of(trials)
    if best:
        lines.append(f"best: trial {best[0].number + 1}, {ending(best[0])}")
        lines.append(f"genotype: {best[0].genotype}")
    return lines


def write_best(place: Workplace, trials: list[Trial]) -> dict[str, str]:
    """Writes ``best.json``, ``best.safetensors`` and ``predictions.png``; their paths by kind.

    Nothing is written when no trial has a reward.
    """
    best = best_of(trials)
    if not best:
        return {}
    paths = {
        "genotype": place.folder / "best.json",
        "weights": place.folder / "best.safetensors",
        "predictions": place.folder / "predictions.png",
    }
    program = place.weights.program(best[0])
    place.weights.save(paths["weights"], best[0].genotype, program.params)
    with atomic_write(paths["genotype"]) as path:
        path.write_text(_document(place, best[0]) + "\n", encoding="utf-8")
    with atomic_write(paths["predictions"]) as path:
        dataset = place.dataset
        draw(predictions(place, best[0]), dataset.classes, dataset.palette, path)
    return {kind: str(path) for kind, path in paths.items()}


def _document(place: Workplace, trial: Trial) -> str:
    found = row(trial)
    kept = ("trial", "reward", "metrics", "parameters", "multiply_adds", "key")
    return to_json(
        trial.genotype,
        name=f"{place.folder.name}-best",
        model=shipped(place.spec).to_dict(),
        classes=list(place.dataset.classes),
        size=list(place.settings.data.size),
        result={name: found[name] for name in kept} | {"run": place.folder.name},
    )


def predictions(place: Workplace, trial: Trial) -> list[Example]:
    """What the network of ``trial`` makes of a few meta-val images."""
    val = place.parts[1]
    chosen = [val[index * len(val) // SHOWN] for index in range(min(SHOWN, len(val)))]
    chosen = list(dict.fromkeys(chosen))
    examples = place.val_images().batch([val.index(index) for index in chosen], None)
    logits = place.learner.infer(place.weights.program(trial), examples.inputs)
    guesses = classify(next(iter(logits.values())), place.settings.data.size)
    images = place.pixels.read(IMAGE, chosen)
    truths = place.pixels.read(LABEL, chosen)
    return [Example(*parts) for parts in zip(images, truths, guesses, strict=True)]
