"""Evaluator of a run: two stages on its data, with its model."""

from __future__ import annotations

from auxnas.compiler import Program
from auxnas.search.evaluation.two_stages import Material, TwoStages
from auxnas.search.examples.features import FeatureSource, feature_examples, subsample
from auxnas.search.networks.context import ModelContext


def evaluator_of(model: ModelContext) -> TwoStages:
    """The evaluator of genotypes; computes the encoder outputs that are not stored yet."""
    data, settings = model.data, model.data.settings
    train, val = data.search_split
    source = FeatureSource(
        learner=model.learner,
        label=settings.learner,
        encoder=Program(model.encoder_graph, model.encoder_params, "encoder"),
        teacher=model.teacher if settings.stage1.distillation else None,
        pixels=data.training.pixels,
        pixel_key=data.training.key,
        dtype=settings.features.dtype,
        normalisation=data.normalisation,
        task=data.task,
    )
    some = subsample(train.indices, settings.features.images)
    stored = feature_examples(source, some, val.indices, data.cache, data.display)
    return TwoStages(
        learner=model.learner,
        task=data.task,
        spec=model.spec,
        encoder=model.encoder_params,
        first=Material(*stored),
        second=Material(data.examples(train, settings.data.scale), data.examples(val)),
        stage1=settings.stage1,
        stage2=settings.stage2,
        start=data.output_start(train),
        give_up=settings.search.give_up,
    )
