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
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from tempfile import TemporaryFile

from auxnas.backends.measuring.timing import Feed, Latency, in_turns, timed_round
from auxnas.backends.targets import target_of
from auxnas.compiler import CompilerError

_CODE = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from auxnas.backends.measuring.apart import serve; serve(int(sys.argv[1]))"
)
LIMIT = 600.0
"""Seconds after which an artefact that does not answer is given up: far more than one takes."""
_TAIL = 4096
"""Bytes at the end of what a process says on standard error in which its reason is sought."""


def side_by_side_apart(
    artefacts: Mapping[str, tuple[str, Path]], inputs: Feed
) -> tuple[dict[str, Latency], dict[str, str]]:
    """Seconds of one run of each, and of those that fail, at first or later, the reason.

    Args:
        artefacts: target and path of each.
        inputs: what they run on.
    """
    refused = dict[str, str]()
    with ExitStack() as stack:
        processes = dict[str, ArtefactProcess]()
        for name, (target, path) in artefacts.items():
            processes[name] = ArtefactProcess(target, path, inputs)
            stack.callback(processes[name].close)

        def ask(name: str, first: bool = False) -> float:
            try:
                return processes[name].answer() if first else processes[name].round()
            except CompilerError as error:
                refused[name] = str(error)
                raise

        for name in processes:
            with suppress(CompilerError):
                ask(name, first=True)
        while len(refused) < len(processes):
            with suppress(CompilerError):  # the others start anew, without the one that failed
                rounds = {name: partial(ask, name) for name in processes if name not in refused}
                return in_turns(rounds), refused
    return {}, refused


class ArtefactProcess:
    """A process that opens an artefact and runs it once, then times rounds of it.

    Not one of ``multiprocessing``, which would run a caller's script again. It has its task on
    standard input and answers on a pipe of its own, so that anything may print.

    Args:
        target: name of the artefact's target.
        path: where it is.
        inputs: what it runs on.
    """

    def __init__(self, target: str, path: Path, inputs: Feed) -> None:
        self._path = path
        task = pickle.dumps(sys.path) + pickle.dumps((target, path, dict(inputs)))
        with ExitStack() as stack:
            self._errors = stack.enter_context(TemporaryFile())
            self._pipe, theirs = Pipe()
            stack.enter_context(self._pipe)
            with theirs, TemporaryFile() as file:
                file.write(task)
                file.seek(0)
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _CODE, str(theirs.fileno())],
                    stdin=file,
                    stdout=subprocess.DEVNULL,
                    stderr=self._errors,
                    pass_fds=(theirs.fileno(),),
                )
            self._stack = stack.pop_all()

    def answer(self) -> float:
        """Seconds of a round; the first answer is 0 and says that the artefact runs.

        Raises:
            CompilerError: where it does not, or does not answer.
        """
        try:
            if self._pipe.poll(LIMIT):
                found = self._pipe.recv()
            else:
                found = f"no answer in {LIMIT:g} s{self._last_words()}"
        except (EOFError, ConnectionError):
            status = self._process.wait()
            found = f"its process ended with status {status}{self._last_words()}"
        if isinstance(found, str):
            raise CompilerError(self._path.name, found, "one that runs in a process of its own")
        return float(found)

    def _last_words(self) -> str:
        """The last line that it wrote to standard error, after a colon."""
        size = os.fstat(self._errors.fileno()).st_size
        tail = os.pread(self._errors.fileno(), _TAIL, max(0, size - _TAIL))
        lines = tail.decode(errors="replace").split("\n")
        said = [" ".join(line.split()) for line in lines if line.strip()]
        return f": {said[-1]}" if said else ""

    def round(self) -> float:
        """Seconds of one run, found in a round of them.

        Raises:
            CompilerError: where it does not run.
        """
        with suppress(ConnectionError):  # the missing answer will tell
            self._pipe.send(None)
        return self.answer()

    def close(self) -> None:
        """Ends the process."""
        with self._stack:
            self._process.kill()
            self._process.wait()


def serve(descriptor: int) -> None:
    """Opens the artefact that standard input names; answers each request with a round."""
    pipe = Connection(descriptor)
    with suppress(EOFError, ConnectionError):  # nobody asks any more
        for answer in _answers(*pickle.load(sys.stdin.buffer)):
            pipe.send(answer)
            pipe.recv()


def _answers(target: str, path: Path, inputs: Feed) -> Iterator[float | str]:
    """0 once it has run, then the seconds of rounds; text at last where it fails."""
    try:
        runner = target_of(target).opener()(path)
        runner(inputs)
        yield 0.0
        while True:
            yield timed_round(runner, inputs, time)
    except Exception as error:  # a user's target may raise anything
        yield " ".join(f"{type(error).__name__}: {error}".split())
