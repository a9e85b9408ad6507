"""Figures of networks side by side as Markdown, and what they come to."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auxnas.nassearch.plots import new_figure, save_figure

RARE = ("Pole", "SignSymbol", "Pedestrian", "Bicyclist")
FRONT = Path(__file__).parents[1] / "results" / "front.json"
"""What ``front.py`` kept of those that the searches of ``equal_time.py`` found."""


def front_genotypes() -> list[Any]:
    """These, in the order of the searches; none before there is any."""
    if not FRONT.is_file():
        return []
    return [row["genotype"] for row in json.loads(FRONT.read_text())["front"]]


FOUND = tuple(f"found{number}" for number in range(len(front_genotypes())))
CHANNELS = {
    "arch0": (96, 128),
    "arch1": (96,),
    "found0": (32, 48, 96),
    "found2": (96,),
    "found4": (96,),
    "found7": (32, 48, 96),
}
"""That some have instead of 64, too."""
LIGHTER = {"found0": (32, 48, 64), "found7": (16, 24, 32)}
"""Channels of some that have MobileNet-v4's smallest encoder, from scratch, too."""
VARIANTS = {f"{name}-{n}": f"model.agg_size={n}" for name, some in CHANNELS.items() for n in some}
FROM_SCRATCH = {
    f"{name}-{n}-mnv4": f"model.agg_size={n} model.encoder=mobilenetv4_conv_small"
    for name, some in LIGHTER.items()
    for n in some
}
"""Settings of both by name."""
PUBLISHED = ("arch0", "arch1", "arch2")
OURS = (*PUBLISHED, *FOUND, *VARIANTS)
"""The published networks, and those that a search found, all from either start."""
ALL_OURS = (*OURS, *FROM_SCRATCH)
INT8 = "int8"
"""What a form in int8 is called after its network's name."""
AHEAD, SHARE = 2.0, 2 / 3
"""Points of mIoU wanted at a peer's latency; share of its latency wanted at its mIoU."""


def undominated(points: Sequence[tuple[float, float]]) -> list[int]:
    """Places of those (time, score) than which none is both faster and better, the fastest first.

    Of equals one is there.
    """
    kept: list[int] = []
    for place in sorted(range(len(points)), key=lambda n: (points[n][0], -points[n][1])):
        if not kept or points[place][1] > points[kept[-1]][1]:
            kept.append(place)
    return kept


