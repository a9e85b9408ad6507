"""How fast the search space is reasoned about; networkx on the same genotypes.

Prints one JSON document:

* ``counts``: exact numbers of classes of the paper's space at each level, each computed
  in a space of its own, with the seconds it took;
* ``scalar``: keys per second, one genotype after the other;
* ``batch``: genotypes deduplicated per second as one array, and the peak memory of the
  process so far;
* ``networkx``: the same at level ``isomorphism`` with networkx, as one would do without
  this package: a Weisfeiler-Lehman hash of each labelled graph, and isomorphism tests
  within buckets of equal hashes; graphs are built beforehand and not counted;
* ``speedup``: batch over networkx, on the same genotypes.

Half of the genotypes are random, half are other ways to write them (their
representatives). Seconds are processor time of one core.

    python bench/search/space.py [--genotypes 1000000] [--shared 2000]
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import platform
import resource
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np

from auxnas.genotype import LEVELS, Genotype, SearchSpace
from auxnas.genotype.batch import canonical_tokens, dedupe_tokens

SPACE = SearchSpace.cvpr2019()


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What ``work`` gives, and its seconds."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def drawn(number: int) -> np.ndarray:
    """Tokens of shape ``(number, 19)``: random ones, then their representatives."""
    rng = np.random.default_rng(0)
    sizes = [token.size for token in SPACE.layout]
    tokens = np.stack([rng.integers(0, size, number - number // 2) for size in sizes], axis=1)
    return np.concatenate([tokens, canonical_tokens(tokens[: number // 2], SPACE)])


def counts() -> dict[str, Any]:
    found = {}
    for level in LEVELS:
        count, seconds = timed(lambda level=level: SearchSpace().count(level))
        found[level] = {
            "connections": count.connections,
            "cells": count.cells,
            "total": count.total,
            "seconds": seconds,
        }
    return found


def scalar(genotypes: list[Genotype]) -> dict[str, float]:
    """Keys per second."""
    return {
        level: len(genotypes) / timed(lambda level=level: [g.key(level) for g in genotypes])[1]
        for level in LEVELS
    }


def batch(tokens: np.ndarray) -> dict[str, Any]:
    found: dict[str, Any] = {"genotypes": len(tokens)}
    for level in ("raw", "swap", "isomorphism"):
        result, seconds = timed(lambda level=level: dedupe_tokens(tokens, SPACE, level))
        found[level] = {
            "seconds": seconds,
            "per_second": len(tokens) / seconds,
            "distinct": len(result.kept),
        }
    found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def graph(genotype: Genotype) -> nx.DiGraph:
    """The architecture as a graph whose nodes are labelled; each use of a block is a node."""
    result = nx.DiGraph()

    def node(label: str, *inputs: int) -> int:
        name = len(result)
        result.add_node(name, label=label)
        result.add_edges_from((source, name) for source in inputs)
        return name

    pool = [node(f"encoder {i}") for i in range(SPACE.encoder_outputs)]
    for pair in genotype.connections:
        uses = [node("use", pool[index]) for index in pair]
        pool.append(node("block", *uses))
    names = SPACE.vocabulary.names
    values = [node("input")]
    values.append(node(names[genotype.cell.first], values[0]))
    for left, right, one, other in genotype.cell.branches:
        sides = [node(names[one], values[left]), node(names[other], values[right])]
        values += [*sides, node("sum", *sides)]
    return result


def classes(graphs: list[nx.DiGraph]) -> list[int]:
    """For each graph the position of the first isomorphic one."""
    warnings.filterwarnings("ignore", "The hashes produced for directed graphs changed")
    buckets: dict[str, list[int]] = {}
    first = []
    for place, found in enumerate(graphs):
        code = nx.weisfeiler_lehman_graph_hash(found, node_attr="label")
        bucket = buckets.setdefault(code, [])
        same = next((other for other in bucket if isomorphic(graphs[other], found)), place)
        if same == place:
            bucket.append(place)
        first.append(same)
    return first


def isomorphic(one: nx.DiGraph, other: nx.DiGraph) -> bool:
    return nx.is_isomorphic(one, other, node_match=lambda a, b: a["label"] == b["label"])


def against_networkx(tokens: np.ndarray, everything: float) -> dict[str, Any]:
    """networkx and the batch form on ``tokens``; ``everything`` is the rate on the whole array."""
    graphs = [graph(SPACE.genotype(row)) for row in tokens.tolist()]
    theirs, seconds = timed(lambda: classes(graphs))
    rounds = 20
    ours, batch_seconds = timed(lambda: [dedupe_tokens(tokens, SPACE) for _ in range(rounds)][-1])
    if ours.same_as.tolist() != theirs:
        sys.exit("networkx and the batch form find different classes")
    rate, same = len(tokens) / seconds, len(tokens) * rounds / batch_seconds
    return {
        "networkx": {"genotypes": len(tokens), "seconds": seconds, "per_second": rate},
        "speedup": {"same_genotypes": same / rate, "whole_array": everything / rate},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--genotypes", type=int, default=1_000_000)
    parser.add_argument("--shared", type=int, default=2_000)
    parser.add_argument("--scalar", type=int, default=20_000)
    args = parser.parse_args()
    tokens = drawn(args.genotypes)
    arrays = batch(tokens)
    shared = drawn(args.shared)
    report = {
        "machine": {"python": platform.python_version(), "processor": platform.machine()},
        "counts": counts(),
        "scalar": scalar([SPACE.genotype(row) for row in drawn(args.scalar).tolist()]),
        "batch": arrays,
        **against_networkx(shared, arrays["isomorphism"]["per_second"]),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
