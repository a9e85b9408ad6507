"""Every backend of the registry has the methods of its protocol, with the same parameters."""

from __future__ import annotations

import inspect

import pytest

from auxnas.backends.base import BackendUnavailable, Exporter, Learner, Policy, Runner
from auxnas.backends.registry import TABLE, backend

PROTOCOLS = {"exporter": Exporter, "runner": Runner, "learner": Learner, "policy": Policy}
ROWS = [row for row in TABLE if row[0] in PROTOCOLS]


def methods(protocol: type) -> dict[str, list[str]]:
    """Parameter names by method."""
    found = {n: m for n, m in vars(protocol).items() if inspect.isfunction(m)}
    own = {n: m for n, m in found.items() if n == "__call__" or not n.startswith("_")}
    return {name: list(inspect.signature(method).parameters) for name, method in own.items()}


def check(kind: type, protocol: type) -> None:
    for name, parameters in methods(protocol).items():
        assert list(inspect.signature(getattr(kind, name)).parameters) == parameters, name


@pytest.mark.parametrize(("role", "name"), ROWS)
def test_a_backend_keeps_to_its_protocol(role, name):
    try:
        kind = backend(role, name)
    except BackendUnavailable as error:
        pytest.skip(str(error))
    check(kind, PROTOCOLS[role])


def test_another_signature_is_found():
    class Old:
        def export(self, program, path, size, metadata):
            pass

    assert methods(Exporter).keys() == {"export"}
    with pytest.raises(AssertionError, match="export"):
        check(Old, Exporter)
