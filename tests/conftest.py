"""Settings of the whole suite: no deadlines on noisy machines, one thread a process."""

from __future__ import annotations

import os

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("auxnas", deadline=None)
settings.load_profile("auxnas")
