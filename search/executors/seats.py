"""Seats that evaluate trials: queue, attempts, silence, deadlines and repeats.

What a trial comes to depends on its job alone. So it may be tried wherever a seat is free, again
where a seat was lost, and twice where one is slow: the first result counts, and nothing but time
changes. How seats are made, and how they are spoken to, is a ``Crew``'s.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from math import inf
from pathlib import Path
from time import monotonic

from auxnas.search.errors import SearchError
from auxnas.search.evaluation.two_stages import StageProgress
from auxnas.search.executors.attempts import AttemptRow, AttemptTable
from auxnas.search.executors.base import no_job_error
from auxnas.search.executors.crew import (
    Advanced,
    Beat,
    Began,
    Crew,
    Ended,
    Message,
    Raised,
    Readied,
    Refused,
    Vanished,
)
from auxnas.search.settings.durations import duration_text
from auxnas.search.trials.records import COMPLETE, FAILED, LOST, Failure, Job, Outcome, Stage

SILENCE = 20.0
"""Seconds without a message after which a seat is taken for lost."""
MAKING = 120.0
"""Seconds without a message after which a seat that is not ready is given up, and another made;
twice as long for each after that, eight times at most. Busy machines took 99 seconds."""
_AWAY = 10.0
"""Seconds between two looks after which it is us who were away."""
_LOOK = 1.0
"""Seconds from one look at deadlines and silence to the next."""
_PLACELESS = 60.0
"""Seconds without any seat after which that is said."""
_UNBEGUN = 3
"""Seats a place that may be lost in a row before one has begun a job; more end the run."""


@dataclass(eq=False)
class _Errand:
    """A trial that is under way: its job, the attempts at it that are not over, and whether one
    of them repeats another."""

    job: Job
    progress: StageProgress
    live: list[_Attempt] = field(default_factory=list)
    repeated: bool = False


@dataclass(eq=False)
class _Attempt:
    """An attempt: the seat that has it, its trial while that needs it, and since when it runs."""

    number: int
    seat: _Seat
    errand: _Errand | None
    began: float | None = None
    before: Stage | None = None

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that have ended."""
        return () if self.before is None else (self.before,)


@dataclass(eq=False)
class _Seat:
    """A seat: how long it may take to be made, since when it is silent while we listen, and when
    it spoke last, if ever; whether it is ready; and its attempt."""

    number: int
    making: float
    heard: float
    spoke: float = -inf
    ready: bool = False
    host: str = ""
    fingerprint: str = ""
    attempt: _Attempt | None = None


