"""From options to a request: options, weights and genotype document together."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling.request import Request
from auxnas.backends.devices import Device, check_target, parse_device
from auxnas.backends.images import (
    dark_remark,
    find_images,
    judge_photographs,
    labels_remark,
    read_photograph,
)
from auxnas.backends.int8 import MAX_DROP, Int8Options, find_photographs, read_labels
from auxnas.backends.targets import AUTO, CPU_TARGETS, artefact_files, target_of
from auxnas.backends.weights import Weights, read_weights
from auxnas.compiler import CompilerError, ModelSpec, Size
from auxnas.compiler.architecture import Architecture, blueprint_of, find_architecture
from auxnas.compiler.files import check_file
from auxnas.compiler.interface import Interface, parse_normalisation
from auxnas.compiler.shapes import LARGEST_SIDE
from auxnas.genotype.errors import short_repr
from auxnas.genotype.plugins import trust_place
from auxnas.genotype.vocabulary import find_vocabulary
from auxnas.nascompile.checks import STRIDE, check_options
from auxnas.nascompile.options import DEFAULTS, OPSETS, OptionError
from auxnas.nascompile.overwriting import check_overwriting

_PATHS = ("weights", "images", "labels", "output", "web_runtime")
_SIZES = ("classes", "agg_size", "sep_repeats", "width")


def request_of(
    genotype: Architecture | str | os.PathLike[str],
    options: Mapping[str, Any],
    say: Callable[[str], None],
    others: Mapping[str, Path] = MappingProxyType({}),
) -> Request:
    """The request that ``nascompile`` is given.

    Args:
        genotype: the architecture; a file of it, a published or hand-made one's name, or its text.
        options: values by the names of the command's options, over the defaults.
        say: is told what a person should know.
        others: further files that will be written, by the option that names them.

    Raises:
        GenotypeError: for what is no genotype.
        CompilerError: for options out of range, and files that cannot be read or do not fit.
        OptionError: for options that do not go together, or would overwrite what is read.
    """
    options = _complete(options)
    check_options(options)
    source, architecture, extra = _found(genotype, options["vocabulary"])
    weights = options["weights"]
    found = read_weights(weights, architecture) if weights else None
    architecture = (found and found.architecture()) or architecture
    spec = _spec(architecture, extra, found, options, say)
    int8 = _int8(options, spec, say)
    output = options["output"]
    if output is None:
        output = _name(source, extra) + _suffix(options["target"])
    request = Request(
        genotype=architecture,
        spec=spec,
        weights=found,
        interface=_interface(found, spec, options),
        options=ExportOptions(
            _size(extra, found, options["input_size"]),
            None if options["batch"] == "dynamic" else options["batch"],
            "fp32" if options["precision"] == AUTO else options["precision"],
            options["opset"] or OPSETS[0],
            options["compute_capability"],
            options["web_runtime"] and Path(options["web_runtime"]),
        ),
        output=Path(output),
        images=_images(options["images"], say),
        verify=not options["no_verify"],
        tolerance=options["tolerance"],
        seed=options["seed"],
        disabled=options["disable_pass"],
        target=options["target"],
        int8=int8,
        open_precision=options["precision"] == AUTO,
        max_drop=MAX_DROP if options["max_drop"] is None else options["max_drop"],
        device=_device(options),
    )
    written = {"--output": artefact_files(request.target, request.output)}
    written |= {option: [path] for option, path in others.items()}
    folders = {f"--{name}": options[name] for name in ("images", "labels")}
    check_overwriting(written, {"GENOTYPE": source, "--weights": weights}, folders)
    for path in others.values():
        check_file(path)
    return request


def _found(
    genotype: Architecture | str | os.PathLike[str], vocabulary: str | None
) -> tuple[str | None, Architecture, Mapping[str, Any]]:
    """Source, where the architecture was named by one; itself; what else its document says.

    Its own file says which operations of the vocabulary it has.
    """
    if isinstance(genotype, Architecture):
        return None, genotype, {}
    source = _path("genotype", genotype)
    document = find_architecture(_of_run(source) or source)
    if vocabulary is not None and document.format not in (None, "json"):
        found = f"a genotype as {document.format} writes it, which does not name its operations"
        raise OptionError(f"--vocabulary: {found}, expected our JSON document")
    return source, document.architecture, document.extra


def _of_run(source: str) -> str | None:
    """The document of ``RUN:TRIAL``, the trial of a search; None of anything else."""
    folder, _, trial = source.rpartition(":")
    if not (os.path.isdir(folder) or (folder and (trial == "best" or trial.isdecimal()))):
        return None
    from auxnas.search.networks.sources import document_of_trial

    return document_of_trial(source)


def _complete(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options over the defaults: paths as text, passes as a tuple of names."""
    unknown = sorted(options.keys() - DEFAULTS.keys())
    if unknown:
        raise TypeError(f"{unknown[0]!r} is no option, expected one of {', '.join(DEFAULTS)}")
    given = {**DEFAULTS, **options}
    given |= {name: _path(name, given[name]) for name in _PATHS if given[name] is not None}
    for name in ("disable_pass", "compute_capability"):
        values = given[name]
        given[name] = (values,) if isinstance(values, str) else tuple(values)
    for name in ("encoder", "task"):
        if isinstance(given[name], str):
            trust_place(given[name])
    if given["vocabulary"] is not None:
        find_vocabulary(given["vocabulary"])  # its module may add primitives
    return given


