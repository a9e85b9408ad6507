"""Devices behind a real sshd on loopback, with keys and a port of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from auxnas.backends.base import ExportOptions
from auxnas.backends.devices import DeviceFailure, parse_device
from auxnas.backends.onnx.build import OnnxExporter
from auxnas.compiler import CompilerError, Program, parse_graph
from auxnas.nasrun.cli import main as nasrun

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin")
needs_sshd = pytest.mark.skipif(
    not (SSHD and shutil.which("ssh") and shutil.which("ssh-keygen")), reason="needs sshd and ssh"
)
GOOD = f"{sys.executable} -c 'import json; print(json.dumps(dict(latency_ms=4.5)))'"


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


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
                 "Subsystem=sftp internal-sftp", "PermitRootLogin=yes"):  # fmt: skip
        words += ["-o", each]
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
def device(server, tmp_path, monkeypatch):
    """Makes the device with a command; ssh's own settings are of this test."""
    folder, port = server
    known = f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}"
    (tmp_path / "known").write_text(known)
    settings = f"IdentityFile {folder}/user\nIdentitiesOnly yes\nUserKnownHostsFile known\n"
    (tmp_path / "config").write_text(settings)
    for name in ("ssh", "scp"):
        script(tmp_path / name, f'exec {shutil.which(name)} -F {tmp_path}/config "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("AUXNAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("net.onnx").write_bytes(b"a network")
    user = os.environ.get("USER") or "root"
    return lambda command=GOOD, at=port: parse_device(f"ssh:{user}@127.0.0.1:{at}", command)


FILES = (Path("net.onnx"),)


@needs_sshd
def test_a_measurement_is_the_devices_and_kept(device):
    script(Path("seen"), f'ls "$(dirname $3)" >> {Path.cwd()}/calls; echo \'{{"latency_ms": 7}}\'')
    one = device(f"{Path.cwd()}/seen")
    words = ["--runs", "5"]
    assert one.bench(FILES, words) == {"latency_ms": 7}
    assert one.bench(FILES, words) == {"latency_ms": 7}
    assert Path("calls").read_text() == "net.onnx\n"
    Path("net.onnx").write_bytes(b"another")
    one.bench(FILES, words)
    assert Path("calls").read_text() == "net.onnx\n" * 2


@needs_sshd
@pytest.mark.parametrize(
    ("command", "found", "gone"),
    [
        ("echo hello; :", "printed 'hello\\n'", False),
        ("echo '{\"latency_ms\": -1}'; :", "latency_ms, milliseconds above 0", False),
        ("echo '{\"latency_ms\": NaN}'; :", "latency_ms, milliseconds above 0", False),
        ("echo No space left on device >&2; exit 1; :", "No space left on device", False),
        ("kill -9 $PPID; :", "expected a measurement", True),
    ],
)
def test_what_a_device_does_wrong_is_one_line(device, command, found, gone):
    with pytest.raises(DeviceFailure) as failure:
        device(command).bench(FILES)
    assert found in str(failure.value)
    assert "\n" not in str(failure.value)
    assert failure.value.gone == gone
    assert [each for each in os.listdir("cache/devices") if not each.endswith(".lock")] == []


@needs_sshd
def test_what_ssh_refuses_is_one_line(device, server):
    one, config = device(), Path("config").read_text()
    for old, new, found in (
        ("/user", "/other", "Permission denied"),
        ("known", "nothing", "Host key verification failed"),
    ):
        Path("config").write_text(config.replace(old, new))
        with pytest.raises(DeviceFailure, match=found) as failure:
            one.bench(FILES)
        assert not failure.value.gone
    Path("config").write_text(config)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(DeviceFailure, match="Connection refused") as failure:
        device(at=port).bench(FILES)
    assert failure.value.gone


@needs_sshd
def test_bench_times_there(device):
    graph = parse_graph("image = input(; channels=3)\nmain = relu(image)\nreturn main=main")
    OnnxExporter().export(Program(graph, {}, "x"), Path("net.onnx"), ExportOptions((8, 8)), {})
    one = device()
    words = ["bench", "net.onnx", "--device", str(one), "--device-command", GOOD]
    done = CliRunner().invoke(nasrun, [*words, "--json"])
    assert json.loads(done.stdout) == {"device": str(one), "latency_ms": 4.5}, done.output
    assert "4.50 ms" in CliRunner().invoke(nasrun, words).stdout
    words[-1] = "echo nonsense"
    failed = CliRunner().invoke(nasrun, words)
    assert (failed.exit_code, failed.stdout, failed.stderr.count("\n")) == (1, "", 1)
    only = CliRunner().invoke(nasrun, ["bench", "net.onnx", "--device-command", "x"])
    assert only.exit_code == 2


@needs_sshd
def test_a_device_that_comes_back_is_tried_again(device):
    script(Path("once"), "[ -e done ] || { touch done; kill -9 $PPID; }\n" + f"{GOOD}")
    command = f"cd {Path.cwd()} && ./once"
    assert json.dumps(device(command).bench(FILES)) == '{"latency_ms": 4.5}'


@pytest.mark.parametrize(
    "text", ["", "ssh:", "host", "ssh:a b", "ssh:-oX=y", "ssh:h:0", "ssh:h:70000"]
)
def test_what_names_no_device_is_refused(text):
    with pytest.raises(CompilerError, match="expected ssh:USER@HOST"):
        parse_device(text)
