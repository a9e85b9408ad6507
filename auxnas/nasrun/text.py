"""Output of the commands for people, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from auxnas.backends.artefacts.artefact import Artefact
from auxnas.backends.artefacts.profile import Profile, TimeShare
from auxnas.backends.compiling.verification import Difference
from auxnas.compiler import CompilerError
from auxnas.compiler.tasks import DEFAULT
from auxnas.genotype.errors import inline, truncate_middle
from auxnas.listing import sections

_SHOWN = (
    "tool", "genotype", "key", "model", "weights", "classes", "palette", "normalisation",
    "input_format", "head", "resize_output", "passes", "verification", "float_verification",
    "quantisation", "precision",
)  # fmt: skip
"""Metadata that have a line of their own."""


_LONGEST = 8000
"""Characters of a value that are shown; what we write ourselves is shorter."""


def text_rows(values: Mapping[str, str]) -> list[str]:
    """``name   value`` lines; further lines of a value stand below its first."""
    shown = {inline(name): truncate_middle(value, _LONGEST) for name, value in values.items()}
    width = max(map(len, shown)) + 2
    indent = "\n" + " " * width
    return [f"{name:{width}}{value.replace(chr(10), indent)}" for name, value in shown.items()]


def explanation(artefact: Artefact) -> list[str]:
    """All that is known of an artefact."""
    data = artefact.metadata
    known = {
        "file": f"{artefact.path}, {artefact.size / 1e6:.1f} MB",
        "written by": str(data.get("tool", artefact.producer))
        + (f", opset {artefact.opset}" if artefact.opset is not None else ""),
        "input": ("\n".join(map(str, artefact.inputs)) + _preprocessing(data)).strip(),
        "output": ("\n".join(map(str, artefact.outputs)) + _head(data)).strip(),
        "parameters": "" if artefact.parameters is None else f"{artefact.parameters:,}",
        "nodes": _counts(artefact.counts),
        "task": str(_task(data)) if artefact.ours else "",
        "model": _pairs(data.get("model")),
        "weights": str(data.get("weights", "")),
        "classes": _list(data.get("classes")),
        "palette": _list(data.get("palette")),
        "precision": str(data.get("precision", "")),
        "passes": _list(data.get("passes")),
        "verification": _verified(data) if artefact.ours else "",
        "quantisation": _quantisation(data.get("quantisation")),
        "key": str(data.get("key", "")),
    }
    others = {name: str(value) for name, value in data.items() if name not in _SHOWN}
    shown = {name: value for name, value in (known | others).items() if value}
    return [*text_rows(shown), *_architecture(artefact)]


def _architecture(artefact: Artefact) -> Iterator[str]:
    try:
        genotype = artefact.genotype()
    except CompilerError as error:
        yield f"\ngenotype  not readable: {error}"
        return
    if genotype is not None:
        yield ""
        yield from sections(genotype)


def listing(artefact: Artefact) -> list[str]:
    """The architecture in words; none where the file does not say, or says nonsense."""
    return [line.strip("\n") for line in _architecture(artefact)][1:]


def _task(data: Mapping[str, Any]) -> Any:
    """The meaning of the output; segmentation goes without saying."""
    model = data.get("model")
    return model.get("task", DEFAULT) if isinstance(model, dict) else DEFAULT


def _preprocessing(data: Mapping[str, Any]) -> str:
    norm, form = data.get("normalisation"), data.get("input_format")
    if not isinstance(norm, dict) or form is None:
        return ""
    scale = f"less {norm.get('mean')} over {norm.get('deviation')}"
    if form == "nhwc-uint8":
        return f"\nRGB bytes (nhwc-uint8); inside: RGB / 255 {scale}"
    return f"\nRGB / 255 {scale} ({form})"


def _head(data: Mapping[str, Any]) -> str:
    if "head" not in data:
        return ""
    size = "the image's size" if data.get("resize_output") else "the size that the decoder gives"
    return f"\n{data['head']}, at {size}"


def _counts(counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    each = ", ".join(f"{name} {count}" for name, count in counts.items())
    return f"{sum(counts.values())}: {each}"


def _pairs(values: Any) -> str:
    if not isinstance(values, dict):
        return str(values or "")
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _list(values: Any) -> str:
    if not isinstance(values, list):
        return str(values or "")
    return f"{len(values)}: {', '.join(map(str, values))}" if values else "none"


def _verified(data: Mapping[str, Any]) -> str:
    """Of an int8 network, what is known is how the float one did that it was made from."""
    if "float_verification" not in data:
        return _verification(data.get("verification"))
    return f"of the float network:\n{_verification(data['float_verification'])}"


def _quantisation(facts: Any) -> str:
    """Result of making it int8, in one line."""
    try:
        said = (
            facts["disagreement"]
            if "disagreement" in facts
            else f"{facts['label_agreement']:.2%} of labels stay"
        )
        return (
            f"{said} against fp32 on {facts['held_out_images']}"
            f" held-out photographs, in float {len(facts['layers_in_float'])} of"
            f" {facts['layers']} layers; ships {facts['precision']}"
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return str(facts or "")


def _verification(values: Any) -> str:
    """The errors against the float64 reference, a line an image size."""
    if not isinstance(values, dict) or not values:
        return "none: it was not checked against the float64 reference when it was made"
    return "\n".join(f"{size:9} {_difference(found)}" for size, found in values.items())


def _difference(found: Any) -> str:
    try:
        difference = Difference.of(found)
        text = str(difference)
        if difference.max_absolute is None or difference.max_relative is None:
            return text
        numbers = f"absolute {difference.max_absolute:.1e}, mean {difference.mean_absolute:.1e}"
    except (TypeError, ValueError, OverflowError):
        return str(found)
    return f"{text}; {numbers}"


def profile_lines(profile: Profile, top: int) -> list[str]:
    """The profile in tables: by part, by the cell's operations, the slowest kernels."""
    parts = [
        *profile.shares(lambda k: k.place.group),
        TimeShare("between kernels", profile.between, 0),
    ]
    operations = profile.shares(lambda k: k.place.operation)
    details = profile.shares(lambda k: k.place.label)[:top]
    lines = ["", *_table("part", parts, profile)]
    if operations:
        lines += ["", *_table("cell operation, over all blocks", operations, profile)]
    lines += ["", *_table(f"place, the slowest {len(details)}", details, profile)]
    lines += ["", *_kernel_table(profile, top), "", _fused(profile)]
    return lines