def _path(name: str, value: Any) -> str:
    if not isinstance(value, str | os.PathLike):
        raise CompilerError(name, short_repr(value), "a path")
    if value == "":
        raise CompilerError(name, "''", "a path (. is the current folder)")
    return os.fspath(value)


def _suffix(target: str) -> str:
    """Suffix of a default name; ``auto`` gives its own."""
    return "" if target == AUTO else target_of(target).suffix


def _name(source: str | None, extra: Mapping[str, Any]) -> str:
    """Name of the artefact: the document's, else the file's."""
    name = extra.get("name")
    if isinstance(name, str) and re.fullmatch(r"[\w.-]+", name):
        return name
    return (
        "genotype"
        if source is None or source.lstrip().startswith(("[", "{"))
        else Path(source).stem
    )


def _spec(
    architecture: Architecture,
    extra: Mapping[str, Any],
    weights: Weights | None,
    options: Mapping[str, Any],
    say: Callable[[str], None],
) -> ModelSpec:
    """Options over the weights' own word over the genotype document's over defaults."""
    known = _model("genotype", extra)
    own = _model(weights.source, weights.metadata) if weights else {}
    other = [name for name in _SIZES if known and own and known[name] != own[name]]
    if weights and other:
        found = ", ".join(f"{name} {own[name]:g}" for name in other)
        described = ", ".join(f"{name} {known[name]:g}" for name in other)
        say(f"note: {weights.source} is of {found}, where the genotype's file says {described}")
    encoder = blueprint_of(architecture).encoder
    if encoder is not None:
        known["encoder"] = encoder
    known |= own
    known |= {n: options[n] for n in (*_SIZES, "encoder", "task") if options[n] is not None}
    known["auxiliary"] = "none"
    return _of_task(ModelSpec(**known), options["classes"])


def _named_classes(spec: ModelSpec) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(spec.classes))


def _of_task(spec: ModelSpec, asked: int | None) -> ModelSpec:
    """``spec`` with as many outputs as its task has, which may not be a matter of classes.

    Raises:
        OptionError: when another number was asked for.
    """
    outputs = spec.find_task(_named_classes(spec)).outputs
    if asked not in (None, outputs):
        found = f"--classes {asked}: the task {spec.task} has {outputs}"
        raise OptionError(f"{found} output{'s' * (outputs != 1)}, expected none or as many")
    return replace(spec, classes=outputs)


def _model(place: str, source: Mapping[str, Any]) -> dict[str, Any]:
    """Facts on the network in a document, or in a file's metadata."""
    model = source.get("model", {})
    if not isinstance(model, dict):
        raise CompilerError(f"{place}: model", short_repr(model), "an object")
    try:
        return ModelSpec.from_dict(model).to_dict() if model else {}
    except CompilerError as error:
        raise CompilerError(f"{place}: {error.place}", error.found, error.expected) from None