class Seats:
    """Implements ``Executor`` with the seats of a crew.

    Args:
        crew: makes them.
        places: how many there are at most; each is started when it is first needed.
        timeout: seconds after which an attempt is stopped.
        silence: seconds without a message after which a seat is lost.
        making: likewise while it is not ready yet, which takes as long as it takes.
        mixed: whether seats may differ in their arithmetic.
        where: where they are, in words behind an error.
        clock: tells the seconds.
    """

    def __init__(
        self,
        crew: Crew,
        places: int,
        timeout: float | None = None,
        silence: float = SILENCE,
        making: float = MAKING,
        mixed: bool = False,
        where: str = "",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.places = places
        self._crew, self._timeout, self._silence = crew, timeout, silence
        self._making = self._making_next = making
        self._mixed, self._where, self._clock = mixed, where, clock
        self._say: Callable[[str], None] = lambda line: None
        self._record: Callable[[AttemptRow], None] = lambda row: None
        self._fingerprint = ""
        self._errands: dict[int, _Errand] = {}
        self._waiting: deque[_Errand] = deque()
        self._seats: dict[int, _Seat] = {}
        self._free: deque[_Seat] = deque()
        self._ended: deque[tuple[int, Outcome]] = deque()
        self._seat_numbers, self._attempt_numbers = count(), count()
        self._tries: Counter[int] = Counter()
        self._unbegun = 0
        self._full, self._full_seconds = 0, 0.0
        self._looked = self._seated = clock()

    def attach(self, folder: Path, say: Callable[[str], None]) -> None:
        """Keeps the table of attempts in the run's folder, and has remarks said.

        The run's fingerprint is that of its first attempt, in an earlier session perhaps.
        """
        table = AttemptTable(folder)
        self._fingerprint = next(filter(None, (row.fingerprint for row in table.rows())), "")
        self._record, self._say = table.add, say

    def close(self) -> None:
        """Ends the seats."""
        self._crew.close()

    def submit(self, job: Job, progress: StageProgress) -> None:
        """Queues the job."""
        if not self._errands:
            self._looked = self._seated = self._clock()
        self._errands[job.number] = errand = _Errand(job, progress)
        self._waiting.append(errand)
        self._fill()

    def next(self) -> tuple[int, Outcome]:
        """Waits for a job to end; meanwhile seats are kept at work."""
        if not (self._errands or self._ended):
            raise no_job_error()
        while True:
            self._hear(0.0 if self._ended else _LOOK)
            if self._clock() - self._looked >= _LOOK:
                self._hear(0.0)  # an end that has come is no longer overdue
                self._look()
            self._fill()
            if self._ended:
                return self._ended.popleft()

    # Work for seats ---------------------------------------------------------------------

    def _fill(self) -> None:
        """Hands what waits to seats that are free, and starts seats for the rest."""
        while self._waiting and self._free:
            self._give(self._free.popleft(), self._waiting.popleft())
        making = sum(not seat.ready for seat in self._seats.values()) if self._waiting else 0
        for _ in range(min(len(self._waiting) - making, self.places - len(self._seats))):
            seat = _Seat(next(self._seat_numbers), self._making_next, self._clock())
            self._seats[seat.number] = seat
            self._crew.start(seat.number)

    def _give(self, seat: _Seat, errand: _Errand) -> None:
        seat.heard = self._clock()
        seat.attempt = _Attempt(next(self._attempt_numbers), seat, errand)
        errand.live.append(seat.attempt)
        self._crew.give(seat.number, seat.attempt.number, errand.job)

    def _repeat(self) -> None:
        """Lets seats that are free repeat the oldest trials once, from one mean full trial on."""
        if self._waiting or not (self._free and self._full):
            return
        since = self._clock() - self._full_seconds / self._full
        alone = [e.live[0] for e in self._errands.values() if e.live and not e.repeated]
        begun = [(a.began, a.number, a) for a in alone if a.began is not None and a.began <= since]
        for _, _, attempt in sorted(begun)[: len(self._free)]:
            if attempt.errand is not None:
                attempt.errand.repeated = True
                self._give(self._free.popleft(), attempt.errand)

    # Messages ---------------------------------------------------------------------------

    def _hear(self, seconds: float) -> None:
        for message in self._crew.hear(seconds):
            self._heed(message)

    def _heed(self, message: Message) -> None:
        """Deals with a message; those of seats that are over say nothing any more."""
        seat = self._seats.get(message.seat)
        if seat is None:
            return
        seat.heard = seat.spoke = self._clock()
        match message:
            case Beat():
                pass
            case Readied():
                self._admit(seat, message)
            case Vanished(how=how, kind=kind):
                self._lose(seat, how, kind)
            case Refused(reason=reason):
                self._retire(seat, reason)
            case Began() | Advanced() | Ended() | Raised():
                if seat.attempt is not None and seat.attempt.number == message.attempt:
                    self._heed_attempt(seat, seat.attempt, message)

    def _heed_attempt(
        self, seat: _Seat, attempt: _Attempt, message: Began | Advanced | Ended | Raised
    ) -> None:
        match message:
            case Began():
                attempt.began, self._unbegun = self._clock(), 0
            case Advanced(stage=stage, step=step, before=before):
                attempt.before = before
                if attempt.errand is not None:
                    attempt.errand.progress(stage, step, before)
            case Ended(outcome=outcome):
                seat.attempt = None
                self._free.append(seat)
                if attempt.errand is not None and outcome is not None:
                    self._finish(attempt, attempt.errand, outcome)
            case Raised(line=line, trace=trace):
                error = SearchError("worker process", line)
                error.add_note(trace)
                raise error

    def _admit(self, seat: _Seat, message: Readied) -> None:
        """A seat is there; one whose arithmetic differs from the run's is retired."""
        seat.host, seat.fingerprint, seat.ready = message.host, message.fingerprint, True
        self._making_next = self._making
        self._seated = self._clock()
        self._fingerprint = self._fingerprint or seat.fingerprint
        if seat.fingerprint not in ("", self._fingerprint) and not self._mixed:
            self._retire(
                seat,
                f"{seat.host}: computes otherwise than the run's hosts (fingerprint "
                f"{seat.fingerprint}, expected {self._fingerprint}); --mixed lets it take part",
            )
            return
        self._free.append(seat)

    def _retire(self, seat: _Seat, reason: str) -> None:
        """Gives up a seat and its place.

        Raises:
            SearchError: when it was the last one.
        """
        self._remove(seat)
        self.places -= 1
        if not self.places:
            raise SearchError("search.executor", reason, "a seat that can take part")
        self._say(f"{reason}: {self.places} places are left")

    # Ends -------------------------------------------------------------------------------

    def _finish(self, attempt: _Attempt, errand: _Errand, outcome: Outcome, how: str = "") -> None:
        """The trial has its result; other attempts at it are dropped."""
        if outcome.state == COMPLETE and attempt.began is not None:
            self._full += 1
            self._full_seconds += self._clock() - attempt.began
        self._note(attempt, errand, how or outcome.state)
        for other in errand.live:
            if other is not attempt:
                self._note(other, errand, "dropped")
                other.errand = None
                self._crew.drop(other.seat.number)
        attempt.errand = None
        del self._errands[errand.job.number]
        self._ended.append((errand.job.number, outcome))

    def _lose(self, seat: _Seat, how: str, kind: str = "crash") -> None:
        """A seat is gone, and the attempt that it had: another seat gets one not begun."""
        attempt = self._remove(seat)
        if not seat.ready or (attempt is not None and attempt.began is None):
            self._count_unbegun(how)
        if attempt is None or attempt.errand is None:
            return
        errand = attempt.errand
        errand.live.remove(attempt)
        if attempt.began is None:
            if not errand.live:
                self._waiting.appendleft(errand)
            return
        self._note(attempt, errand, f"lost: {how}")
        if not errand.live:
            self._finish_lost(errand, Outcome(LOST, attempt.stages, Failure(kind, how)))

    def _finish_lost(self, errand: _Errand, outcome: Outcome) -> None:
        """No attempt is left: whether there is another is not decided here."""
        del self._errands[errand.job.number]
        self._ended.append((errand.job.number, outcome))

    def _remove(self, seat: _Seat) -> _Attempt | None:
        """Ends a seat; its attempt."""
        attempt, seat.attempt = seat.attempt, None
        del self._seats[seat.number]
        if seat in self._free:
            self._free.remove(seat)
        self._crew.end(seat.number)
        return attempt

    def _count_unbegun(self, how: str) -> None:
        """Counts seats that were lost before they had begun their job, in a row.

        Raises:
            SearchError: when there are too many.
        """
        self._unbegun += 1
        if self._unbegun >= _UNBEGUN * self.places:
            times = f"{self._unbegun} times in a row{self._where}"
            found = f"{how} before its first trial, {times}"
            raise SearchError("search.executor", found, "one that starts, or fewer --workers")

    def _note(self, attempt: _Attempt, errand: _Errand, how: str) -> None:
        number, seat = errand.job.number, attempt.seat
        self._tries[number] += 1
        self._record(AttemptRow(number + 1, self._tries[number], seat.host, seat.fingerprint, how))

    # Time -------------------------------------------------------------------------------

    def _look(self) -> None:
        """Deals with what took too long. Silence while we were away ourselves is none."""
        now = self._clock()
        away, self._looked = now - self._looked > _AWAY, now
        for seat in list(self._seats.values()):
            if away:
                seat.heard = now
            patience = self._patience(seat)
            if now - seat.heard < patience:
                self._stop_overdue(seat, now)
            elif seat.spoke > -inf:
                self._lose(seat, f"nothing was heard for {duration_text(patience)}")
            else:  # perhaps there is no room; or its place is on a machine that has gone
                self._remove(seat)
                self._making_next = min(2 * patience, 8 * self._making)
        self._repeat()
        if any(seat.ready for seat in self._seats.values()) or away:
            self._seated = now
        elif now - self._seated >= _PLACELESS:
            self._seated = inf
            self._say(f"waiting for a place to evaluate trials: {self._crew.lack()}")

    def _patience(self, seat: _Seat) -> float:
        """Seconds without a message after which the seat is given up."""
        if not seat.ready:
            return seat.making
        unbegun = seat.attempt is not None and seat.attempt.began is None
        return min(self._silence, self._making) if unbegun else self._silence

    def _stop_overdue(self, seat: _Seat, now: float) -> None:
        """Ends a seat whose attempt takes too long; the trial where no other attempt is left.

        A seat that has not spoken since is not known to be at it still: silence will tell.
        """
        attempt = seat.attempt
        if attempt is None or attempt.began is None or self._timeout is None:
            return
        known = now if self._silence == inf else seat.spoke
        if known - attempt.began < self._timeout:
            return
        errand = attempt.errand
        self._remove(seat)
        if errand is None:
            return
        if errand.live == [attempt]:
            failure = Failure("timeout", f"stopped after {duration_text(self._timeout)}")
            self._finish(attempt, errand, Outcome(FAILED, attempt.stages, failure), "timeout")
        else:
            errand.live.remove(attempt)
            self._note(attempt, errand, "timeout")
