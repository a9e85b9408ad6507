"""The front door: ``import auxnas`` and what it offers."""

from __future__ import annotations

import ast
import inspect
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import auxnas
from auxnas.backends.images import DataError
from auxnas.backends.progress import Silent
from auxnas.compiler import CompilerError
from auxnas.genotype import GenotypeError
from auxnas.genotype.plugins import PluginError
from auxnas.nascompile.cli import main as nascompile
from auxnas.nascompile.options import DEFAULTS, OptionError, Options
from auxnas.nassearch.function import search
from auxnas.search.errors import SettingsError
from auxnas.search.settings.presets import PRESETS

ROOT = Path(__file__).parents[2]
NAMES = ["Genotype", "SearchSpace", "__version__", "compile", "load", "search"]
TINY = {
    "learner": "null",
    "trials": 2,
    "threads": 1,
    "data.size": [32, 32],
    "model": {"width": 0.1, "agg_size": 8},
    "latency.measure": False,
    "pretrain": {"channels": 8, "epochs": 1},
}
SMALL = {"width": 0.1, "agg_size": 8, "classes": 3, "input_size": (64, 64)}


def fresh(code: str) -> str:
    """What ``code`` prints in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


# Names ------------------------------------------------------------------------------------


def test_importing_it_loads_nothing():
    loaded = fresh("import sys, auxnas; dir(auxnas); print(*sys.modules)").split()
    third = {"numpy", "networkx", "click", "rich", "pydantic", "onnx", "torch", "PIL"}
    assert not third & {name.partition(".")[0] for name in loaded}
    assert [name for name in loaded if name.startswith("auxnas")] == ["auxnas"]


def test_the_genotype_side_loads_the_standard_library_only():
    loaded = fresh("import sys, auxnas; auxnas.SearchSpace.cvpr2019(); print(*sys.modules)")
    assert not {"numpy", "networkx", "click"} & set(loaded.split())


def test_its_names():
    assert auxnas.__all__ == NAMES
    assert set(NAMES) <= set(dir(auxnas))
    assert all(getattr(auxnas, name) is not None for name in NAMES)
    with pytest.raises(AttributeError, match="module 'auxnas' has no attribute 'sample'"):
        auxnas.sample  # noqa: B018


@pytest.mark.parametrize(
    "code",
    [
        "import auxnas; search = auxnas.search",
        "import auxnas.search.loop.run; search = auxnas.search",
        "from auxnas.search import Driver; from auxnas import search",
    ],
)
def test_search_is_a_package_and_a_function(code):
    checks = (
        "import auxnas; from auxnas.search import Driver\n"
        "import auxnas.search.loop.run as r; assert auxnas.search.loop.run is r\n"
        "assert search is auxnas.search and Driver is search.Driver\n"
        "try: search('nothing', 'out', preset='big')\n"
        "except ValueError as error: print(error)\n"
    )
    assert fresh(f"{code}\n{checks}") == f"preset: 'big', expected one of {', '.join(PRESETS)}\n"


def test_help_on_search_shows_how_it_is_called():
    signature = inspect.signature(auxnas.search)
    assert signature == inspect.signature(search)
    plain = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    call = f"auxnas.search{signature.replace(parameters=plain, return_annotation=inspect._empty)}"
    assert call in pydoc.plain(pydoc.render_doc(auxnas.search))


def test_type_checkers_see_the_names_that_there_are():
    """What is imported for them is what is imported when it is used."""
    tree = ast.parse((ROOT / "auxnas/__init__.py").read_text("utf-8"))
    imported = {
        alias.name: node.module
        for branch in tree.body
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported.pop("search") == "auxnas.nassearch.function"
    assert imported == auxnas._HOMES
    assert {*imported, "__version__", "search"} == set(NAMES)


# Compile ----------------------------------------------------------------------------------


def test_compile_has_the_options_of_the_command_and_their_defaults():
    ends = {"genotype", "output", "dry_run", "draw", "report", "as_json"}
    options = {each.name: each for each in nascompile.params if each.name not in ends}
    assert options.keys() == Options.__annotations__.keys()
    assert options.keys() | {"output"} == DEFAULTS.keys()
    made = nascompile.make_context("nascompile", ["arch0"]).params
    assert {name: made[name] for name in DEFAULTS} == dict(DEFAULTS)


@pytest.fixture(scope="module")
def artefact(tmp_path_factory):
    """A tiny compiled network."""
    path = tmp_path_factory.mktemp("api") / "tiny.onnx"
    auxnas.compile("arch0", path, **SMALL, no_verify=True)
    return path


def test_compile_takes_a_name_a_path_and_a_genotype(artefact, tmp_path, capfd):
    genotype = auxnas.load(artefact).artefact.genotype()
    assert isinstance(genotype, auxnas.Genotype)
    report = auxnas.compile(genotype, str(tmp_path / "b.onnx"), **SMALL, no_verify=True)
    assert report.made.output == tmp_path / "b.onnx"
    assert report.made.output.read_bytes() == artefact.read_bytes()
    (tmp_path / "g.json").write_text((ROOT / "genotype/zoo/arch0.json").read_text())
    auxnas.compile(tmp_path / "g.json", tmp_path / "c.onnx", **SMALL, no_verify=True)
    assert capfd.readouterr() == ("", "")


def test_compile_writes_what_the_command_writes(artefact, tmp_path):
    words = ["arch0", "--output", str(tmp_path / "a.onnx"), "--no-verify", "--input-size", "64x64"]
    words += ["--width", "0.1", "--agg-size", "8", "--classes", "3"]
    assert nascompile.main(words, standalone_mode=False) == 0
    assert (tmp_path / "a.onnx").read_bytes() == artefact.read_bytes()


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"target": "onxn"}, PluginError, "target: no 'onxn', expected perhaps onnx, or one of "),
        ({"head": 3}, CompilerError, "head: 3, expected one of logits, probabilities, labels"),
        ({"resize_output": True}, CompilerError, "resize_output: True, expected one of none, "),
        ({"classes": 256}, CompilerError, "classes: 256, expected an integer from 1 to 255"),
        ({"opset": 17}, CompilerError, "opset: 17, expected an integer from 18 to 22"),
        ({"width": 0.0}, CompilerError, "width: 0.0, expected a number from 0.05 to 4"),
        ({"batch": 0}, CompilerError, "batch: 0, expected an integer of at least 1"),
        ({"input_size": 64}, CompilerError, "input_size: 64, expected (height, width) or "),
        ({"input_size": (16, 64)}, OptionError, "input_size: 16x64, expected 32x32 or more"),
        ({"max_drop": 0.1}, OptionError, "max_drop is for precision int8"),
        ({"precision": "int8"}, OptionError, "precision int8 needs photographs to calibrate"),
        ({"tolerance": "much"}, OptionError, "tolerance: much, expected 0 or more"),
        ({"disable_pass": "fold"}, OptionError, "disable_pass: no pass 'fold', expected one of"),
        ({"target": "torch", "precision": "fp16"}, OptionError, "precision fp16: target torch, "),
        ({"weights": 7}, CompilerError, "weights: 7, expected a path"),
        ({"weights": "none.safetensors"}, CompilerError, "none.safetensors: no such file"),
        ({"encoder": "mobilnet"}, PluginError, "perhaps mobilenet_v2"),
        ({"colour": 1}, TypeError, "'colour' is no option, expected one of weights, target, "),
    ],
)
def test_a_wrong_option_is_an_error_of_one_line(tmp_path, options, kind, message):
    given = {"input_size": (64, 64), "width": 0.1} | options
    with pytest.raises(kind, match=re.escape(message)) as raised:
        auxnas.compile("arch0", tmp_path / "a.onnx", **given)
    assert "\n" not in str(raised.value)
    assert "--" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_genotype_and_an_output_over_it(tmp_path):
    with pytest.raises(GenotypeError, match="arch9: no such file, expected a genotype file"):
        auxnas.compile("arch9", tmp_path / "a.onnx")
    with pytest.raises(CompilerError, match="genotype: 3, expected a path"):
        auxnas.compile(3, tmp_path / "a.onnx")
    mine = tmp_path / "mine.onnx"
    mine.write_text(text := (ROOT / "genotype/zoo/arch0.json").read_text())
    with pytest.raises(OptionError, match=r"^output: .*mine.onnx would replace GENOTYPE "):
        auxnas.compile(mine, mine)
    assert mine.read_text() == text


def test_paths_keep_their_dashes():
    error = OptionError("--max-drop: /a--b/--c would replace --weights w--x")
    assert error.line == "--max-drop: /a--b/--c would replace --weights w--x"
    assert str(error) == "max_drop: /a--b/--c would replace weights w--x"


# Load -------------------------------------------------------------------------------------


def test_load_tells_metadata_and_classes_without_a_runtime(artefact):
    code = (
        f"import sys, auxnas; m = auxnas.load({str(artefact)!r}); n = m.metadata['model']['width']"
    )
    out = fresh(f"{code}; print(n, *m.classes, *{{'torch', 'onnxruntime'}} & {{*sys.modules}})")
    assert out == "0.1 class 0 class 1 class 2\n"


def test_predict_labels_every_pixel(artefact, tmp_path):
    model = auxnas.load(artefact)
    assert model.classes == ("class 0", "class 1", "class 2")
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    labels = model.predict(image)
    assert (labels.shape, labels.dtype) == ((50, 70), np.uint8)
    assert labels.max() < 3
    Image.fromarray(image).save(tmp_path / "image.png")
    np.testing.assert_array_equal(model.predict(tmp_path / "image.png"), labels)
    np.testing.assert_array_equal(model.predict(str(tmp_path / "image.png")), labels)


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (np.zeros((4, 4, 3)), "float64 of shape (4, 4, 3)"),
        (np.zeros((4, 4), np.uint8), "uint8 of shape (4, 4)"),
        (np.zeros((4, 0, 3), np.uint8), "uint8 of shape (4, 0, 3)"),
    ],
)
def test_what_is_no_image(artefact, image, found):
    with pytest.raises(DataError) as raised:
        auxnas.load(artefact).predict(image)
    assert str(raised.value) == f"image: {found}, expected (height, width, 3) uint8"


def test_what_is_no_artefact(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"a\.onnx"):
        auxnas.load(tmp_path / "a.onnx")
    with pytest.raises(FileNotFoundError):
        auxnas.load(tmp_path / "b.onnx")


# Search -----------------------------------------------------------------------------------


class Heard:
    """A display that remembers lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    task = Silent.task