def _size(
    extra: Mapping[str, Any], weights: Weights | None, wanted: Size | str | None
) -> Size | None:
    """Size that was asked for, else that of the training; None for dynamic."""
    if wanted is not None:
        return wanted if isinstance(wanted, tuple) else None
    for source in (weights.metadata if weights else {}, extra):
        own = source.get("size")
        if isinstance(own, list) and len(own) == 2 and all(type(n) is int for n in own):
            if max(own) > LARGEST_SIDE:
                place = weights.source if weights and source is weights.metadata else "genotype"
                expected = f"sides of at most {LARGEST_SIDE} pixels"
                raise CompilerError(f"{place}: size", short_repr(own), expected)
            return max(own[0], STRIDE), max(own[1], STRIDE)
    return 512, 512


def _interface(weights: Weights | None, spec: ModelSpec, options: Mapping[str, Any]) -> Interface:
    """The options, with the weights' own normalisation, else the encoder's."""
    own = weights.metadata.get("normalisation") if weights else None
    place = weights.source if weights else ""
    by = parse_normalisation(own, place) if own is not None else spec.find_encoder().normalisation
    grown = options["resize_output"] == "input"
    task = spec.find_task(_named_classes(spec))
    form = options["input_format"]
    return Interface(options["head"], grown, form, by.mean, by.deviation, task)


def _device(options: Mapping[str, Any]) -> Device | None:
    """The device that the artefact is checked on; None for this machine."""
    if options["device"] is None:
        return None
    device, target = parse_device(options["device"], options["device_command"]), options["target"]
    for each in CPU_TARGETS if target == AUTO else (target,):
        check_target(target_of(each), each, device)
    return device


def _images(folder: str | None, say: Callable[[str], None]) -> list[Any]:
    """At most 8 photographs spread over a folder, one of which at least says something."""
    if folder is None:
        return []
    found = find_images(folder, 8)
    judged = judge_photographs(found)
    judged.at_least(1, folder, "to check on")
    if remark := labels_remark(folder, judged):
        say(remark)
    return [read_photograph(path) for path in found]


def _int8(
    options: Mapping[str, Any], spec: ModelSpec, say: Callable[[str], None]
) -> Int8Options | None:
    """Options of int8; None for another precision, and where all are tried without photographs."""
    tried = options["precision"] == AUTO
    if options["precision"] != "int8" and not (tried and options["images"] is not None):
        return None
    if options["images"] is None:
        raise OptionError("--precision int8 needs photographs to calibrate on: --images DIR")
    numbers = spec.find_task().labels
    if options["depth_scale"] is not None:
        if not numbers.metric:
            raise OptionError(f"--depth-scale is for depth, not for the task {spec.task}")
        numbers = replace(numbers, units=options["depth_scale"])
    photographs = find_photographs(options["images"], options["labels"], numbers)
    if photographs.labels and numbers.classes:
        from auxnas.search.data.layouts.classes import find_key

        photographs = replace(photographs, decode=find_key(Path(options["labels"]), spec.classes))
    if options["map"] is not None:
        photographs = replace(photographs, table=_label_table(options["map"], numbers.classes))
    if photographs.labels:
        read_labels(photographs, spec.find_task(_named_classes(spec)))  # before the work
    if photographs.judged is not None and photographs.judged.left_out:
        say(f"note: {options['images']}: {photographs.judged}; those are left out")
    if photographs.judged is not None:
        dark = dark_remark(options["images"], photographs.judged.brightest)
        if dark:
            say(dark)
    tensorrt = options["target"] != AUTO and target_of(options["target"]).signed
    drop = MAX_DROP if options["max_drop"] is None else options["max_drop"]
    return Int8Options(photographs, drop, options["force"], tensorrt=tensorrt)


def _label_table(text: str, classes: bool) -> tuple[int, ...]:
    """The class of each value of label images, as ``--map`` of ``nassearch`` has it."""
    from auxnas.search.data.mapped import label_table

    if not classes:
        raise OptionError("--map is for labels that are classes")
    try:
        return label_table(text)
    except ValueError as error:
        raise OptionError(f"--map: expected {error}") from None
