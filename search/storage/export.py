"""A trial's genotype and weights as files of their own."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auxnas.compiler import ModelSpec
from auxnas.compiler.files import atomic_write
from auxnas.genotype import to_json
from auxnas.search.storage.weights import weights_file, without_auxiliary
from auxnas.search.trials.limits import LIMITED
from auxnas.search.trials.records import Trial
from auxnas.search.trials.rows import trial_row


def trial_document(trial: Trial, name: str, run: str, meta: Mapping[str, Any]) -> str:
    """A trial's genotype as our JSON, with the model around it and what it came to.

    Args:
        trial: to be exported.
        name: of the architecture.
        run: name of the run that found it.
        meta: the run's metadata, from its journal.
    """
    found = trial_row(trial, meta)
    kept = ("trial", "reward", "metrics", "parameters", "multiply_adds", "latency_ms", "key")
    limits = {name: limit for name, limit in _limits(meta) if limit is not None}
    latency = meta["settings"].get("latency", {})
    timed = {name: latency[name] for name in ("device", "command") if latency.get(name) is not None}
    return to_json(
        trial.genotype,
        name=name,
        model=without_auxiliary(ModelSpec.from_dict(meta["model"])).to_dict(),
        classes=list(meta["classes"]),
        size=list(meta["settings"]["data"]["size"]),
        result={name: found[name] for name in kept} | {"run": run},
        **({"limits": limits} if limits else {}),
        **({"latency": timed} if timed else {}),
    )


def _limits(meta: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The run's limits on costs, by the setting's name."""
    known = meta["settings"].get("limits", {})
    return [(name, known.get(name)) for name in LIMITED]


def write_document(path: Path, text: str) -> None:
    """Writes a document; it appears whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def export_trial(
    folder: Path, meta: Mapping[str, Any], trial: Trial, output: Path
) -> dict[str, Any]:
    """Writes a trial's files into ``output``; their paths, and the command that compiles them.

    Args:
        folder: of the run.
        meta: the run's metadata, from its journal.
        trial: to be exported.
        output: an existing folder.
    """
    stem = f"trial-{trial.number + 1:04}"
    genotype, weights = output / f"{stem}.json", output / f"{stem}.safetensors"
    name = f"{folder.resolve().name}-{stem}"
    write_document(genotype, trial_document(trial, name, folder.resolve().name, meta))
    source = weights_file(folder, trial.number)
    has_weights = source.is_file()
    if has_weights:
        with atomic_write(weights) as path:
            path.write_bytes(source.read_bytes())
    return {
        "trial": trial.number + 1,
        "genotype": str(genotype),
        "weights": str(weights) if has_weights else None,
        "command": _command(genotype, weights if has_weights else None, meta),
    }


def _command(genotype: Path, weights: Path | None, meta: Mapping[str, Any]) -> str:
    height, width = meta["settings"]["data"]["size"]
    words = ["nascompile", str(genotype), "--input-size", f"{height}x{width}"]
    words += ["--weights", str(weights)] if weights else []
    words += own_code(meta["model"], meta["settings"].get("space", {}).get("vocabulary"))
    return shlex.join([*words, "--output", str(genotype.with_suffix(".onnx"))])


def own_code(model: Mapping[str, Any], vocabulary: str | None) -> list[str]:
    """Options of nascompile that name the code of the user's own that a network is made of."""
    named = {f"--{name}": model.get(name, "") for name in ("encoder", "task")}
    words = [word for pair in named.items() if ":" in pair[1] for word in pair]
    return words if vocabulary is None else [*words, "--vocabulary", vocabulary]