def test_search_runs_silently_and_goes_on(tmp_path, capfd):
    out, cache = tmp_path / "run", tmp_path / "cache"
    first = auxnas.search("synthetic:12", out, preset="demo", cache=cache, **TINY)
    assert first.folder == out
    assert len(first.trials) == 2
    assert first.trials[0].reward >= first.trials[1].reward
    assert {path.parent for path in first.files.values()} == {out}
    assert all(path.exists() for path in first.files.values())
    assert capfd.readouterr() == ("", "")
    heard = Heard()
    more = TINY | {"trials": 3}
    second = auxnas.search(
        {"source": "synthetic:12"}, out, preset="demo", cache=cache, display=heard, **more
    )
    assert len(second.trials) == 3
    assert all(trial in second.trials for trial in first.trials)
    assert any(line.startswith("trial 3/3: reward ") for line in heard.lines)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trails": 3}, "trails: no such setting, expected perhaps trials"),
        ({"stage1": {"epoch": 3}}, "stage1.epoch: no such setting, expected perhaps stage1.epochs"),
        ({"stage1.epochs": -1}, "stage1.epochs: -1, expected at least 0"),
        ({"preset": "big"}, f"preset: 'big', expected one of {', '.join(PRESETS)}"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, settings, message):
    with pytest.raises(SettingsError, match=f"^{re.escape(message)}"):
        auxnas.search("synthetic:12", tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_the_settings_given_stay_as_they_are(tmp_path):
    given = {"stage1": {"epochs": 1}, "stage1.epochs": -1}
    with pytest.raises(SettingsError):
        auxnas.search("synthetic:12", tmp_path / "run", **given)
    assert given == {"stage1": {"epochs": 1}, "stage1.epochs": -1}


# README -----------------------------------------------------------------------------------


def test_the_example_of_the_readme_runs(tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    (code,) = [block for block in blocks if "auxnas.load" in block]
    tiny = {"learner": "null", "threads": 1, "latency.measure": False, "data.size": [32, 32]}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUXNAS_CACHE", str(tmp_path / "cache"))
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save("photograph.jpg")
    search = auxnas.search
    monkeypatch.setattr(auxnas, "search", lambda *a, **k: search(*a, **tiny | k))
    scope: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), scope)
    assert scope["labels"].shape == (40, 40)
