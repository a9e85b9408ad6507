"""The doctor: whatever is broken is a line, and the exit status tells whether the core works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from auxnas.backends.registry import TABLE
from auxnas.backends.targets import TARGETS
from auxnas.doctor import examination, probes, start, text
from auxnas.doctor.cli import main
from auxnas.doctor.libraries import (
    BRINGS,
    CORE,
    Library,
    doubled,
    find_libraries,
    module_owners,
    version_key,
)
from auxnas.doctor.probes import CORE_MODULES, RUNTIMES, folder_facts
from auxnas.hiding import folder_hides, import_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
MACHINE = probes.machine()
IN_THE_WAY = examination.in_the_way
PATHS = [*sys.path]
BROKEN = {"error": "it is broken"}


def requirements() -> list[str]:
    """Those of the project, as its metadata state them."""
    extras = [f'{each}; extra == "{name}"' for name, row in EXTRAS.items() for each in row]
    return [*PROJECT["dependencies"], *extras]


def test_every_requirement_is_read():
    found = find_libraries(requirements())
    assert [f"{each.name}>={each.least}" for each in found] == [
        each.partition(";")[0] for each in requirements()
    ]
    assert {each.extra for each in found} == {CORE, *EXTRAS}
    assert {each.name for each in found if each.extra == CORE} == set(CORE_MODULES)


def test_every_extra_has_its_meaning_and_every_target_its_runtime():
    assert set(BRINGS) == set(EXTRAS)
    named = [name for each in RUNTIMES.values() for name in each.targets]
    assert sorted(named) == sorted(TARGETS)
    for probe in RUNTIMES.values():
        assert {TABLE["runner", TARGETS[name].runner][2] for name in probe.targets} == {probe.extra}
        brought = {each.name for each in find_libraries(EXTRAS[probe.extra])}
        assert set(probe.packages) & brought


@given(st.lists(st.integers(0, 99), min_size=1, max_size=4), st.sampled_from(["", "rc1", "+cpu"]))
def test_versions_are_ordered_as_numbers(numbers, more):
    text = ".".join(map(str, numbers))
    assert version_key(text + ".0") == version_key(text) == version_key(text + more)
    assert version_key(f"{text}.1") > version_key(text)
    assert version_key("2.10") > version_key("2.9.9")


@pytest.mark.parametrize(
    ("least", "version", "state"),
    [
        ("2.1", None, "missing"),
        ("2.10", "2.9", "too old"),
        ("2.1", "2.1.0", "found"),
        ("", "1", "found"),
    ],
)
def test_states(least, version, state):
    assert Library("a", CORE, least, version).state == state


def test_two_distributions_of_one_module_are_named():
    names = {"onnxruntime": "onnxruntime", "numpy": "numpy"}
    homes = {"onnxruntime": ["onnxruntime-gpu", "onnxruntime"], "numpy": ["numpy", "numpy"]}
    assert {"click", "numpy", "onnx"} <= module_owners().keys()
    (line,) = doubled(names, homes)
    assert line.startswith("onnxruntime: installed by onnxruntime and by onnxruntime-gpu")
    assert import_name("pillow") == "PIL"


def test_files_that_hide_modules_are_found(tmp_path, monkeypatch):
    for name in ("click.py", "random.py", "mine.py", "rich/__init__.py", "onnx/data.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = folder_hides(str(tmp_path))
    assert found == [str(tmp_path / name) for name in ("click.py", "random.py", "rich")]
    assert folder_hides(str(ROOT)) == []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(examination, "module_owners", lambda: {"PIL": ["pillow", "other"]})
    one, *_, last = IN_THE_WAY(find_libraries(requirements()))
    assert "click.py: hides the module click from scripts in its folder, expected" in one
    assert last.startswith("PIL: installed by other and by pillow")


def test_the_first_on_the_path_hides_ours_and_no_later_one_is_accused(tmp_path, monkeypatch):
    for name in ("intruder/auxnas", "intruder/numpy", "another/auxnas", "another/numpy"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(examination, "module_owners", dict)
    for first, *others in (["intruder", "another"], [ROOT, "intruder"]):
        places = [os.path.abspath(place) for place in (first, *others)]
        monkeypatch.setattr(sys, "path", [*places, *PATHS])
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (first, *others))))
        expected = {"intruder/numpy: hides the module numpy from everything here"}
        if first == "intruder":
            expected |= {"intruder/auxnas: hides the module auxnas from everything here"}
        assert {line.partition(",")[0] for line in IN_THE_WAY([])} == expected
    monkeypatch.setattr(sys, "path", PATHS)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert IN_THE_WAY([]) == []


@pytest.fixture(autouse=True)
def _nothing_in_the_way(monkeypatch):
    """What the folder of the tests holds is looked at by its own tests."""
    monkeypatch.setattr(examination, "in_the_way", lambda libraries: [])


@pytest.fixture
def shadow(tmp_path, monkeypatch):
    """Puts a library of this text in the place of one that is needed."""

    def put(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))

    return put


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("raise OSError('libz.so: cannot open')", "networkx: OSError: libz.so: cannot open"),
        ("import os; os.abort()", "networkx: ends the process (SIGABRT)"),
        ("raise SystemExit(7)", "networkx: ends the process with 7"),
    ],
)
def test_a_library_that_breaks_its_process_is_a_line(text, line, shadow):
    shadow("networkx", text)
    assert examination.run_probe("core") == {"error": line}


def test_a_probe_that_does_not_answer_is_a_line(monkeypatch):
    def late(*words, **options):
        raise subprocess.TimeoutExpired(words, 1, b'noise\n[1]\n{"at": "onnx"}\n{"a')

    monkeypatch.setattr(subprocess, "run", late)
    assert examination.run_probe("core") == {"error": "onnx: does not answer within 60 s"}


def found_by(broken: str) -> dict[str, object]:
    """An examination in which one probe fails; all runtimes are there."""

    def probe(name: str):
        if name == broken:
            return BROKEN
        return {"core": {}, "machine": MACHINE}.get(name) or {"facts": ["it loads"], "targets": []}

    return examination.examine(probe)


@pytest.mark.parametrize("broken", ["core", "machine", *RUNTIMES])
def test_a_probe_that_fails_is_a_line_among_the_others(broken, monkeypatch):
    monkeypatch.setattr(examination, "installed_version", lambda name: "1.0")
    found = found_by(broken)
    assert json.loads(json.dumps(found)) == found
    assert found["works"] == (broken != "core")
    lines = [*text.lines_of(found)]
    assert sum("it is broken" in line for line in lines) == 1
    assert sum("it loads" in line for line in lines) == len(RUNTIMES) - (broken in RUNTIMES)


def test_nothing_installed_still_tells(monkeypatch):
    monkeypatch.setattr(examination.metadata, "requires", lambda name: requirements())
    monkeypatch.setattr("auxnas.doctor.libraries.installed_version", lambda name: None)
    monkeypatch.setattr(examination, "installed_version", lambda name: None)
    lines = "\n".join(text.lines_of(found_by("core")))
    for extra in EXTRAS:
        assert f"pip install 'auxnas[{extra}]'" in lines
    assert all(f"{name} missing" in lines for name in CORE_MODULES)


@pytest.mark.parametrize("works", [True, False])
def test_the_command(works, monkeypatch):
    """With the real probes of the core and the machine."""
    monkeypatch.setattr(examination, "RUNTIMES", {})
    if not works:
        monkeypatch.setattr(examination, "run_probe", lambda name: BROKEN)
    done = CliRunner().invoke(main, ["doctor", "--json"])
    assert done.exit_code == (0 if works else 1)
    found = json.loads(done.stdout)
    assert found["works"] == works
    if works:
        assert found["machine"]["cores"] == MACHINE["cores"]
        assert any(re.fullmatch("core +works: .*", line) for line in text.lines_of(found))


def test_command_lines_that_cannot_be_read_are_told_all_the_same(monkeypatch):
    monkeypatch.setitem(sys.modules, "auxnas.doctor.cli", None)
    monkeypatch.setattr(start, "tell", lambda as_json: 5 + as_json)
    monkeypatch.setattr(sys, "argv", ["auxnas", "doctor", "--json"])
    with pytest.raises(SystemExit) as end:
        start.main()
    assert end.value.code == 6


def test_only_the_standard_library_tells_what_is_broken():
    code = "import auxnas.doctor.start, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {*done.stdout.split()} & {*CORE_MODULES, "PIL"}


def test_facts_of_a_folder(tmp_path):
    assert folder_facts(tmp_path / "a" / "b")["exists"] is False
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"12345")
    (tmp_path / "y").symlink_to("nowhere")
    found = folder_facts(tmp_path)
    assert found["parts"] == {"a": 5, "y": len("nowhere")}
    assert found["bytes"] == 5 + len("nowhere")
    assert found["writable"] is True


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no /proc")
def test_a_folder_that_even_root_cannot_make_is_not_writable():
    assert folder_facts(Path("/proc/nowhere"))["writable"] is False
