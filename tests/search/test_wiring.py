"""What a run trains on, validates on and learns from: no image in two parts."""

from dataclasses import replace

import numpy as np
import pytest

from auxnas.backends.base import Optimiser, Recipe
from auxnas.backends.null.learner import NullLearner
from auxnas.compiler.tasks import Segmentation
from auxnas.pictures import prediction_examples
from auxnas.search.data import DataError
from auxnas.search.evaluation.evaluator import evaluator_of
from auxnas.search.evaluation.two_stages import stage_recipe
from auxnas.search.examples.images import LABEL
from auxnas.search.loop.run import execute
from auxnas.search.settings.stages import StageSettings
from auxnas.search.trials.records import best_of


def test_stages_train_on_meta_train_and_validate_on_meta_val(place_of):
    place = place_of()
    train, val = (set(part.indices) for part in place.data.search_split)
    assert train
    assert val
    assert not train & val
    assert len(train | val) == len(place.data.training.dataset)
    evaluator = evaluator_of(place.model)
    assert set(evaluator.second.train.indices) == train
    assert set(evaluator.second.val.indices) == val
    assert set(evaluator.first.train.indices) == train
    assert set(evaluator.first.val.indices) == val
    for material, part in ((evaluator.first.train, train), (evaluator.first.val, val)):
        shown = range(len(material))
        pixels = [place.data.training.pixels.read(LABEL, [index])[0] for index in sorted(part)]
        for label in material.batch(shown, None).labels:
            assert any(np.array_equal(label, known) for known in pixels)
    assert len(evaluator.first.train) == len(train)
    assert len(evaluator.first.val) == len(val)


def test_stage_one_may_train_on_a_part_of_meta_train(place_of):
    place = place_of(features__images=4)
    train, val = (set(part.indices) for part in place.data.search_split)
    evaluator = evaluator_of(place.model)
    assert len(evaluator.first.train) == 4
    assert set(evaluator.first.train.indices) < train
    assert set(evaluator.first.val.indices) == val
    assert set(evaluator.second.train.indices) == train


def test_stage_one_is_taught_and_validation_is_not(place_of):
    evaluator = evaluator_of(place_of().model)
    assert evaluator.first.train.batch([0, 1], None).teacher is not None
    assert evaluator.first.val.batch([0], None).teacher is None
    untaught = evaluator_of(place_of(stage1__distillation=0.0).model)
    assert untaught.first.train.batch([0, 1], None).teacher is None


class Recorder(NullLearner):
    def __init__(self):
        self.fits = []

    def fit_part(self, program, examples, recipe, seed, part, state=None, progress=None):
        self.fits.append((examples, recipe))
        return program, {}


def test_pre_training_sees_meta_train_alone(place_of, tmp_path):
    place = place_of(pretrain__poly=0.7, pretrain__rate=0.01)
    place = replace(place, cache=tmp_path / "empty")
    recorder = Recorder()
    _ = replace(place.model, learner=recorder).encoder
    ((examples, found),) = recorder.fits
    assert set(examples.indices) == set(place.data.search_split.train.indices)
    assert found == Recipe(
        epochs=place.settings.pretrain.epochs,
        batch_size=place.settings.pretrain.batch_size,
        optimisers=(Optimiser("", "adam", 0.01),),
        poly=0.7,
        auxiliary=0.0,
        task=place.data.task,
    )


def test_a_stages_recipe_is_all_of_its_settings():
    own = {"decoder_rate": 0.5, "encoder_rate": 0.25, "auxiliary": 0.75, "clip_norm": 2.0}
    settings = StageSettings(
        epochs=7, batch_size=3, polyak=0.125, distillation=0.375, precision="bf16", **own
    )
    assert stage_recipe(settings, Segmentation()) == Recipe(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        optimisers=(
            Optimiser("decoder.", "adam", settings.decoder_rate),
            Optimiser("auxiliary", "adam", settings.decoder_rate),
            Optimiser("encoder.", "sgd", settings.encoder_rate, momentum=0.9),
        ),
        polyak=settings.polyak,
        auxiliary=settings.auxiliary,
        distillation=settings.distillation,
        clip_norm=settings.clip_norm,
        precision="bf16",
    )
    assert set(own) | {"epochs", "batch_size", "polyak", "distillation", "precision"} == set(
        StageSettings.model_fields
    )


def test_a_run_goes_on_without_the_cache(place_of, tmp_path):
    execute(place_of(trials=2))
    elsewhere = replace(place_of(trials=4), cache=tmp_path / "another")
    trials = execute(elsewhere)
    assert len(trials) == 4
    assert not (tmp_path / "another" / "encoders").exists()


def test_pictures_show_image_and_truth_of_the_same_place(place_of):
    place = place_of()
    best = best_of(execute(place))[0]
    for example in prediction_examples(place, best):
        val = place.data.search_split.val.indices
        known = [index for index in val if _same(place, index, example)]
        assert len(known) == 1


def _same(place, index, example) -> bool:
    dataset = place.data.training.dataset
    image, truth = dataset.image(index), dataset.label(index)
    return np.array_equal(image, example.image) and np.array_equal(truth, example.truth)


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_images_are_found_before_a_folder_is_made(place_of, count):
    place = place_of(data__source=f"synthetic:{count}")
    with pytest.raises(DataError, match=r"synthetic:\d: .*\d images, expected at least"):
        execute(place)
    assert not place.folder.exists()


def test_nothing_labelled_in_meta_val_is_found_before_a_folder_is_made(place_of, tmp_path):
    from PIL import Image

    rows = []
    for index in range(12):
        image = np.full((32, 32, 3), 20 * index, np.uint8)
        Image.fromarray(image).save(tmp_path / f"{index}.png")
        Image.fromarray(np.full((32, 32), 255, np.uint8)).save(tmp_path / "void.png")
        Image.fromarray(np.eye(32, dtype=np.uint8)).save(tmp_path / "both.png")
        rows.append(f"{index}.png\tvoid.png")
    rows[0] = "0.png\tboth.png"
    (tmp_path / "all.lst").write_text("\n".join(rows))
    changes = {"data__source": f"list:{tmp_path / 'all.lst'}", "data__classes": 2}
    place = place_of(**changes)
    with pytest.raises(DataError, match="no labelled pixel of a class that counts"):
        execute(place)
    assert not place.folder.exists()
