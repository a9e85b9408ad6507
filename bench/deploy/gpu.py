"""All that takes an NVIDIA GPU, in one run of at most 8 minutes.

    python bench/deploy/gpu.py --output gpu.json

Engines of arch0 to arch2 at fp32, fp16 and int8: built and checked by ``nascompile``, run and
timed by ``nasrun bench``, their outputs compared with those of the same network in onnxruntime.
Steps of stage 1 (``training/stage1.py``): plain, compiled by torch, ours, and ours recorded. A
search whose last batch is smaller than the others. Each is a command in a process of its own, so
that one that fails, or takes too long, is told and costs nothing of the others; what no time is
left for is told too. Needs the extras torch, ort and rtx (or tensorrt). ``--target onnx --device
cpu`` tries the script without a GPU.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

from auxnas.backends.targets import target_of
from auxnas.search.data import render_scene

ARCHITECTURES, PRECISIONS = ("arch0", "arch1", "arch2"), ("fp32", "fp16", "int8")
STAGE1 = Path(__file__).parent.parent / "training" / "stage1.py"
SCENES = 24


class PartFailure(RuntimeError):
    """A command that failed, or took too long; the message is its last line."""


@dataclass(frozen=True)
class Session:
    """A run with an end.

    Attributes:
        folder: of what is made.
        end: time by which all is over, in seconds.
    """

    folder: Path
    end: float

    def told(self, words: Sequence[str]) -> str:
        """What a command prints.

        Raises:
            PartFailure: when it fails, or there is no time left for it.
        """
        left = self.end - time.monotonic()
        if left < 1:
            raise PartFailure("not run: no time left")
        try:
            found = subprocess.run(
                words, capture_output=True, text=True, timeout=left, cwd=self.folder, check=False
            )
        except subprocess.TimeoutExpired:
            raise PartFailure(f"{words[0]}: not done in the {left:.0f} s that were left") from None
        if found.returncode != 0:
            lines = found.stderr.strip().splitlines() or ["no message"]
            raise PartFailure(f"{words[0]}: exit status {found.returncode}: {lines[-1]}")
        return found.stdout


def scenes(folder: Path, size: int) -> Path:
    """A folder of photographs to calibrate on."""
    images = folder / "images"
    images.mkdir()
    for index in range(SCENES):
        image = render_scene(0, index, (size, size)).image
        Image.fromarray(image).save(images / f"{index:02}.png")
    return images


def engine(
    session: Session, name: str, precision: str, target: str, size: int, image: Path
) -> dict[str, Any]:
    """One engine: its compile's report, its times, and how far it is from onnxruntime."""
    path = session.folder / f"{name}-{precision}{target_of(target).suffix}"
    words = ["nascompile", name, "--target", target, "--precision", precision, "--json"]
    words += ["--input-size", f"{size}x{size}", "--output", str(path)]
    words += ["--images", "images"] if precision == "int8" else []
    report = json.loads(session.told(words))
    output = session.folder / "output.npy"
    times = json.loads(
        session.told(["nasrun", "bench", str(path), str(image), str(output), "--json"])
    )
    facts = {
        key: report.get(key) for key in ("target", "missing", "difference", "unchecked", "bytes")
    }
    return {
        "compile": facts,
        "bench": times,
        **apart(np.load(output), base(session, name, size, image)),
    }


def base(session: Session, name: str, size: int, image: Path) -> np.ndarray[Any, Any]:
    """The network's output in onnxruntime, at fp32."""
    path = session.folder / f"{name}-base.onnx"
    output = path.with_suffix(".npy")
    if not output.exists():
        words = ["nascompile", name, "--input-size", f"{size}x{size}", "--no-verify", "--json"]
        session.told([*words, "--output", str(path)])
        words = ["nasrun", "bench", str(path), str(image), str(output), "--runs", "1", "--json"]
        session.told(words)
    found: np.ndarray[Any, Any] = np.load(output)
    return found


def apart(found: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> dict[str, float]:
    """Largest relative error, and share of labels that differ."""
    labels = found.argmax(1) != truth.argmax(1)
    error = np.abs(found - truth).max() / np.abs(truth).max()
    return {"error_to_onnxruntime": float(error), "labels_changed": float(labels.mean())}


def stage1(session: Session, device: str, count: int) -> dict[str, Any]:
    """Steps a second of stage 1 in all forms."""
    output = session.folder / "stage1.json"
    words = [sys.executable, str(STAGE1), "--device", device, "--compiled"]
    session.told([*words, "--count", str(count), "--output", str(output)])
    found: dict[str, Any] = json.loads(output.read_text())
    return found


def search(session: Session) -> dict[str, Any]:
    """A search of three trials whose last batch has fewer images than the others."""
    words = ["nassearch", "run", "--data", "synthetic:45", "--preset", "demo", "--trials", "3"]
    words += ["--set", "pretrain.epochs=2", "--out", "run"]
    session.told(words)
    found: dict[str, Any] = json.loads(session.told(["nassearch", "status", "run", "--json"]))
    return found


def parts(
    session: Session, target: str, device: str, size: int, count: int, names: Sequence[str]
) -> Iterator[tuple[str, Any]]:
    """Names of all parts, and functions that run them."""
    scenes(session.folder, size)
    image = session.folder / "image.npy"
    rng = np.random.default_rng(0)
    np.save(image, rng.normal(size=(1, 3, size, size)).astype(np.float32))
    for name in names:
        for precision in PRECISIONS:
            yield (
                f"engine {name} {precision}",
                lambda n=name, p=precision: engine(session, n, p, target, size, image),
            )
    yield "search", lambda: search(session)
    yield "stage 1", lambda: stage1(session, device, count)


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--target", default="rtx", show_default=True, help="Or trt.")
@click.option("--device", default="cuda", show_default=True, help="Of the trainings.")
@click.option("--size", default=512, show_default=True)
@click.option("--count", default=4, show_default=True, help="Genotypes of stage 1.")
@click.option("--seconds", default=460, show_default=True, help="Of the whole run.")
@click.option("--architectures", default=",".join(ARCHITECTURES), show_default=True)
def main(
    output: Path, target: str, device: str, size: int, count: int, seconds: int, architectures: str
) -> None:
    start, found = time.monotonic(), dict[str, Any]()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Path(folder), start + seconds)
        names = architectures.split(",")
        for name, part in parts(session, target, device, size, count, names):
            begun = time.monotonic()
            try:
                result = part()
            except PartFailure as error:
                result = {"failed": str(error)}
            found[name] = {**result, "seconds": round(time.monotonic() - begun, 1)}
            click.echo(f"{name}: {found[name].get('failed', 'done')}, {found[name]['seconds']} s")
            output.write_text(json.dumps(found, indent=2) + "\n")  # what is cut off loses no part


if __name__ == "__main__":
    main()
