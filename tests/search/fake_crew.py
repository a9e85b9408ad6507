"""A crew in virtual time, whose seats do what a schedule of faults says."""

from __future__ import annotations

import heapq
from collections import Counter
from itertools import count

from auxnas.backends.base import TrainingStep
from auxnas.search.executors.crew import Advanced, Beat, Began, Ended, Readied, Vanished
from auxnas.search.trials.records import Stage

STARTS = ("start", "never", "stuck")
"""What may happen to a seat as it is made: it dies; is never heard of; is heard of once."""
FAULTS = ("vanish", "oom", "before", "freeze", "thaw", "slow", *STARTS)
"""What a schedule may have: a seat dies under way, for lack of memory, before it begins; falls
silent for ever, or for a minute and then says what it did; is three times as slow; and what may
happen as it is made."""
LONGEST = 20_000.0
"""Seconds after which nothing can be under way but by a mistake."""


class FakeCrew:
    """Implements ``Crew``; ``now`` is its clock.

    Args:
        evaluate: as seats do it.
        faults: the next ones, of attempts in the order in which they are given, None for none.
        seconds: that an attempt takes, by the number of its trial.
        host: by the number of a seat.
    """

    def __init__(self, evaluate, faults=(), seconds=lambda n: 10 + 7 * n % 20, host=lambda n: "a"):
        self.evaluate, self.faults, self.seconds, self.host = evaluate, [*faults], seconds, host
        self.now, self.order, self.events = 0.0, count(), []
        self.silent, self.gone, self.given, self.dropped = {}, set(), Counter(), []
        self.started, self.words = [], "no room"

    def clock(self):
        return self.now

    def at(self, delay, message):
        heapq.heappush(self.events, (self.now + delay, next(self.order), message))

    def fault(self):
        return self.faults.pop(0) if self.faults else None

    def start(self, seat):
        self.started.append(seat)
        if self.faults and self.faults[0] in STARTS:
            fault = self.fault()
            if fault == "start":
                self.at(2, Vanished(seat, "its process is gone"))
            if fault == "stuck":
                self.at(2, Advanced(seat, 0, 1, TrainingStep(1, 2, 0.5), None))
            return
        self.at(3, Readied(seat, self.host(seat), f"fingerprint of {self.host(seat)}"))
        self.at(4, Beat(seat))

    def give(self, seat, attempt, job):
        fault, seconds = self.fault(), self.seconds(job.number)
        self.given[job.number] += 1
        if fault == "before":
            self.at(0.1, Vanished(seat, "its process is gone"))
            return
        self.at(0.1, Began(seat, attempt))
        self.at(1, Advanced(seat, attempt, 2, TrainingStep(1, 2, 0.5), Stage(0.5, {})))
        if fault in ("vanish", "oom"):
            self.at(seconds / 2, Vanished(seat, "it died", "oom" if fault == "oom" else "crash"))
            return
        if fault in ("freeze", "thaw"):
            self.silent[seat] = self.now + (60 if fault == "thaw" else float("inf")), self.now + 2
        seconds *= 3 if fault == "slow" else 1
        ended = Ended(seat, attempt, self.evaluate(job, lambda *step: None))
        for delay in (0, 2, 15):  # what was said once may be heard again
            self.at(seconds + delay, ended)

    def drop(self, seat):
        self.dropped.append(seat)

    def end(self, seat):
        self.gone.add(seat)

    def lack(self):
        return self.words

    def close(self):
        self.gone.update(self.started)

    def hear(self, seconds):
        until, found = self.now + seconds, []
        assert self.now < LONGEST, "it goes on for ever"
        while self.events and self.events[0][0] <= (self.now if found else until):
            time, _, message = heapq.heappop(self.events)
            self.now = max(self.now, time)
            thaws, freezes = self.silent.get(message.seat, (0.0, 0.0))
            if isinstance(message, Beat) and message.seat not in self.gone:
                self.at(5, message)
            if freezes <= self.now < thaws:
                if thaws < float("inf") and not isinstance(message, Beat):
                    self.at(thaws - self.now, message)
                continue
            found.append(message)
        if not found:
            self.now = until
        return found
