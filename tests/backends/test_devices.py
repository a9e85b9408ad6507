"""Devices: jobs in a shell of this machine, and behind a real sshd on loopback."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from auxnas.backends.base import ExportOptions
from auxnas.backends.devices import (
    Device,
    DeviceFailure,
    device_text,
    latency_told,
    parse_device,
    ssh,
)
from auxnas.backends.devices.device import COMMAND, WAITS
from auxnas.backends.devices.remote import RemoteAnswer, RemoteJob
from auxnas.backends.onnx.build import OnnxExporter
from auxnas.compiler import CompilerError, Program, parse_graph
from auxnas.console import exit_status
from auxnas.nascompile.cli import main as nascompile
from auxnas.nasrun.cli import main as nasrun
from tests.backends.devices import PretendedDevice, local_shell

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin")
needs_sshd = pytest.mark.skipif(
    not (SSHD and shutil.which("ssh") and shutil.which("ssh-keygen")), reason="needs sshd and ssh"
)
GOOD = "echo '{\"latency_ms\": 4.5}'; :"
FILES = {"net.onnx": b"a network"}
RELU = "image = input(; channels=3)\nrelu = relu(image)\nreturn main=relu"


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def rooms(tmp_path, monkeypatch):
    """The folder that jobs make theirs in; the cache is of this test."""
    (tmp_path / "rooms").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "rooms"))
    monkeypatch.setenv("AUXNAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "rooms"


def here(command=GOOD, transport=local_shell):
    return Device("ssh:board", transport, command, waits=())


# A shell of this machine ----------------------------------------------------------------------


def test_a_measurement_is_the_devices_and_kept(rooms):
    script(Path("seen"), 'ls "$(dirname $1)" >> calls; echo \'{"latency_ms": 7}\'')
    one = here("./seen")
    assert one.bench(FILES) == {"latency_ms": 7}
    assert one.bench(FILES, ["--for", "nasrun alone"]) == {"latency_ms": 7}
    assert Path("calls").read_text() == "net.onnx\nsaid\n"
    one.bench({"net.onnx": b"another"})
    replace(one, name="ssh:other").bench(FILES)
    assert Path("calls").read_text() == "net.onnx\nsaid\n" * 3
    assert [*rooms.iterdir()] == []


@pytest.mark.parametrize(
    ("command", "found", "gone", "status"),
    [
        ("echo hello; :", "printed 'hello\\n'", False, 1),
        ("echo '{\"latency_ms\": -1}'; :", "latency_ms, milliseconds above 0", False, 1),
        ("echo '{\"latency_ms\": NaN}'; :", "latency_ms, milliseconds above 0", False, 1),
        ("echo No space left on device >&2; exit 1; :", "No space left on device", False, 1),
        ("exit 3; :", "ended with status 3, and no word why", False, 1),
        (
            "/nowhere/nasrun bench --json",
            "not found, expected --device-command, its path",
            False,
            3,
        ),
        ("( ", "yntax error", False, 1),
        ("kill $$; :", "expected a connection", True, 3),
        ("printf 'a\\033b\\n' >&2; exit 1; :", "a\\x1bb", False, 1),
    ],
)
def test_what_a_device_does_wrong_is_one_line(rooms, command, found, gone, status):
    with pytest.raises(DeviceFailure) as failure:
        here(command).bench(FILES)
    assert found in str(failure.value)
    assert "\n" not in str(failure.value)
    assert failure.value.gone == gone
    assert exit_status(failure.value) == status
    advised = failure.value.with_advice("go on")
    assert str(advised) == f"{failure.value}; go on"
    assert (advised.gone, exit_status(advised)) == (gone, status)
    assert [each for each in os.listdir("cache/devices") if not each.endswith(".lock")] == []
    assert [*rooms.iterdir()] == []


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("ssh: Could not resolve hostname nowhere: Name or service not known", "name or address"),
        ("ssh: connect to host nowhere port 22: Connection refused", "a connection"),
        ("u@nowhere: Permission denied (publickey).", "by a key and a known host"),
    ],
)
def test_a_device_that_is_not_reached_is_status_3(rooms, said, hint, monkeypatch):
    """As any device or library that is missing; without ssh too."""
    monkeypatch.setattr("auxnas.backends.devices.device.time.sleep", lambda seconds: None)
    graph = parse_graph(RELU)
    OnnxExporter().export(Program(graph, {}, ""), Path("net.onnx"), ExportOptions((64, 64)), {})
    commands = ((nasrun, "bench", "net.onnx"), (nascompile, "arch0", *SMALL))
    Path("bin").mkdir()
    script(Path("bin/ssh"), f"echo '{said}' >&2; exit 255")
    for folder, found, expected in (("bin", said, hint), ("none", "no ssh here", "OpenSSH")):
        monkeypatch.setenv("PATH", f"{Path(folder).absolute()}:/nowhere")
        for command, *words in commands:
            done = CliRunner().invoke(command, [*words, "--device", "ssh:nowhere"])
            assert done.exit_code == 3, done.output
            last = done.stderr.splitlines()[-1]
            assert found in last
            assert expected in last


def test_a_device_without_room_is_one_line(rooms, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(rooms / "nowhere"))
    with pytest.raises(DeviceFailure, match=r"mktemp: .* tar and room") as failure:
        here().bench(FILES)
    assert not failure.value.gone


def test_an_output_comes_back(rooms):
    twice = "import numpy, sys; numpy.save(sys.argv[3], 2 * numpy.load(sys.argv[2]))"
    command = f"wide() {{ {sys.executable} -c '{twice}' \"$@\"; {GOOD}; }}; wide"
    value = np.arange(6, dtype=np.float32).reshape(1, 2, 3).transpose(0, 2, 1)
    found, output = here(command).run(FILES, value)
    assert found == {"latency_ms": 4.5}
    np.testing.assert_array_equal(output, 2 * value)


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (":", "wrote no output, expected one"),
        ("echo hello >$3", "output.npy: cannot be read"),
        ("head -c 100 $2 >$3", "output.npy: cannot be read"),
    ],
)
def test_an_output_that_is_none_is_one_line(rooms, write, found):
    command = f"wide() {{ {write}; {GOOD}; }}; wide"
    with pytest.raises(DeviceFailure, match=found):
        here(command).run(FILES, np.zeros((1, 3, 8, 8), np.float32))


def test_what_a_shell_says_around_the_job_is_passed_over(rooms):
    def chatty(script, sent):
        return local_shell(f"echo Welcome; {script}", sent)

    assert here(transport=chatty).bench(FILES) == {"latency_ms": 4.5}


@given(st.data())
def test_a_connection_that_is_cut_gives_no_number(data):
    job = RemoteJob(":", FILES, [])
    whole = f"{job.token}\n{job.token} 0\n{{}}\n{job.token}\nbytes".encode()
    assert job.outcome(RemoteAnswer(0, whole, "")).written == b"bytes"
    part = whole[: data.draw(st.integers(0, len(whole)))]
    outcome = job.outcome(RemoteAnswer(255, part, "closed"))
    assert (outcome.status, outcome.said, outcome.written) == (None, "", b"")


def test_a_device_that_comes_back_is_tried_again(rooms):
    board, said, slept = PretendedDevice(lambda artefact: 2.5), [], []
    one = replace(here(transport=board), waits=WAITS, say=said.append, sleep=slept.append)
    board.away = len(WAITS)
    assert one.bench(FILES)["latency_ms"] == 2.5
    assert slept == list(WAITS)
    assert [line.partition(", expected a connection; ")[2] for line in said] == [
        f"tried again in {wait:g} s" for wait in WAITS
    ]
    board.away = len(WAITS) + 1
    with pytest.raises(DeviceFailure, match="No route to host") as failure:
        one.bench({"net.onnx": b"another"})
    assert failure.value.gone
    assert len(board.jobs) == 1


def test_only_nasrun_is_given_options():
    for command, ours in [
        (COMMAND, True),
        ("~/venv/bin/nasrun bench --json", True),
        ("taskset 3 nasrun bench --json", True),
        ("./mynasrun bench --json", False),
        ("nasrun bench --json | tee x", False),
    ]:
        assert here(command).has_nasrun == ours


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({"latency_ms": 2}, "2.00 ms (1 round, too few to tell a spread)"),
        ({"latency_ms": 2, "latency_spread": "x", "latency_rounds": -1}, "2.00 ms (1 round"),
        (
            {"latency_ms": 2.0, "latency_spread": 0.01, "latency_rounds": 3},
            "2.00 ms (lowest of 3 rounds, spread 1.0%)",
        ),
    ],
)
def test_a_latency_is_as_sure_as_it_was_told(found, text):
    assert str(latency_told(found)).startswith(text)


def test_a_device_is_told_with_its_version_where_that_is_another():
    found = {"device": "ssh:board", "cpu": 3, "versions": {"auxnas": "0.0.1", "onnxruntime": "1"}}
    expected = f"ssh:board (auxnas 0.0.1, onnxruntime 1, here auxnas {version('auxnas')})"
    assert device_text(found) == expected


@pytest.mark.parametrize(
    "text", ["", "ssh:", "host", "ssh:a b", "ssh:-oX=y", "ssh:a@-b", "ssh:h:0", "ssh:h:70000"]
)
def test_what_names_no_device_is_refused(text):
    with pytest.raises(CompilerError, match="expected ssh:USER@HOST"):
        parse_device(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ssh:a@b", ["a@b"]),
        ("ssh:b:33", ["-p", "33", "b"]),
        ("ssh:[::1]:2", ["-p", "2", "::1"]),
    ],
)
def test_ports_that_are_not_given_are_left_to_ssh(text, words):
    said = []

    def run(words, **options):
        said.append(words)
        return subprocess.CompletedProcess(words, 255, b"", b"")

    device = parse_device(text)
    assert replace(device.transport, run=run)("room=1", b"").status == 255
    assert said[0][-1 - len(words) : -1] == words
    assert said[0][-1].startswith("sh -c room=1")


# The commands ---------------------------------------------------------------------------------


@pytest.fixture
def board(rooms, monkeypatch):
    """A device that computes here, whatever it is called."""
    pretended = PretendedDevice(lambda artefact: 3.25)
    monkeypatch.setattr(ssh.SshTransport, "__call__", lambda self, *job: pretended(*job))
    return pretended


def invoke(command, *words):
    return CliRunner().invoke(command, [*words])


SMALL = ("--width", "0.05", "--agg-size", "4", "--sep-repeats", "1", "--input-size", "32x32")
COMPILE = ("arch0", *SMALL, "--device", "ssh:pi@board", "-o", "net.onnx")


def test_nascompile_checks_and_times_there(board):
    done = invoke(nascompile, *COMPILE, "--json")
    found = json.loads(done.stdout)
    assert (found["latency_ms"], found["written"]) == (pytest.approx(3.25), True)
    assert found["device"] == {"device": "ssh:pi@board", "cpu": "Cortex-A76", "cores": 4}
    assert len(found["checks"]) == 3
    assert len(board.jobs) == 4
    assert all([*files][:1] == ["net.onnx"] for files in board.jobs)
    told = json.loads(invoke(nasrun, "explain", "net.onnx", "--json").stdout)["metadata"]
    assert told["verified_on"] == "ssh:pi@board"
    lines = invoke(nascompile, *COMPILE).stdout
    assert "checked on ssh:pi@board against the float64 reference on noise" in lines
    assert "device       ssh:pi@board (Cortex-A76, 4 cores)" in lines
    assert "too few to tell a spread) for a 32x32 image, onnxruntime, ssh:pi@board" in lines


def test_an_artefact_that_errs_there_is_not_written(board):
    for change, found in (
        (lambda output: np.nan * output, "against the float64 reference at 32x32 on ssh:pi@board"),
        (lambda output: output[..., :1], "ssh:pi@board: outputs of shape"),
    ):
        board.change = change
        done = invoke(nascompile, *COMPILE)
        assert (done.exit_code, done.stdout) == (1, "")
        assert found in done.stderr.splitlines()[-1]
        assert [each for each in os.listdir() if "onnx" in each] == []


def test_forms_are_made_for_the_device(board):
    board.latency = len
    words = (*COMPILE, "--precision", "auto", "--max-drop", "1", "--json")
    done = invoke(nascompile, *words)
    forms = {each["precision"]: each for each in json.loads(done.stdout)["forms"]}
    sizes = {name: each["bytes"] for name, each in forms.items()}
    assert {name: each["latency_ms"] for name, each in forms.items()} == pytest.approx(sizes)
    assert [name for name, each in forms.items() if each["chosen"]] == ["fp16"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--no-verify",), "--device has no effect with --no-verify"),
        (("--device", "board"), "expected ssh:USER@HOST"),
        (("--device-command", " "), "expected a command of its shell"),
        (("--target", "web", "-o", "w"), "web, a folder for browsers, expected target onnx"),
    ],
)
def test_wrong_use_of_a_device_is_one_line(board, words, found):
    done = invoke(nascompile, *COMPILE, *words)
    assert (done.exit_code, done.stderr.count("\n"), board.jobs) == (2, 1, [])
    assert found in done.stderr
    alone = invoke(nascompile, "arch0", "--device-command", "x")
    assert "--device-command is for --device" in alone.stderr


def export_relu():
    OnnxExporter().export(
        Program(parse_graph(RELU), {}, "x"), Path("net.onnx"), ExportOptions((8, 8)), {}
    )


def test_bench_times_there(board):
    export_relu()
    words = ["bench", "net.onnx", "--device", "ssh:pi@board"]
    found = json.loads(invoke(nasrun, *words, "--json").stdout)
    assert found == {"device": "ssh:pi@board", "latency_ms": 3.25, "cpu": "Cortex-A76", "cores": 4}
    assert invoke(nasrun, *words).stdout.splitlines() == [
        "device   ssh:pi@board (Cortex-A76, 4 cores)",
        "latency  3.25 ms (1 round, too few to tell a spread)",
    ]
    board.latency = lambda artefact: "soon"
    failed = invoke(nasrun, *words, "--runs", "9")
    assert (failed.exit_code, failed.stdout, failed.stderr.count("\n")) == (1, "", 1)
    for wrong in (["--device-command", "x"], ["in.npy", "--device", "ssh:b"]):
        assert invoke(nasrun, "bench", "net.onnx", *wrong).exit_code == 2


def test_bench_takes_and_writes_arrays(rooms):
    export_relu()
    value = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)
    np.save("in.npy", value)
    words = ["bench", "net.onnx", "in.npy", "out.npy", "--runs", "1", "--json"]
    found = json.loads(invoke(nasrun, *words).stdout)
    assert found["latency_rounds"] == 1
    np.testing.assert_array_equal(np.load("out.npy"), np.maximum(value, 0))
    for other, told in (
        (value[:, :1], "1x1x8x8 float32, expected image 1x3x8x8 float32"),
        (value[0], "3x8x8 float32"),
        (value.astype(float), "float64, expected image"),
    ):
        np.save("in.npy", other)
        done = invoke(nasrun, *words)
        assert (done.exit_code, told in done.stderr, done.stderr.count("\n")) == (2, True, 1)
    Path("in.npy").write_bytes(b"no array")
    assert invoke(nasrun, *words).exit_code == 2


# A real sshd on loopback ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Folder of keys, and the port."""
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user", "other"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(words, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    shutil.copy(folder / "user.pub", folder / "authorized")
    Path("/run/sshd").mkdir(exist_ok=True)
    words = [SSHD, "-D", "-e", "-f", "/dev/null", "-p", str(port), "-h", str(folder / "host")]
    for each in (f"AuthorizedKeysFile={folder}/authorized", "StrictModes=no", "PidFile=none",
                 "ListenAddress=127.0.0.1", "PasswordAuthentication=no", "UsePAM=no",
                 "PermitRootLogin=yes", f"SetEnv=TMPDIR={folder}/rooms"):  # fmt: skip
        words += ["-o", each]
    (folder / "rooms").mkdir()
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(words, stderr=log)
    for _ in range(2000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        if running.poll() is not None:
            pytest.skip(f"sshd does not start: {(folder / 'log').read_text()}")
    yield folder, port
    running.terminate()
    running.wait()


@pytest.fixture
def device(server, rooms, tmp_path, monkeypatch):
    """Makes the device with a command; ssh's own settings are of this test."""
    folder, port = server
    known = f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}"
    (tmp_path / "known").write_text(known)
    settings = f"IdentityFile {folder}/user\nIdentitiesOnly yes\nUserKnownHostsFile known\n"
    (tmp_path / "config").write_text(settings)
    script(tmp_path / "ssh", f'exec {shutil.which("ssh")} -F {tmp_path}/config "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    user = os.environ.get("USER") or "root"

    def made(command=GOOD, at=port):
        return replace(parse_device(f"ssh:{user}@127.0.0.1:{at}", command), waits=())

    return made


@needs_sshd
def test_an_array_goes_there_and_back(device, server):
    value = np.zeros((1, 3, 256, 256), np.float32)
    command = f"wide() {{ cp $2 $3; {GOOD}; }}; wide"
    found, output = device(command).run({"net.onnx": bytes(1 << 20)}, value)
    assert found == {"latency_ms": 4.5}
    np.testing.assert_array_equal(output, value)
    assert [*(server[0] / "rooms").iterdir()] == []


@needs_sshd
def test_a_session_that_is_killed_leaves_nothing(device, server):
    with pytest.raises(DeviceFailure, match="expected a connection") as failure:
        device("kill -9 $PPID; :").bench(FILES)
    assert failure.value.gone
    for _ in range(100_000):  # the shell ends by itself once nobody hears it
        if not any((server[0] / "rooms").iterdir()):
            break
    assert [*(server[0] / "rooms").iterdir()] == []


@needs_sshd
def test_what_ssh_refuses_is_one_line(device, server):
    one, config = device(), Path("config").read_text()
    for old, new, found in (
        ("/user", "/other", "Permission denied"),
        ("known", "nothing", "Host key verification failed"),
    ):
        Path("config").write_text(config.replace(old, new))
        with pytest.raises(DeviceFailure, match=f"{found}.*expected one by a key") as failure:
            one.bench(FILES)
        assert not failure.value.gone
    Path("config").write_text(config)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(DeviceFailure, match="Connection refused") as failure:
        device(at=port).bench(FILES)
    assert failure.value.gone
