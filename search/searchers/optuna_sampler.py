"""Samplers of optuna's as searchers: ``optuna:tpe``, ``optuna:nsgaii,population_size=20``."""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Any

from auxnas.genotype import Genotype, SearchSpace
from auxnas.genotype.plugins import PluginError, with_options
from auxnas.search.errors import SettingsError
from auxnas.search.seams import SEARCHERS
from auxnas.search.searchers.base import State, reward_of
from auxnas.search.settings.search import SearchSettings
from auxnas.search.storage.optuna_study import require_optuna
from auxnas.search.trials.choices import choices_of, chosen, genotype_of
from auxnas.search.trials.pareto import COSTS, CostOf
from auxnas.search.trials.records import Trial

Maker = Callable[[SearchSettings, SearchSpace, int, str], "OptunaSearcher"]

_SETTING = "search.searcher"
_NUMBERS = "a sampler for numbers, and a genotype's choices are categories"
UNFIT = {
    "cmaes": _NUMBERS,
    "qmc": _NUMBERS,
    "grid": "wants a grid, and genotypes are too many for one",
    "partialfixed": "wants another sampler, which no text names",
}
"""Samplers that cannot search for genotypes, and the reason."""
_STUDY = "search"
_LIMIT = "limits"
"""Constraint of a proposal that came to no reward: over a limit, or failed."""


@dataclass(frozen=True)
class Sampler:
    """A sampler that was named, and what it is for.

    Attributes:
        optuna: the package.
        kind: the sampler's class.
        options: its constructor's, the seed apart.
        cost: of a trial, a second goal; None for the reward alone.
    """

    optuna: Any
    kind: Any
    options: Mapping[str, Any]
    cost: CostOf | None

    def make(self, seed: int) -> Any:
        """An object of the class.

        Raises:
            SettingsError: when it does not take the options.
        """
        try:
            return self.kind(seed=seed, **self.options)
        except (TypeError, ValueError) as error:
            raise self.refusal(error) from error

    def refusal(self, error: Exception) -> SettingsError:
        """The error of a class that does not take the options, or fails for their values."""
        found = f"{self.kind.__name__}: {' '.join(str(error).split()):.120}"
        takes = [each for each in signature(self.kind).parameters if each != "seed"]
        expected = f"what that class of optuna takes: {', '.join([*takes, 'cost'])}"
        return SettingsError(_SETTING, found, expected)


def find_sampler(text: str) -> Maker:
    """Maker of searchers with a sampler.

    Args:
        text: the sampler's name, that of its class without ``Sampler``, and options behind it: its
            constructor's, and ``cost``, a second goal, the smaller the better (``params``,
            ``madds`` or ``latency``).

    Raises:
        SettingsError: when there is no such sampler, or it does not take the options.
        BackendUnavailable: when optuna is not installed.
    """
    sampler = _parsed(require_optuna(f"{_SETTING}=optuna:{text}"), text)
    with _quiet():
        sampler.make(0)

    def make(
        settings: SearchSettings, space: SearchSpace, seed: int, framework: str
    ) -> OptunaSearcher:
        return OptunaSearcher(space, seed, sampler)

    return make


def _parsed(optuna: Any, text: str) -> Sampler:
    try:
        name, given = with_options(text)
    except PluginError as error:
        raise SettingsError(_SETTING, error.found, error.expected) from error
    kinds = {
        each.removesuffix("Sampler").lower(): getattr(optuna.samplers, each)
        for each in optuna.samplers.__all__
        if each.endswith("Sampler") and not each.startswith("Base")
    }
    if name not in kinds or name in UNFIT:
        why = UNFIT.get(name)
        found = f"optuna:{name}: {why}" if why else f"no sampler of optuna's {name!r:.40}"
        usual = SEARCHERS.libraries["optuna"].names
        known = ", ".join(dict.fromkeys([*usual, *(each for each in kinds if each not in UNFIT)]))
        raise SettingsError(_SETTING, found, f"one of {known}, options behind it: tpe,NAME=VALUE")
    if "seed" in given:
        found = f"seed={given['seed']:.40}"
        raise SettingsError(_SETTING, found, "no seed of its own: the run's, --seed, is its seed")
    cost = given.pop("cost", None)
    if cost is not None and cost not in COSTS:
        raise SettingsError(_SETTING, f"cost={cost:.40}", f"one of {', '.join(COSTS)}")
    options = {key: _value(each) for key, each in given.items()}
    return Sampler(optuna, kinds[name], options, COSTS[cost] if cost else None)


