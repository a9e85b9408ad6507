"""A trained network in every form that this machine can run: compiled, verified, timed, kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auxnas.api import compile
from auxnas.backends.base import BackendUnavailable
from auxnas.backends.compiling.report import PACKAGES, to_dict
from auxnas.backends.measuring.machine import cpu_model, runtime_versions
from auxnas.backends.progress import Display
from auxnas.backends.targets import CPU_TARGETS, target_of
from auxnas.genotype.errors import InputError, message_of
from auxnas.genotype.texts import parse_json, read_text
from auxnas.search.networks.networks import WEIGHTS
from auxnas.search.storage.identity import write_json
from auxnas.search.training.run import GENOTYPE

TARGETS_HERE = (*CPU_TARGETS, "trt", "rtx")
"""Targets that are tried where none are named."""
INT8 = "int8"


@dataclass(frozen=True)
class ArtefactForm:
    """A target and a precision."""

    target: str
    precision: str

    def __str__(self) -> str:
        return f"{self.target} {self.precision}"


def forms_here(targets: Sequence[str], photographs: bool) -> Iterator[ArtefactForm]:
    """Forms that can be made and run on this machine.

    Args:
        targets: names; none for ``TARGETS_HERE``, as far as they are here.
        photographs: whether there are some to calibrate int8 on.

    Raises:
        BackendUnavailable: for a target that was named and cannot be made or run here.
    """
    for name in targets or TARGETS_HERE:
        row = target_of(name)
        try:
            row.opener()
        except BackendUnavailable:
            if targets:
                raise
            continue
        if reason := row.missing() or row.unrunnable():
            if targets:
                raise InputError(f"--target {name}: {reason}")
            continue
        for precision in row.precisions:
            if row.missing_precision(precision) is None and (photographs or precision != INT8):
                yield ArtefactForm(name, precision)


def compile_forms(
    folder: Path,
    forms: Sequence[ArtefactForm],
    images: Path | None,
    vocabulary: str | None,
    display: Display,
) -> list[dict[str, Any]]:
    """Facts of each form of the network in a training's folder; those made before are kept."""
    found = []
    for form in forms:
        options = {
            "target": form.target,
            "precision": form.precision,
            "images": None if images is None else str(images),
            "vocabulary": vocabulary,
        }
        kept = folder / f"{form.target}-{form.precision}.json"
        made_of = _made_of(folder / WEIGHTS, options)
        known = _kept(kept, made_of)
        if known is None:
            display.say(f"{folder.name}: {form}")
            known = {"made_of": made_of, **_compiled(folder, form, options)}
            write_json(kept, known)
        found.append(known)
    return found


def _made_of(weights: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """All that an artefact and its times depend on."""
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    versions = runtime_versions(*PACKAGES)
    return {"weights": digest, **options, "cpu": cpu_model(), "versions": versions}


def _kept(path: Path, made_of: Mapping[str, Any]) -> dict[str, Any] | None:
    """Facts found before; None where it was of something else, or its artefact is gone."""
    if not path.is_file():
        return None
    found = parse_json(read_text(path))
    if not isinstance(found, dict) or found.get("made_of") != made_of:
        return None
    return found if found["failure"] or Path(found["output"]).exists() else None


def _compiled(folder: Path, form: ArtefactForm, options: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of a form that is compiled now; the reason where it cannot be."""
    output = folder / f"{form.target}-{form.precision}{target_of(form.target).suffix}"
    facts: dict[str, Any] = {
        "target": form.target,
        "precision": form.precision,
        "output": str(output),
        "failure": None,
    }
    try:
        report = compile(str(folder / GENOTYPE), output, weights=folder / WEIGHTS, **dict(options))
    except (ValueError, RuntimeError) as error:
        return {**facts, "failure": message_of(error)}
    found = to_dict(report)
    kept = ("latency_ms", "latency_spread", "bytes", "max_relative_error", "allowed", "int8")
    facts |= {name: found[name] for name in kept}
    facts |= {"written_in": found["precision"], "output": found["output"]}
    seen = report.check.difference
    if seen is None or options["images"] is None or facts["written_in"] == "fp32":
        return facts
    return facts | {"disagreement": seen.disagrees.text.format(seen.disagreement)}


def shown_precision(form: Mapping[str, Any]) -> str:
    """The form's name, and the precision that it has where int8 was not better, with the reason."""
    name = f"{form['target']} {form['precision']}"
    other = form.get("written_in", form["precision"])
    if other == form["precision"]:
        return name
    return f"{name} (kept {other}: {form['int8']['reason']})"


def shown_error(form: Mapping[str, Any]) -> str:
    """Distance of the form's output from the float network's, by the photographs that there are.

    Of int8 that on the photographs that it is judged by: its ``max_relative_error`` is of the
    float network that it is made from. Without photographs the largest error on noise.
    """
    if form.get("written_in") == INT8:
        return str(form["int8"]["disagreement"])
    error = form["max_relative_error"]
    return form.get("disagreement") or ("" if error is None else f"{error:.1e}")