def _table(title: str, shares: Sequence[TimeShare], profile: Profile) -> Iterator[str]:
    names = [inline(share.name) for share in shares]
    width = max(len(title), *map(len, names)) + 2
    yield f"{title:{width}}{'ms':>9}{'%':>7}{'kernels':>9}"
    for share, name in zip(shares, names, strict=True):
        yield f"{name:{width}}{_time(share.seconds, profile)}{share.kernels or '':>9}"


def _kernel_table(profile: Profile, top: int) -> Iterator[str]:
    slowest = sorted(profile.kernels, key=lambda pair: -pair[1])[:top]
    names = [inline(kernel.node or kernel.name) for kernel, _ in slowest]
    title = f"kernel, the slowest {len(slowest)}"
    width = max(len(title), *map(len, names)) + 2
    yield f"{title:{width}}{'ms':>9}{'%':>7}  operator"
    for (kernel, seconds), name in zip(slowest, names, strict=True):
        yield f"{name:{width}}{_time(seconds, profile)}  {inline(kernel.op)}"


def _time(seconds: float, profile: Profile) -> str:
    return f"{1e3 * seconds:9.3f}{100 * seconds / profile.total:7.1f}"


def _fused(profile: Profile) -> str:
    unmatched = profile.unmatched
    if not unmatched:
        end = "none is unmatched"
    else:
        end = f"{len(unmatched)} unmatched: {', '.join(inline(k.name) for k in unmatched[:5])}"
    return (
        f"{len(profile.kernels)} kernels, {end}; {len(profile.absorbed)} nodes have none of"
        " their own: they are fused into others, whose time holds theirs"
    )


def profile_json(profile: Profile) -> dict[str, Any]:
    """The profile as plain data, in milliseconds a run."""
    unmatched = [kernel.name for kernel in profile.unmatched]
    return {
        "runs": profile.runs,
        "total_ms": 1e3 * profile.total,
        "between_kernels_ms": 1e3 * profile.between,
        "groups": _shares(profile.shares(lambda k: k.place.group), profile),
        "operations": _shares(profile.shares(lambda k: k.place.operation), profile),
        "places": _shares(profile.shares(lambda k: k.place.label), profile),
        "kernels": [
            {
                "kernel": kernel.name,
                "op": kernel.op,
                "node": kernel.node,
                "group": kernel.place.group,
                "place": kernel.place.label,
                "ms": 1e3 * seconds,
            }
            for kernel, seconds in profile.kernels
        ],
        "unmatched": unmatched,
        "fused_nodes": list(profile.absorbed),
    }


def _shares(shares: Iterable[TimeShare], profile: Profile) -> list[dict[str, Any]]:
    return [
        {
            "name": share.name,
            "ms": 1e3 * share.seconds,
            "percent": 100 * share.seconds / profile.total,
            "kernels": share.kernels,
        }
        for share in shares
    ]
