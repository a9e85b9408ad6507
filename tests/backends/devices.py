"""Stand-ins for a device: a shell of this machine, and one that runs networks in this process."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile

import numpy as np

from auxnas.backends.devices.remote import RemoteAnswer


def local_shell(script, sent, **options):
    """Runs a job's script by a shell of this machine."""
    done = subprocess.run(["sh", "-c", script], input=sent, capture_output=True, **options)
    return RemoteAnswer(done.returncode, done.stdout, done.stderr.decode())


class PretendedDevice:
    """Transport to a device that is nowhere: computes here, tells a latency that it makes up.

    Attributes:
        latency: milliseconds of an artefact's bytes.
        away: how often it is not reached.
        jobs: the files of each.
    """

    def __init__(self, latency=len, change=lambda output: output):
        self.latency, self.change = latency, change
        self.away, self.jobs = 0, []

    def __call__(self, script, sent):
        if self.away:
            self.away -= 1
            return RemoteAnswer(255, b"", "ssh: connect to host board port 22: No route to host")
        with tarfile.open(fileobj=io.BytesIO(sent)) as archive:
            files = {each.name: archive.extractfile(each).read() for each in archive}
        self.jobs.append(files)
        token = re.search("auxnas-[0-9a-f]{32}", script)[0]
        artefact, written = next(iter(files.values())), io.BytesIO()
        if "input.npy" in files:
            from auxnas.backends.runtimes.ort import OrtRunner

            value = np.load(io.BytesIO(files["input.npy"]))
            np.save(written, self.change(OrtRunner(artefact)({"image": value})["main"]))
        said = json.dumps({"latency_ms": self.latency(artefact), "cpu": "Cortex-A76", "cores": 4})
        out = f"{token}\n{token} 0\n{said}\n{token}\n".encode() + written.getvalue()
        return RemoteAnswer(0, out, "")
