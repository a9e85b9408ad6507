"""What every target is held to; a subclass names one."""

from __future__ import annotations

import numpy as np
import pytest

from auxnas.backends.base import BackendUnavailable, ExportOptions
from auxnas.backends.compiling.verification import noise_inputs
from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.backends.targets import (
    artefact_files,
    artefact_size,
    atomic_write_set,
    resolve_target,
    target_of,
    with_target_suffix,
)
from auxnas.compiler.interface import Interface, with_interface
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.genotype import zoo
from tests.strategies import program

SIZE = (33, 47)
TOLERANCE = {"fp32": 1e-4, "fp16": 5e-2}
METADATA = {"genotype": "[[0, 0]]", "tool": "test", "head": "logits"}


class TargetContract:
    """Tests of the target called ``name``."""

    name: str
    metadata = METADATA

    @pytest.fixture
    def target(self):
        found = target_of(self.name)
        try:
            found.opener()
        except BackendUnavailable as error:
            pytest.skip(str(error))
        if found.missing() is not None:
            pytest.skip(found.missing())
        return found

    @pytest.fixture
    def network(self):
        described = program(zoo.load_published("arch0").genotype)
        return run_passes(INFERENCE, with_interface(described, Interface("logits", True)))[0]

    def made(self, target, network, folder, options):
        path = folder / "made" / f"net{target.suffix}"
        path.parent.mkdir(exist_ok=True)
        with atomic_write_set(path, self.name) as temporary:
            target.export(network, temporary, options, self.metadata)
        return path

    def test_it_means_what_the_reference_does(self, target, network, tmp_path):
        inputs = noise_inputs(network, SIZE, 0, 1)
        expected, errors = ReferenceRunner(network)(inputs), {}
        for precision in set(target.precisions) & TOLERANCE.keys():
            options = ExportOptions(SIZE, 1, precision)
            path = self.made(target, network, tmp_path, options)
            found = target.open(path)(inputs)
            assert found.keys() == expected.keys()
            for name, truth in expected.items():
                assert found[name].shape == truth.shape
                error = np.abs(found[name] - truth).max() / np.abs(truth).max()
                assert error < TOLERANCE[precision]
                errors[precision] = error
        assert "fp16" not in errors or errors["fp16"] > 3 * errors["fp32"]  # it was not ignored

    def test_it_writes_its_own_files_and_no_other(self, target, network, tmp_path):
        path = self.made(target, network, tmp_path, ExportOptions(SIZE))
        own = {path, *(path.with_suffix(suffix) for suffix in target.beside)}
        assert set(path.parent.iterdir()) == own
        assert set(artefact_files(self.name, path)) >= own
        files = set(path.iterdir()) if target.folder else own
        assert {each.name for each in files} == {*target.folder} or not target.folder
        assert artefact_size(path, self.name) == sum(each.stat().st_size for each in files)

    def test_a_file_is_called_by_its_suffix(self, target, tmp_path):
        output = tmp_path / f"net{target.suffix}"
        assert resolve_target(self.name, output).output == output
        assert with_target_suffix(tmp_path / "net.onnx", self.name) == output
