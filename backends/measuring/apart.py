"""Times of artefacts that take turns, each in a process of its own.

Runtimes that share a process share its threads and memory, and slow each other down; who deploys an
artefact runs it alone.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, cast

from auxnas.backends.measuring.timing import Feed, Latency, in_turns, timed_round
from auxnas.backends.targets import target_of
from auxnas.compiler import CompilerError

_CODE = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from auxnas.backends.measuring.apart import serve; serve()"
)


def side_by_side_apart(
    artefacts: Mapping[str, tuple[str, Path]], inputs: Feed
) -> tuple[dict[str, Latency], dict[str, str]]:
    """Seconds of one run of each, and of those that do not run the reason.

    Args:
        artefacts: target and path of each.
        inputs: what they run on.
    """
    with ExitStack() as stack:
        processes = dict[str, ArtefactProcess]()
        for name, (target, path) in artefacts.items():
            processes[name] = ArtefactProcess(target, path, inputs)
            stack.callback(processes[name].close)
        rounds, refused = {}, dict[str, str]()
        for name, process in processes.items():
            try:
                process.answer()
                rounds[name] = process.round
            except CompilerError as error:
                refused[name] = str(error)
        return in_turns(rounds) if rounds else {}, refused


class ArtefactProcess:
    """A process that opens an artefact and runs it once, then times rounds of it.

    Not one of ``multiprocessing``, which would run a caller's script again.

    Args:
        target: name of the artefact's target.
        path: where it is.
        inputs: what it runs on.
    """

    def __init__(self, target: str, path: Path, inputs: Feed) -> None:
        self._path = path
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._send(pickle.dumps(sys.path) + pickle.dumps((target, path, dict(inputs))))

    def _send(self, message: bytes) -> None:
        stdin = cast(IO[bytes], self._process.stdin)
        with suppress(BrokenPipeError):  # the missing answer will tell
            stdin.write(message)
            stdin.flush()

    def answer(self) -> float:
        """Seconds of a round; the first answer is 0 and says that the artefact runs.

        Raises:
            CompilerError: where it does not.
        """
        try:
            found = pickle.load(cast(IO[bytes], self._process.stdout))
        except EOFError:
            found = f"its process ended with status {self._process.wait()}"
        if isinstance(found, str):
            raise CompilerError(self._path.name, found, "one that runs in a process of its own")
        return float(found)

    def round(self) -> float:
        """Seconds of one run, found in a round of them.

        Raises:
            CompilerError: where it does not run.
        """
        self._send(b".")
        return self.answer()

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        with suppress(BrokenPipeError):
            self._process.communicate()


def serve() -> None:
    """Opens the artefact that standard input names; answers every byte there with a round."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a runtime prints is no answer

    def say(answer: float | str) -> None:
        pickle.dump(answer, answers)
        answers.flush()

    target, path, inputs = pickle.load(sys.stdin.buffer)
    try:
        runner = target_of(target).opener()(path)
        runner(inputs)
        say(0.0)
        while sys.stdin.buffer.read(1):
            say(timed_round(runner, inputs, time))
    except Exception as error:  # a user's target may raise anything
        say(" ".join(f"{type(error).__name__}: {error}".split()))
