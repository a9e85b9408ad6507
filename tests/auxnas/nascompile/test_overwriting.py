"""``nascompile`` never writes over what it reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from auxnas.backends.targets import (
    CPU_TARGETS,
    TARGETS,
    artefact_files,
    resolve_target,
    with_target_suffix,
)
from auxnas.compiler import ModelSpec, lower
from auxnas.compiler.weights import initial_params, save_weights
from auxnas.genotype import to_json, zoo
from auxnas.nascompile.cli import main
from tests.auxnas.nasrun.artefacts import photograph

ARCH0 = zoo.load_published("arch0").genotype
WEIGHTS = ("w.safetensors", "w.bin", "w.xml", "w.trt.zip", "w.engine.json", "same.safetensors")


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    """A genotype, weights under several names, and a folder of pictures."""
    monkeypatch.chdir(tmp_path)
    Path("net.json").write_text(to_json(ARCH0))
    spec = ModelSpec(classes=5, agg_size=8, sep_repeats=1, width=0.25)
    save_weights(WEIGHTS[0], initial_params(lower(ARCH0, spec), 0), {"model": spec.to_dict()})
    for name in WEIGHTS[1:-1]:
        Path(name).write_bytes(Path(WEIGHTS[0]).read_bytes())
    Path(WEIGHTS[-1]).symlink_to(WEIGHTS[0])
    Path("photos").mkdir()
    photograph(Path("photos/1.png"), 40, 40, 1)
    Path("photos/link.png").symlink_to("../outside.png")
    photograph(Path("outside.png"), 40, 40, 2)


def compile_(*args: str):
    unchecked = [] if "--images" in args else ["--no-verify"]
    return CliRunner().invoke(main, [*args, "--input-size", "32x32", *unchecked])


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


REFUSED = {
    "net.json --report net.json": "--report: net.json would replace GENOTYPE net.json",
    "net.json --output ./photos/../net.json": "would replace GENOTYPE net.json",
    "net.json --weights w.safetensors --output w.safetensors": "--output: w.safetensors would",
    "net.json --weights same.safetensors --output w.safetensors": "--weights same.safetensors",
    "net.json --weights w.safetensors --output same.safetensors": "--weights w.safetensors",
    "net.json --weights w.bin --target openvino --output w.xml": "--output: w.bin would replace",
    "net.json --weights w.xml --target auto --output w": "--output: w.xml would replace",
    "net.json --weights w.bin --target auto --output w.onnx": "--output: w.bin would replace",
    "net.json --weights w.trt.zip --target trt --output w.engine": "w.trt.zip would replace",
    "net.json --weights w.engine.json --target trt --output w.engine": "--weights w.engine.json",
    "arch0 --target trt --output a.engine --report a.engine.json": "what --output writes",
    "arch0 --images photos --draw photos/1.png": "--draw: photos/1.png would be one of the",
    "arch0 --images photos --draw photos/link.png": "pictures in --images photos",
    "arch0 --images photos --draw photos/more/new.png": "pictures in --images photos",
    "arch0 --images . --output photos/1.png": "pictures in --images .",
    "arch0 --draw b.svg --output b.svg": "--draw: b.svg would replace what --output writes",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_is_read_is_not_written_over(line):
    before = contents()
    result = compile_(*line.split())
    assert result.exit_code == 2, result.output
    assert REFUSED[line] in result.stderr
    assert result.stderr.count("\n") == 1
    assert contents() == before


def test_labels_are_not_written_over():
    folders = ("--images", "photos", "--labels", "labels")
    Path("labels").mkdir()
    for number in range(8):
        photograph(Path(f"photos/{number}.png"), 40, 40, number)
        Image.new("L", (40, 40)).save(f"labels/{number}.png")
    result = compile_("arch0", "--precision", "int8", *folders, "--draw", "labels/3.png")
    assert result.exit_code == 2
    assert "pictures in --labels labels" in result.stderr


@pytest.mark.parametrize(
    ("line", "made"),
    [
        ("arch0 --output arch0", "arch0"),
        ("net.json --images photos --output photos/a.onnx", "photos/a.onnx"),
        ("net.json --weights w.bin --output w.onnx --report w.html", "w.html"),
    ],
)
def test_other_names_are_free(line, made):
    before = contents()
    result = compile_(*line.split(), "--agg-size", "8", "--width", "0.25", "--sep-repeats", "1")
    assert result.exit_code == 0, result.output
    assert os.path.getsize(made) > 0
    assert before.items() <= contents().items()


@pytest.mark.parametrize("target", [*TARGETS, "auto"])
def test_whatever_is_resolved_to_is_among_the_files(target):
    rows = TARGETS
    if target == "executorch":
        pytest.importorskip("executorch")
    for fast in CPU_TARGETS:
        output = Path("d/a" + ("" if target == "auto" else rows[target].suffix))
        made = resolve_target(target, output)
        name, main = made.target, made.output
        if target == "auto":
            name, main = fast, with_target_suffix(output, fast)
        beside = [main.with_suffix(suffix) for suffix in rows[name].beside]
        assert {main, *beside} <= {*artefact_files(target, output)}


UNWRITABLE = {
    "nowhere/x.onnx": "nowhere/x.onnx: its directory does not exist",
    "net.json/x.onnx": "net.json/x.onnx: its directory is a file",
    "photos": "photos: is a directory, expected a file name",
    "/proc/x.onnx": "/proc: nothing can be made there",
}
UNWRITABLE_FOLDERS = {
    "nowhere/site": "nowhere/site: its directory does not exist",
    "outside.png": "outside.png: is a file, expected a folder's name",
    "photos": "photos: a folder with 1.png in it, expected a new folder",
    "/proc/site": "/proc: nothing can be made there",
}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        *((f"-o {name}", found) for name, found in UNWRITABLE.items()),
        ("-o /proc/x.ort.onnx --target ort", "/proc: nothing can be made there"),
        ("-o /proc/x --target auto", "/proc: nothing can be made there"),
        *((f"--target web -o {name}", found) for name, found in UNWRITABLE_FOLDERS.items()),
    ],
)
def test_a_place_that_takes_no_file_is_found_before_the_work(words, found, monkeypatch):
    def work(*_, **__):
        raise AssertionError("began")

    monkeypatch.setattr("auxnas.backends.compiling.compile.network_of", work)
    before = contents()
    result = compile_("net.json", *words.split())
    assert result.exit_code == 2, result.output
    assert f"error: {found}" in result.stderr
    assert result.stderr.count("\n") == 1
    assert contents() == before
    began = compile_("net.json", "-o", "x.onnx")
    assert "began" in began.output


def test_a_folder_in_the_place_of_a_genotype_is_answered_with_its_files():
    Path("run").mkdir()
    for name in ("a.json", "best.json", "genotype.json"):
        Path("run", name).write_text(to_json(ARCH0))
    Path("run/p.jpg").write_bytes(b"\xff\xd8")
    for name in ("a", "w"):
        Path(f"run/{name}.safetensors").write_bytes(Path(WEIGHTS[0]).read_bytes())
    for words, said in {
        "run": "run: a folder, no file, expected a genotype file, such as run/best.json",
        "run:best": "run:best: a folder, no file, expected a genotype file, such as run/best.json",
        "run:3": "expected a genotype file: nassearch export run --trial 3 --output DIR writes it",
        "photos": "photos: a folder, no file, expected a genotype file",
        "w.safetensors": "w.safetensors: weights, no genotype, expected a genotype file; --wei",
        "run/w.safetensors": "weights, no genotype, expected a genotype file, such as run/gen",
        "run/a.safetensors": "expected a genotype file, such as run/a.json; --weights FILE",
        "run/p.jpg": "run/p.jpg: a picture, no genotype, expected a genotype file, such as run/gen",
        "gone:3": "gone: no search in it, expected the folder of one: nassearch run --out",
    }.items():
        result = compile_(words)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert said in result.stderr
    Path("run:best").write_text(to_json(ARCH0))
    assert compile_("run:best", "--dry-run").exit_code == 0
