"""What a node lacks is said, of each the first thing."""

from dataclasses import replace

import pytest

from auxnas.search.executors.nodes import NodeReport, describe_node, judge_nodes


@pytest.fixture
def node(monkeypatch, tmp_path):
    monkeypatch.setenv("AUXNAS_CACHE", str(tmp_path / "not" / "there"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MKL_NUM_THREADS", "1")
    return replace(describe_node("null", 1), room=1 << 40)


def faults(*nodes):
    return [found.fault for found in judge_nodes(nodes)]


def test_nodes_like_this_one_take_part(node):
    assert node.fingerprint
    assert node.processor
    assert faults(node, node) == ["", ""]


def test_what_differs_is_said(node):
    other = replace(node, fingerprint="0123")
    old = replace(node, versions={**node.versions, "numpy": "0.1"})
    bare = replace(node, versions={**node.versions, "torch": "none"})
    found = faults(node, node, other, old, bare, replace(node, room=5 << 20), NodeReport("a"))
    assert found[:2] == ["", ""]
    assert found[2] == (
        f"computes otherwise than most, which are {node.fingerprint}: left out without --mixed"
    )
    assert found[3] == f"has numpy 0.1, expected {node.versions['numpy']}"
    assert found[4] == f"has torch none, expected {node.versions['torch']}"
    assert found[5] == "5 MiB are free for its cache, expected 1024 or more"
    assert found[6].startswith("has auxnas none, expected ")
    assert faults(NodeReport("a", fault="no answer in 60 seconds")) == ["no answer in 60 seconds"]
