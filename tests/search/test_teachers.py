"""Teachers of stage 1: networks trained here, and published ones."""

from dataclasses import replace

import numpy as np
import pytest

from auxnas.backends.null.learner import NullLearner
from auxnas.compiler import CompilerError, Program, graph_weights, lower_resnet_refinenet
from auxnas.compiler.decoders import HandMade
from auxnas.compiler.decoders.resnet_refinenet import published_names
from auxnas.compiler.weights import random_params
from auxnas.genotype import SearchSpace
from auxnas.search.errors import JournalError, SearchError
from auxnas.search.evaluation.evaluator import evaluator_of
from auxnas.search.loop.run import execute
from auxnas.search.networks.networks import Network, save_network
from auxnas.search.networks.teachers import read_teacher


def told(program: Program) -> float:
    """A number that tells weights apart."""
    return float(sum(np.abs(value).mean() for value in program.params.values()))


class Telling(NullLearner):
    """Infers which weights it was given."""

    def infer(self, program, inputs):
        maps = super().infer(program, inputs)
        return {name: value + told(program) for name, value in maps.items()}


@pytest.fixture
def teacher_of(place_of, tmp_path):
    """Writes a network for the data's classes; its path and what is in it."""

    def make(seed: int = 0, classes: int | None = None, genotype: bool = False):
        place = place_of()
        wanted = classes or len(place.data.training.dataset.classes)
        spec = replace(place.model.spec, classes=wanted, auxiliary="none")
        space = SearchSpace.cvpr2019()
        found = space.genotype([0] * len(space.layout)) if genotype else HandMade("lwrf", 8)
        network = Network(spec, found)
        params = random_params(network.graph(), seed)
        path = tmp_path / f"teacher{seed}.safetensors"
        save_network(path, network, params, ("a",) * wanted, [], (32, 32))
        return path, Program(network.graph(), params)

    return make


@pytest.mark.parametrize("genotype", [False, True])
def test_stage_one_learns_from_the_network_given(place_of, teacher_of, genotype):
    path, program = teacher_of(genotype=genotype)
    model = replace(place_of(teacher=str(path)).model, learner=Telling())
    (shown,) = {float(x) for x in evaluator_of(model).first.train.batch([0], None).teacher.flat}
    assert shown == pytest.approx(told(program), rel=1e-3)


def test_a_run_keeps_its_teacher_wherever_that_lies(place_of, teacher_of, tmp_path):
    path, _ = teacher_of()
    trials = execute(place_of(teacher=str(path), trials=2))
    moved = path.rename(tmp_path / "moved.safetensors")
    assert execute(place_of(teacher=str(moved), trials=2)) == trials
    for other in (str(teacher_of(seed=1)[0]), None):
        with pytest.raises(JournalError, match="the teacher changed since it began"):
            execute(place_of(teacher=other, trials=2))


def test_a_teacher_of_other_classes_is_refused_before_a_folder_is_made(place_of, teacher_of):
    place = place_of("fresh", teacher=str(teacher_of(classes=3)[0]))
    with pytest.raises(SearchError, match="3 classes, expected 12 as the data"):
        execute(place)
    assert not place.folder.exists()


def test_a_published_state_dict_is_read_by_its_names(tmp_path):
    torch = pytest.importorskip("torch")
    graph = lower_resnet_refinenet(50, 4)
    names, zero = published_names(graph), torch.zeros(())
    theirs = {names[ours]: zero.expand(w.shape) for ours, w in graph_weights(graph).items()}
    theirs["clf_conv.bias"] = torch.arange(4.0)
    torch.save(theirs, tmp_path / "published.pth")
    program = read_teacher(tmp_path / "published.pth", 4)
    assert program.graph == graph
    assert program.params["refinenet.clf.bias"].tolist() == [0, 1, 2, 3]
    torch.save({"fc.weight": theirs["clf_conv.weight"]}, tmp_path / "other.pth")
    with pytest.raises(CompilerError, match=r"other\.pth: a state dict of another network"):
        read_teacher(tmp_path / "other.pth", 4)


def test_what_is_no_network_is_refused_with_its_name(tmp_path):
    with pytest.raises(CompilerError, match="nothing: no such file"):
        read_teacher(tmp_path / "nothing", 4)