class OptunaSearcher:
    """Asks a sampler of optuna's, with a genotype's choices as categories.

    The study is in memory, and in the state whole: samplers keep nothing else. For each proposal
    the sampler is made anew, seeded by the seed and the number of the proposal, so that what it
    proposes follows from these and the study. A proposal that was passed over when a later one was
    told of is pruned, its constraint violated; TPE avoids its like. A trial of unknown cost counts
    as one of these where the cost is a goal.

    Args:
        space: the search space.
        seed: of all draws.
        sampler: what is searched with.
    """

    def __init__(self, space: SearchSpace, seed: int, sampler: Sampler) -> None:
        self._optuna = sampler.optuna
        self._space, self._seed, self._sampler = space, seed, sampler
        category = self._optuna.distributions.CategoricalDistribution
        self._choices = {place: category(of) for place, of in choices_of(space).items()}
        self._begin()

    def _begin(self) -> None:
        """An empty study."""
        self._storage = self._optuna.storages.InMemoryStorage()
        directions = ["maximize", *(["minimize"] if self._sampler.cost else [])]
        self._study = self._optuna.create_study(
            storage=self._storage, study_name=_STUDY, directions=directions
        )
        self._id = self._storage.get_study_id_from_name(_STUDY)
        self._waiting: dict[int, Genotype] = {}

    def ask(self, count: int) -> list[Genotype]:
        """The next ``count`` proposals of the sampler."""
        with _quiet():
            return [self._proposal() for _ in range(count)]

    def _proposal(self) -> Genotype:
        number = self._storage.get_n_trials(self._id)
        seed = random.Random(f"optuna {self._seed} {number}").getrandbits(31)
        self._study.sampler = self._sampler.make(seed)
        try:
            trial = self._study.ask(self._choices)
        except (TypeError, ValueError) as error:
            raise self._sampler.refusal(error) from error
        self._waiting[number] = found = genotype_of(self._space, trial.params)
        return found

    def tell(self, trials: Sequence[Trial]) -> None:
        """Ends the study's trials of these genotypes, and those that were passed over."""
        for trial in trials:
            values = [reward_of(trial)]
            if self._sampler.cost is not None:
                values += [] if (cost := self._sampler.cost(trial)) is None else [cost]
            complete = len(values) == len(self._study.directions)
            for number in self._up_to(trial.genotype):
                is_it = self._waiting.pop(number) == trial.genotype
                if is_it and complete:
                    self._study.tell(number, values)
                else:
                    self._pass_over(number)

    def _up_to(self, genotype: Genotype) -> list[int]:
        """Proposals that wait, up to the first of this genotype; none where it is not of them."""
        numbers = list(self._waiting)
        found = (place for place, each in enumerate(numbers) if self._waiting[each] == genotype)
        return numbers[: next(found, -1) + 1]

    def _pass_over(self, number: int) -> None:
        row = self._study.get_trials(deepcopy=False)[number]
        self._optuna.trial.Trial(self._study, row._trial_id).set_constraint(_LIMIT, 1.0)
        self._study.tell(number, state=self._optuna.trial.TrialState.PRUNED)

    def state(self) -> State:
        """The seed, and the study: its trials, and what samplers noted of them and of it."""
        return {
            "seed": self._seed,
            "trials": list(self._rows()),
            "study": dict(self._storage.get_study_system_attrs(self._id)),
        }

    def _rows(self) -> Iterator[list[Any]]:
        for row in self._study.get_trials(deepcopy=False):
            tokens = list(genotype_of(self._space, row.params).tokens)
            yield [tokens, row.state.name, row.values, dict(row.system_attrs)]

    def restore(self, state: State) -> None:
        """Returns to a state."""
        self._begin()
        self._seed = state["seed"]
        states = self._optuna.trial.TrialState
        for number, (tokens, name, values, notes) in enumerate(state["trials"]):
            genotype = self._space.genotype(tokens)
            self._study.add_trial(
                self._optuna.trial.create_trial(
                    state=states[name],
                    values=values,
                    params=chosen(genotype),
                    distributions=self._choices,
                    system_attrs=notes,
                )
            )
            if states[name] is states.RUNNING:
                self._waiting[number] = genotype
        for key, value in state["study"].items():
            self._storage.set_study_system_attr(self._id, key, value)


@contextmanager
def _quiet() -> Iterator[None]:
    """Leaves out what optuna says of samplers that may change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _value(text: str) -> Any:
    """A number, a truth value or null, or the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
