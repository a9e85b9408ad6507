"""A process that runs searches in forks of itself, and ends them at chosen moments.

Orders come on stdin and answers go to stdout, one JSON document a line. Forks of one
process that has imported everything, and has run a search itself, take a fraction of the
time of new ones.

A moment is a call that code of ``search`` makes or gets, ``any`` or those inside a
``transaction``, or a ``step`` of training; counted from the start of the run.
"""

import json
import os
import signal
import sys
import traceback
from contextlib import nullcontext
from pathlib import Path

import auxnas.search
from auxnas.backends.progress import Silent
from auxnas.search.loop.context import RunContext
from auxnas.search.loop.run import execute
from auxnas.search.loop.watching import Unwatched
from auxnas.search.settings.resolving import resolve
from auxnas.search.storage.journal import Journal

HOME = str(Path(auxnas.search.__file__).parent)


class Reaper:
    """Counts moments of a kind, and sends a signal to this process at one of them."""

    def __init__(self, where, last=None, number=signal.SIGKILL):
        self.where, self.last, self.number = where, last, number
        self.count = 0

    def __enter__(self):
        if self.where == "any":
            sys.setprofile(self.called)
        elif self.where == "transaction":
            Journal._write = self.within(Journal._write)
        else:
            Unwatched.started = self.stepping(Unwatched.started)
        return self

    def __exit__(self, *error):
        sys.setprofile(None)

    def called(self, frame, kind, argument):
        if frame.f_code.co_filename.startswith(HOME):
            self.strike()

    def within(self, inner):
        def write(journal, *arguments, **options):
            sys.setprofile(self.called)
            try:
                inner(journal, *arguments, **options)
            finally:
                sys.setprofile(None)

        return write

    def stepping(self, inner):
        def started(watch, trial):
            progress = inner(watch, trial)
            return lambda *step: (progress(*step), self.strike())

        return started

    def strike(self):
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), self.number)


def go(order):
    """Runs a search in this process; its exit status."""
    place = RunContext(
        resolve(order["settings"]), Path(order["folder"]), Path(order["cache"]), Silent()
    )
    try:
        with Reaper(**order["reaper"]) if order["reaper"] else nullcontext() as reaper:
            execute(place)
    except KeyboardInterrupt:
        return 130
    if reaper:
        Path(order["folder"], "moments").write_text(str(reaper.count))
    return 0


def forked(order):
    """How a search ended in a fork: its exit status, or minus the signal."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            status = go(order)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    for name in sys.argv[1:]:
        __import__(name)
    for line in sys.stdin:
        order = json.loads(line)
        print((forked if order["fork"] else go)(order), flush=True)
