"""The trials of a run as a study of optuna's, which its dashboard and its measures open.

A trial's values are the task's own reward of the last stage, the larger the better, and a cost, the
smaller the better: the measured latency, or the multiply-adds in a run that measures none. A trial
that ended after stage 1 is pruned. Trials keep their numbers, from 0, so a study has the first
trials of a run up to the first that has not ended. The journal has how long each took and not
when: they stand one after another.

Optuna adds a trial with some 90 statements, each an object of its own: 10,000 would take ten
minutes. Its tables are filled from its own models in one transaction instead.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from auxnas.backends.base import BackendUnavailable
from auxnas.search.errors import RequestError
from auxnas.search.storage.cache import json_digest
from auxnas.search.storage.optuna_errors import (
    database_error,
    parsed_address,
    shown_address,
)
from auxnas.search.trials.choices import choices_of
from auxnas.search.trials.pareto import COSTS
from auxnas.search.trials.records import COMPLETE, PENDING, REUSED, STOPPED, Trial
from auxnas.search.trials.rows import ending_text

COST_NAMES = {"latency": "latency_ms", "madds": "multiply_adds"}
"""Names of the second objective, by the cost's."""
_RECORD = "auxnas"
"""User attribute: of a trial what it is known by, of a study when it began."""


@dataclass(frozen=True, slots=True)
class StudyExport:
    """Outcome of an export into a study.

    Attributes:
        study: its name.
        added: trials that were not in it.
        trials: those that are in it now.
        waiting: trials of the run that are not, until those before them have ended.
    """

    study: str
    added: int
    trials: int
    waiting: int


def require_optuna(what: str) -> Any:
    """The package.

    Raises:
        BackendUnavailable: when it is not installed; ``what`` was asked for.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise BackendUnavailable(what, str(error.name), "optuna") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def export_study(trials: Sequence[Trial], url: str, name: str) -> StudyExport:
    """Adds to a study those trials of a run that it lacks; all of them, or none.

    Args:
        trials: of the run, in order.
        url: the database, as optuna and SQLAlchemy write it.
        name: of the study, which is made where there is none.

    Raises:
        BackendUnavailable: when optuna is not installed.
        RequestError: when the database cannot be used, or the study is of another run.
    """
    optuna = require_optuna("--optuna")
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.orm import Session

    ended = list(takewhile(lambda trial: trial.state != PENDING, trials))
    address = parsed_address(url)
    try:
        _check_own(url)
        storage = optuna.storages.RDBStorage(url)
        cost = _create(optuna, storage, name, ended)
        with Session(storage.engine) as session, session.begin():
            study = _Tables(session, name)
            known = study.records()
            _check_same(name, known, ended, cost)
            began = study.began(_beginning(trials))
            study.add(ended, len(known), cost, began)
        storage.engine.dispose()
    except (SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError, ImportError) as error:
        raise database_error(url, address, error) from error
    return StudyExport(name, len(ended) - len(known), len(ended), len(trials) - len(ended))


def _check_own(url: str) -> None:
    """Checks that a database is optuna's, or empty: a run's journal is one, too.

    Raises:
        RequestError: for one with other tables.
    """
    from sqlalchemy import create_engine, inspect

    engine = create_engine(url)
    names = inspect(engine).get_table_names()
    engine.dispose()
    if names and ("studies" not in names or "meta" in names):
        found = f"a database with tables of something else ({', '.join(names[:3])})"
        raise RequestError(f"--optuna {shown_address(url)}", found, "a new one, or one of optuna's")


def _create(optuna: Any, storage: Any, name: str, trials: Sequence[Trial]) -> str:
    """The cost that the study has beside the reward; makes the study where there is none.

    Raises:
        RequestError: when it has other objectives.
    """
    timed = any(trial.latency is not None for trial in trials)
    metrics = ["reward", COST_NAMES["latency" if timed else "madds"]]
    directions = ["maximize", "minimize"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(
            storage=storage, study_name=name, directions=directions, load_if_exists=True
        )
        if not study.metric_names and len(study.directions) == 2:
            study.set_metric_names(metrics)
    names = {metric: cost for cost, metric in COST_NAMES.items()}
    found = [*(study.metric_names or ()), *(each.name.lower() for each in study.directions)]
    if found[:1] + found[2:] != ["reward", *directions] or found[1] not in names:
        raise _foreign(name, f"its objectives are {', '.join(found)}")
    return names[found[1]]


def _foreign(name: str, found: str) -> RequestError:
    return RequestError(f"study {name}", found, "this run's own study, or another --study NAME")


def _check_same(name: str, known: Sequence[str | None], trials: Sequence[Trial], cost: str) -> None:
    if len(known) > len(trials):
        raise _foreign(name, f"it has {len(known)} trials, the run {len(trials)} that ended")
    for number, (record, trial) in enumerate(zip(known, trials, strict=False)):
        if record != _record(trial, cost):
            raise _foreign(name, f"its trial {number + 1} is no trial of this run")


def _record(trial: Trial, cost: str) -> str:
    """Digest that tells a trial, and its end, from those of other runs."""
    values = [trial.state, trial.reward, COSTS[cost](trial)]
    return json_digest(list(trial.genotype.tokens), trial.seed, values)


def _beginning(trials: Sequence[Trial]) -> datetime:
    """Beginning of the first trial, had they ended one after another just now."""
    return datetime.now() - timedelta(seconds=sum(trial.seconds for trial in trials))


class _Tables:
    """Rows of a study, within a transaction.

    Args:
        session: of SQLAlchemy.
        name: the study's.
    """

    def __init__(self, session: Any, name: str) -> None:
        from optuna.storages._rdb import models

        self._session, self._models = session, models
        of_name = models.StudyModel.study_name == name
        # Before anything is read: from here on nobody else writes.
        session.query(models.StudyModel).filter(of_name).update({"study_name": name})
        self._study = session.query(models.StudyModel).filter(of_name).one().study_id

    def records(self) -> list[str | None]:
        """Digests of the study's trials, in order; None of one that has none."""
        trial, attribute = self._models.TrialModel, self._models.TrialUserAttributeModel
        is_record = (attribute.trial_id == trial.trial_id) & (attribute.key == _RECORD)
        rows = (
            self._session.query(attribute.value_json)
            .select_from(trial)
            .outerjoin(attribute, is_record)
            .filter(trial.study_id == self._study)
            .order_by(trial.number)
        )
        return [None if text is None else json.loads(text) for (text,) in rows]

    def began(self, now: datetime) -> datetime:
        """Beginning of the study's first trial; ``now`` from the first export on."""
        model = self._models.StudyUserAttributeModel
        row = self._session.query(model).filter_by(study_id=self._study, key=_RECORD).one_or_none()
        if row is not None:
            return datetime.fromisoformat(json.loads(row.value_json))
        text = json.dumps(now.isoformat())
        self._session.add(model(study_id=self._study, key=_RECORD, value_json=text))
        return now

    def add(self, trials: Sequence[Trial], first: int, cost: str, began: datetime) -> None:
        """Adds the trials from number ``first`` on."""
        from optuna.trial import TrialState

        models, rows = self._models, []
        for trial in trials:
            ended = began + timedelta(seconds=trial.seconds)
            if trial.number >= first:
                state = TrialState[_state(trial, trials, cost)]
                row = models.TrialModel(study_id=self._study, number=trial.number, state=state)
                row.datetime_start, row.datetime_complete = began, ended
                rows.append(row)
            began = ended
        self._session.add_all(rows)
        self._session.flush()
        added = [(row.trial_id, trials[row.number]) for row in rows]
        self._insert(models.TrialParamModel, _parameters(added))
        self._insert(models.TrialUserAttributeModel, _attributes(added, cost))
        self._insert(models.TrialValueModel, self._values(added, trials, cost))
        self._insert(models.TrialIntermediateValueModel, self._stages(added, trials))

    def _insert(self, model: Any, rows: Iterator[dict[str, Any]]) -> None:
        from sqlalchemy import insert

        listed = list(rows)
        if listed:
            self._session.execute(insert(model), listed)

    def _values(
        self, added: Sequence[tuple[int, Trial]], trials: Sequence[Trial], cost: str
    ) -> Iterator[dict[str, Any]]:
        kind = self._models.TrialValueModel.TrialValueType.FINITE
        for row, trial in added:
            if _state(trial, trials, cost) == "COMPLETE":
                reward = _trained(trial, trials).stages[-1].reward
                for objective, value in enumerate((reward, COSTS[cost](trial))):
                    yield {
                        "trial_id": row, "objective": objective, "value": value, "value_type": kind
                    }  # fmt: skip

    def _stages(
        self, added: Sequence[tuple[int, Trial]], trials: Sequence[Trial]
    ) -> Iterator[dict[str, Any]]:
        kind = self._models.TrialIntermediateValueModel.TrialIntermediateValueType.FINITE
        for row, trial in added:
            for step, stage in enumerate(_trained(trial, trials).stages, 1):
                yield {
                    "trial_id": row, "step": step, "intermediate_value": stage.reward,
                    "intermediate_value_type": kind,
                }  # fmt: skip


