"""Target web: the folder, and the page in a real browser against ``nasrun predict``."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import os
import shutil
import subprocess
import tarfile
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from auxnas.backends.images import network_input, resize_rgb
from auxnas.backends.targets import atomic_write_set
from auxnas.backends.web import BINARY, FILES, MODEL, SCRIPT, runtime
from auxnas.compiler.interface import Interface
from auxnas.compiler.tasks.growing import classify, resize_nearest
from auxnas.nascompile.cli import main as nascompile
from auxnas.nasrun.cli import main as nasrun
from tests.backends.contract_target import TargetContract

ROOT = Path(__file__).parents[2]
SMALL = ("--agg-size", "8", "--width", "0.25", "--sep-repeats", "1")
FAKES = {SCRIPT: b"export {};", BINARY: b"\0asm"}


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUXNAS_CACHE", str(tmp_path / "cache"))


def known(monkeypatch, files=FAKES):
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    monkeypatch.setattr(runtime, "DIGESTS", digests)


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    """A runtime of a few bytes in the cache."""
    known(monkeypatch)
    folder = tmp_path / "cache" / f"{runtime.PACKAGE}-{runtime.VERSION}"
    folder.mkdir(parents=True)
    for name, data in FAKES.items():
        (folder / name).write_bytes(data)


def compile_(*args):
    words = ["arch0", *SMALL, "--input-size", "64x64", "--target", "web", "-o", "site"]
    return CliRunner().invoke(nascompile, [*words, *args])


def fails(result, status, message):
    assert (result.exit_code, result.stderr.count("\n")) == (status, 1), result.output
    assert message in result.stderr


@pytest.mark.usefixtures("fakes")
class TestWeb(TargetContract):
    name = "web"
    metadata = {  # noqa: RUF012
        "tool": "auxnas",
        "head": "logits",
        "input_format": "nchw-float",
        "normalisation": '{"mean": [0, 0, 0], "deviation": [1, 1, 1]}',
        "classes": '["</script>", "b"]',
    }

    def test_the_page_holds_names_as_data(self, target, network, tmp_path):
        from auxnas.backends.base import ExportOptions

        page = (self.made(target, network, tmp_path, ExportOptions()) / "index.html").read_text()
        assert "/* page.js */" not in page
        facts = page.partition('id="facts">')[2].partition("</script>")[0]
        assert json.loads(facts)["answer"]["names"][:2] == ["</script>", "b"]


@pytest.mark.usefixtures("fakes")
def test_the_folder_is_checked_replaced_and_opened():
    for head in ("logits", "labels"):
        result = compile_("--head", head, "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        assert found["output"] == "site"
        assert found["difference"] is not None
        assert sorted(os.listdir("site")) == sorted(FILES)
    assert [each for each in os.listdir() if each not in ("site", "cache")] == []
    explained = CliRunner().invoke(nasrun, ["explain", f"site/{MODEL}", "--json"])
    assert json.loads(explained.stdout)["metadata"]["head"] == "labels"


@pytest.mark.usefixtures("fakes")
def test_a_folder_of_others_is_kept():
    Path("site").mkdir()
    Path("site/photo.jpg").write_text("mine")
    fails(compile_(), 2, "site: a folder with photo.jpg in it, expected a new folder")
    assert Path("site/photo.jpg").read_text() == "mine"
    shutil.rmtree("site")
    Path("site").write_text("mine")
    fails(compile_(), 2, "site: is a file, expected a folder's name")
    assert Path("site").read_text() == "mine"


def test_a_folder_stays_where_the_new_one_fails(fakes):
    with atomic_write_set(Path("site"), "web") as temporary:
        temporary.mkdir()
        (temporary / MODEL).write_text("old")
    stack = ExitStack()
    stack.enter_context(atomic_write_set(Path("site"), "web")).mkdir()
    assert not stack.__exit__(RuntimeError, RuntimeError(), None)
    assert os.listdir("site") == [MODEL]
    assert sorted(os.listdir()) == ["cache", "site"]


def test_a_runtime_may_be_given(monkeypatch):
    Path("mine/dist").mkdir(parents=True)
    fails(compile_("--web-runtime", "mine"), 2, f"--web-runtime mine: no {SCRIPT} in it")
    for name, data in FAKES.items():
        Path("mine/dist", name).write_bytes(data)
    assert compile_("--web-runtime", "mine", "--no-verify").exit_code == 0
    assert Path("site", BINARY).read_bytes() == FAKES[BINARY]
    words = ["--web-runtime", "mine", "--target", "onnx", "-o", "a.onnx"]
    fails(compile_(*words), 2, "--web-runtime is for --target web")


def npm(monkeypatch, files):
    """npm, as far as it is asked for an archive."""

    def pack(words, cwd, **_):
        with tarfile.open(Path(cwd) / "found.tgz", "w:gz") as archive:
            for name, data in files.items():
                entry = tarfile.TarInfo(f"package/dist/{name}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pack)


def test_the_runtime_is_fetched_once(monkeypatch):
    known(monkeypatch)
    npm(monkeypatch, FAKES)
    assert runtime.runtime_files() == FAKES
    monkeypatch.setattr(subprocess, "run", None)
    assert runtime.runtime_files() == FAKES


def test_a_runtime_that_cannot_be_fetched_is_one_line(monkeypatch):
    missing = "expected --web-runtime DIR, a folder with"
    for files, said in (
        (FAKES, f"web: npm gave another {runtime.PACKAGE}@{runtime.VERSION} than is known"),
        ({}, f"web: npm gave no whole {runtime.PACKAGE}@{runtime.VERSION}"),
    ):
        npm(monkeypatch, files)
        fails(compile_(), 3, f"{said}, {missing}")
    failed = subprocess.CompletedProcess([], 1, "", "npm error\nE404\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    fails(compile_(), 3, "(npm error E404)")
    monkeypatch.undo()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("AUXNAS_CACHE", "cache")
    fails(compile_("-o", "there"), 3, "web: no npm here to fetch onnxruntime-web with")
    assert not Path("site").exists()


@pytest.mark.usefixtures("fakes")
def test_what_the_page_cannot_draw_is_refused():
    fails(compile_("--task", "pose"), 2, "target web: the head logits of the task pose, expected")
    assert not Path("site").exists()


# What the page computes

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


def numbers(source, calls):
    given = json.dumps({"source": source, "calls": calls})
    script = Path(__file__).with_name("pixels.mjs")
    words = ["node", str(script)]
    done = subprocess.run(words, input=given, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@needs_node
def test_the_page_computes_what_predicting_does():
    source = (ROOT / "backends/web/pixels.js").read_text("utf-8")
    random, calls, expected = np.random.default_rng(0), [], []
    ends = Interface()
    sizes = ((5, 7, 5, 7), (64, 48, 33, 47), (9, 31, 40, 13), (1, 1, 6, 5), (30, 50, 7, 99))
    for h, w, height, width in sizes:
        pixels = random.integers(0, 256, (h, w, 3), np.uint8)
        image = {"data": pixels.ravel().tolist(), "height": h, "width": w}
        calls.append(["resizeRgb", image, height, width])
        expected.append(resize_rgb(resize_rgb(pixels, (h, width)), (height, width)))
        scores = random.normal(size=(4, h, w)).astype(np.float32)
        calls.append(["classify", scores.ravel().tolist(), [4, h, w], height, width])
        expected.append(classify(scores, (height, width)))
        labels = pixels[..., 0]
        calls.append(["nearestLabels", labels.ravel().tolist(), [1, h, w], height, width])
        expected.append(resize_nearest(labels, (height, width)))
        by = ends.normalisation
        scale = (1 / (255 * np.float32(by.deviation))).tolist()
        shift = (np.float32(by.mean) / np.float32(by.deviation)).tolist()
        calls.append(["networkNumbers", image, {"bytes": False, "scale": scale, "shift": shift}])
        expected.append(network_input(pixels, (h, w), ends)["image"])
    for found, wanted, call in zip(numbers(source, calls), expected, calls, strict=True):
        np.testing.assert_array_equal(np.float32(found), np.float32(wanted).ravel(), call[0])
    for right, wrong in (("1 << 21", "0"), ("value > best", "value >= best / 2")):
        assert right in source
        broken = zip(numbers(source.replace(right, wrong), calls), expected, strict=True)
        assert any((np.float32(a) != np.float32(b).ravel()).any() for a, b in broken)


# A real browser

NODE = Path(os.environ.get("AUXNAS_NODE_MODULES", ROOT / ".venv/node/node_modules"))
BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or ""
PARTS = (NODE / "playwright-core", NODE / "onnxruntime-web")
needs_browser = pytest.mark.skipif(
    not (BROWSER and shutil.which("node") and all(map(Path.is_dir, PARTS))),
    reason="needs node, chromium, and of npm playwright-core and onnxruntime-web",
)
SITES = {
    "sized": ("--classes", "5", "--input-size", "48x64"),
    "any": ("--classes", "5", "--input-size", "dynamic", "--head", "labels", "--batch", "2",
            "--input-format", "nhwc-uint8"),
    "depth": ("--task", "depth", "--input-size", "48x64"),
    "pose": ("--task", "pose", "--head", "keypoints", "--input-size", "64x48"),
}  # fmt: skip
PICTURES = {"sized": "overlay", "any": "overlay", "depth": "colours", "pose": "overlay"}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def address(tmp_path):
    """Of a server of the folder, on loopback."""
    handler = partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def pixels_of(shown):
    pixels = np.frombuffer(base64.b64decode(shown["pixels"]), np.uint8)
    return pixels.reshape(shown["height"], shown["width"], 4)[..., :3]


@needs_browser
def test_a_browser_shows_what_predict_writes(tmp_path, address):
    random = np.random.default_rng(0)
    blocks = Image.fromarray(random.integers(0, 256, (6, 9, 3), np.uint8))
    blocks.resize((150, 110), Image.Resampling.BICUBIC).save("photo.png")
    Path("none.txt").write_text("no picture")
    photo = str(tmp_path / "photo.png")
    visits = []
    for name, options in SITES.items():
        words = ["--no-verify", "--web-runtime", str(PARTS[1]), "-o", name, *options]
        result = compile_(*words)
        assert result.exit_code == 0, result.output
        visits.append({"url": f"{address}/{name}/", "pictures": [photo]})
    visits[0]["pictures"] = [photo, str(tmp_path / "none.txt"), photo]
    script = Path(__file__).with_name("browser.mjs")
    words = ["node", str(script), str(PARTS[0]), BROWSER, json.dumps(visits)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, result in zip(SITES, json.loads(done.stdout), strict=True):
        assert result["errors"] == []
        run = CliRunner().invoke(nasrun, ["predict", f"{name}/{MODEL}", photo, "--output", "out"])
        assert run.exit_code == 0, run.output
        with Image.open(f"out/photo_{PICTURES[name]}.png") as picture:
            expected = np.asarray(picture.convert("RGB"))[:110, :150].astype(int)
        shown = result["found"][-1]
        apart = np.abs(pixels_of(shown).astype(int) - expected)
        assert apart.max() <= (name == "depth")  # a logarithm's last digit
        assert shown["time"].endswith(" ms")
        shutil.rmtree("out")
    sized = json.loads(done.stdout)[0]["found"]
    assert {f"class {n}" for n in range(5)} == set(sized[0]["legend"])
    assert "none.txt: no picture that this browser reads" in sized[1]["status"]