def evened(rounds: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """Times without what a whole round was slower or faster than others, as machines are.

    A round's pace is the median, over the contenders, of its time by their own medians.
    """
    usual = {name: statistics.median(each) for name, each in rounds.items()}
    paces = [
        statistics.median(spent / usual[name] for name, spent in zip(rounds, row, strict=True))
        for row in zip(*rounds.values(), strict=True)
    ]
    return {
        name: [spent / pace for spent, pace in zip(each, paces, strict=True)]
        for name, each in rounds.items()
    }


def files_of_trainings(folder: Path, name: str, start: str, suffix: str) -> list[Path]:
    """Those of one network, a seed each; a wider one's are another's."""
    return sorted(folder.glob(f"{name}-{start}-*{suffix}"))


@dataclass(frozen=True)
class Entry:
    """Figures of one network at one size, from one start.

    Attributes:
        name: of the network.
        ours: whether it is ours.
        start: what its encoder begins with.
        size: HxW.
        miou: percent, one a seed.
        rare: of each rare class the mean IoU, percent.
        rates: settings that were chosen for it.
        seconds: of processor time that a training takes, the median.
        parameters: their number.
        multiply_adds: of an image.
        milliseconds: of its fastest file; None where it was not timed.
        runtime: which that is.
    """

    name: str
    ours: bool
    start: str
    size: str
    miou: Sequence[float]
    rare: Mapping[str, float]
    rates: str
    seconds: float
    parameters: int
    multiply_adds: int
    milliseconds: float | None
    runtime: str

    @property
    def mean(self) -> float:
        """Of the seeds' mIoU, percent."""
        return statistics.mean(self.miou)


def entry_of(
    name: str, start: str, size: str, runs: Sequence[dict[str, Any]], timed: Mapping[str, Any]
) -> Entry:
    """Trainings of one network with several seeds, and its time."""
    return Entry(
        name=name,
        ours=name.removesuffix(f" {INT8}") in ALL_OURS,
        start=start,
        size=size,
        miou=[100 * run["miou"] for run in runs],
        rare={
            each: statistics.mean(100 * (run["iou"].get(each) or 0.0) for run in runs)
            for each in RARE
        },
        rates=", ".join(sorted({run["rates"] for run in runs})),
        seconds=statistics.median(run["seconds"] for run in runs),
        parameters=runs[0]["parameters"],
        multiply_adds=runs[0]["multiply_adds"],
        milliseconds=timed.get("median"),
        runtime=timed.get("runtime", ""),
    )


@dataclass(frozen=True)
class Verdict:
    """Ours against one peer; percents and milliseconds, None where none of ours is so fast or good.

    Attributes:
        peer: which.
        ahead: points of mIoU of our best that is not slower.
        better: which that is.
        share: of its latency that our fastest takes which is not worse.
        faster: which that is.
    """

    peer: Entry
    ahead: float | None
    better: str
    share: float | None
    faster: str

    @property
    def is_ahead(self) -> bool:
        """Whether ours is ahead by as much as was wanted."""
        return self.ahead is not None and self.ahead >= AHEAD

    @property
    def is_faster(self) -> bool:
        """Whether ours takes no more time than was wanted."""
        return self.share is not None and self.share <= SHARE


def verdicts(entries: Sequence[Entry]) -> Iterator[Verdict]:
    """One for each peer that was timed, against ours of its size and start."""
    timed = [each for each in entries if each.milliseconds is not None]
    for peer in (each for each in timed if not each.ours):
        ours = [e for e in timed if e.ours and (e.size, e.start) == (peer.size, peer.start)]
        quick = [each for each in ours if each.milliseconds <= peer.milliseconds]
        good = [each for each in ours if each.mean >= peer.mean]
        best = max(quick, key=lambda each: each.mean, default=None)
        first = min(good, key=lambda each: each.milliseconds, default=None)
        yield Verdict(
            peer,
            best and best.mean - peer.mean,
            best.name if best else "",
            first and first.milliseconds / peer.milliseconds,
            first.name if first else "",
        )


def front(entries: Sequence[Entry]) -> list[Entry]:
    """Ours of one size and start than which no other of ours is both faster and better."""
    ours = [each for each in entries if each.ours and each.milliseconds is not None]
    return [ours[n] for n in undominated([(each.milliseconds, each.mean) for each in ours])]


def shown(entries: Sequence[Entry]) -> list[Entry]:
    """Theirs, the published networks, and the front of ours; before times are known, all."""
    kept = []
    for some in grouped(entries).values():
        best = front(some)
        kept += [
            each
            for each in some
            if not best or not each.ours or each.name in PUBLISHED or each in best
        ]
    return kept


def table(entries: Sequence[Entry]) -> str:
    """Markdown: a table for each size and start, the best network first, and the verdicts."""
    parts = []
    for (size, start), some in grouped(shown(entries)).items():
        lines = [
            f"{size}, encoders from {start}:\n",
            f"| network | mIoU, % | {' | '.join(RARE)} | ms | runtime | multiply-adds, M | "
            "parameters, M | minutes | rates |",
            f"|---|---|{'---|' * len(RARE)}---|---|---|---|---|---|",
        ]
        lines += map(line, sorted(some, key=lambda each: -each.mean))
        parts.append("\n".join(lines) + "\n")
    found = list(verdicts(entries))
    return "\n".join([*parts, *([verdict_table(found)] if found else [])])


def grouped(entries: Sequence[Entry]) -> dict[tuple[str, str], list[Entry]]:
    """By size and start."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.size, entry.start), []).append(entry)
    return groups


def draw(entries: Sequence[Entry], path: Path) -> None:
    """mIoU over latency of networks that were timed, a panel for each size and start."""
    groups = grouped([each for each in entries if each.milliseconds is not None])
    figure, panels = new_figure([1.3] * len(groups))
    for panel, ((size, start), some) in zip(panels, groups.items(), strict=True):
        for ours, label in ((True, "ours"), (False, "others")):
            pairs = [(each.milliseconds, each.mean) for each in some if each.ours == ours]
            panel.scatter(*zip(*pairs, strict=True) if pairs else ((), ()), s=24, label=label)
        best = front(some)
        panel.step([e.milliseconds for e in best], [e.mean for e in best], where="post", alpha=0.4)
        for each in shown(some):
            where = (each.milliseconds, each.mean)
            place = (4, -9 if each.name.endswith(INT8) else 3)
            panel.annotate(each.name, where, place, textcoords="offset points", fontsize=7)
        panel.set_title(f"{size}, encoders from {start}", fontsize=9)
        panel.set_xlabel("latency, ms")
        panel.set_ylabel("mIoU, %")
        panel.legend(fontsize=7)
    save_figure(figure, path)


def line(entry: Entry) -> str:
    """An entry as a line of a table."""
    rare = " | ".join(f"{entry.rare[name]:.1f}" for name in RARE)
    time = "" if entry.milliseconds is None else f"{entry.milliseconds:.2f}"
    name = f"**{entry.name}**" if entry.ours else entry.name
    return (
        f"| {name} | {spread(entry.miou)} | {rare} | {time} | {entry.runtime} | "
        f"{entry.multiply_adds / 1e6:.0f} | {entry.parameters / 1e6:.2f} | "
        f"{entry.seconds / 60:.1f} | {entry.rates} |"
    )


def verdict_table(found: Sequence[Verdict]) -> str:
    """Markdown: whether ours is ahead of each peer by what was wanted."""
    lines = [
        f"Wanted of ours: at a peer's latency {AHEAD:g} points of mIoU more, at its mIoU "
        f"{SHARE:.2f} of its latency at most.\n",
        "| size | encoders from | peer | at its latency | | at its mIoU | |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in found:
        ahead = "none so fast" if each.ahead is None else f"{each.ahead:+.1f} ({each.better})"
        share = "none so good" if each.share is None else f"{each.share:.2f} ({each.faster})"
        lines.append(
            f"| {each.peer.size} | {each.peer.start} | {each.peer.name} | {ahead} | "
            f"{said(each.is_ahead)} | {share} | {said(each.is_faster)} |"
        )
    met = sum(each.is_ahead for each in found), sum(each.is_faster for each in found)
    lines.append(f"\nMet at {met[0]} and {met[1]} of {len(found)} peers.")
    return "\n".join(lines) + "\n"


def said(met: bool) -> str:
    return "met" if met else "**missed**"


def spread(values: Sequence[float]) -> str:
    """Mean and, of several, its standard error."""
    mean = f"{statistics.mean(values):.1f}"
    if len(values) == 1:
        return f"{mean} (one seed)"
    return f"{mean} ± {statistics.stdev(values) / len(values) ** 0.5:.1f}"
