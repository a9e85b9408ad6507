"""Latency of networks, each at its fastest, through runtimes with their defaults, in turns."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contenders import Contender, Times, race
from peer_tables import evened
from rivals import onnxruntime, openvino_defaults

from auxnas.backends.compiling.verification import output_difference
from auxnas.backends.measuring.machine import instruction_sets, runtime_versions

RUNTIMES = {"onnxruntime": onnxruntime, "openvino": openvino_defaults}
PACKAGES = ("torch", "torchvision", "segmentation-models-pytorch", "ultralytics", "onnxslim")
REPEATS, FEW = 10, 5
"""Runs in a round, and rounds that choose a network's fastest way."""


def race_networks(
    files: Mapping[str, Mapping[str, Path]], image: Path, rounds: int
) -> dict[str, Any]:
    """Milliseconds of each network's fastest way to run, these in turns, and of all its ways.

    Args:
        files: of each network by how they were made, the first one the most trusted.
        image: .npy file with the input.
        rounds: of the race of the fastest.
    """
    threads = os.cpu_count() or 1
    fastest, ways = {}, {}
    for name, made in files.items():
        contenders = {
            f"{how}, {runtime}": Contender(opened, path, image, threads)
            for how, path in made.items()
            for runtime, opened in RUNTIMES.items()
        }
        times = race(contenders, FEW, REPEATS)
        expected = next(iter(times.values())).output
        ways[name] = {
            way: found.summary
            | {"difference": output_difference(found.output, expected).max_relative}
            for way, found in times.items()
        }
        best = min(times, key=lambda way: times[way].summary["median"])
        fastest[name] = best, contenders[best]
    turns = race({name: each for name, (_, each) in fastest.items()}, rounds, REPEATS)
    even = evened({name: each.rounds for name, each in turns.items()})
    return {
        "fastest in turns": {
            name: {"runtime": way, **Times(even[name], turns[name].output).summary}
            for name, (way, _) in fastest.items()
        },
        "ways": ways,
        "machine": {"cpus": os.cpu_count(), "instructions": instruction_sets()},
        "versions": runtime_versions("onnxruntime", "openvino", *PACKAGES),
    }