def _trained(trial: Trial, trials: Sequence[Trial]) -> Trial:
    """The trial whose training gave this one its reward."""
    return trials[trial.source] if trial.state == REUSED and trial.source is not None else trial


def _state(trial: Trial, trials: Sequence[Trial], cost: str) -> str:
    """Optuna's word for a state; one without a cost has failed to say how good it is."""
    state = _trained(trial, trials).state
    if state == COMPLETE and COSTS[cost](trial) is None:
        return "FAIL"
    return {COMPLETE: "COMPLETE", STOPPED: "PRUNED"}.get(state, "FAIL")


def _parameters(added: Sequence[tuple[int, Trial]]) -> Iterator[dict[str, Any]]:
    """Each choice as its number among those that there are."""
    from optuna.distributions import CategoricalDistribution, distribution_to_json

    texts: Mapping[str, str] = {}
    if added:
        places = choices_of(added[0][1].genotype.space).items()
        texts = {name: distribution_to_json(CategoricalDistribution(of)) for name, of in places}
    for row, trial in added:
        for (name, text), token in zip(texts.items(), trial.genotype.tokens, strict=True):
            yield {
                "trial_id": row, "param_name": name, "param_value": token,
                "distribution_json": text,
            }  # fmt: skip


def _attributes(added: Sequence[tuple[int, Trial]], cost: str) -> Iterator[dict[str, Any]]:
    for row, trial in added:
        known = {
            _RECORD: _record(trial, cost),
            "genotype": str(trial.genotype),
            "key": trial.key,
            "ending": ending_text(trial),
            "reward": trial.reward,
            "parameters": trial.parameters,
            "multiply_adds": trial.multiply_adds,
            "latency_ms": trial.latency,
            **trial.metrics,
        }
        for key, value in known.items():
            if value is not None:
                yield {"trial_id": row, "key": key, "value_json": json.dumps(value)}
