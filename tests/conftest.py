"""Settings of the whole suite: no deadlines on noisy machines, one thread a process."""

from __future__ import annotations

import gc
import os
import signal
import sys

import pytest
from hypothesis import settings

from auxnas.backends.measuring import timing

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # ncnn's threads spin while they wait

# Processes that tests start take a third longer to import what is compiled anew each time.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Importing OpenVINO otherwise reports that over the network.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

# A shell's background jobs ignore Ctrl-C, and so would every process that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the longest test, so that no process is left alone with it at the end."""
    items.sort(key=lambda item: "test_the_demo_prints" not in item.name)


def pytest_collection_finish() -> None:
    """Leaves thousands of tests and all of their modules out of what is searched for garbage."""
    gc.freeze()


@pytest.fixture(autouse=True)
def brief_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Latencies are of few rounds: steady ones take seconds wherever tests run side by side."""
    for name in ("ROUND", "APART", "LONGEST"):
        monkeypatch.setattr(timing, name, 0.0)


# The same examples everywhere, so that what is green is green again; ``make explore`` draws others,
# and more of them.
settings.register_profile("auxnas", deadline=None, derandomize=True, max_examples=30)
settings.register_profile("explore", deadline=None)
settings.load_profile("auxnas")
