"""The controller of the paper: an LSTM that chooses a genotype token by token.

Section 4: two layers with 100 hidden units, everything initialised uniformly. Section
3.1.1 and Figure 1: it emits the connections first, then the cell, and sees an embedding
of each token that it chose. Choices of the same kind and size share an embedding and a
head, so that the locations of the branches have heads of 2, 5, 8, ... values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from auxnas.backends.base import Array, Ascent, PolicyStep, Weigh
from auxnas.backends.torch.devices import to_tensor
from auxnas.genotype import SearchSpace

LstmState = tuple[Tensor, Tensor]
"""Hidden and cell state of all layers: (layers, N, hidden) each."""


class ChoiceGroups:
    """Choices by name, so that what all of one name have in common is done once.

    Args:
        names: of the choices, in order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        counts = Counter(names)
        places = [place for kind in counts for place, name in enumerate(names) if name == kind]
        self._there = torch.tensor(places, device="cpu")
        self._back = self._there.argsort()
        self._counts = list(counts.values())

    def split(self, rows: Tensor) -> tuple[Tensor, ...]:
        """The rows of each name together, names in order of appearance."""
        return torch.split(rows[self._there], self._counts)

    def join(self, groups: Sequence[Tensor]) -> Tensor:
        """All rows in order again."""
        return torch.cat(list(groups))[self._back]


class Controller(nn.Module):
    """The network: from the tokens before a choice to logits of that choice.

    Args:
        space: whose layout is followed.
        hidden: units a layer, and size of the embeddings.
        layers: of the LSTM.
    """

    def __init__(self, space: SearchSpace, hidden: int, layers: int) -> None:
        super().__init__()
        self.names = [f"{token.kind}{token.size}" for token in space.layout]
        sizes = dict(zip(self.names, [token.size for token in space.layout], strict=True))
        seen = {name: sizes[name] for name in self.names[:-1]}
        self.start = nn.Parameter(torch.empty(hidden))
        self.embeddings = nn.ModuleDict({n: nn.Embedding(s, hidden) for n, s in seen.items()})
        self.heads = nn.ModuleDict({n: nn.Linear(hidden, s) for n, s in sizes.items()})
        self.lstm = nn.LSTM(hidden, hidden, layers)
        self.seen_by, self.judged_by = ChoiceGroups(self.names[:-1]), ChoiceGroups(self.names)

    def forward(self, tokens: Tensor) -> list[Tensor]:
        """Log-probabilities of every value of every choice, given (N, choices) tokens.

        Returns:
            One (choices of the head, N, size) tensor a head, as ``judged_by`` groups them.
        """
        first = self.start.expand(1, len(tokens), -1)
        columns = self.seen_by.split(tokens.T[:-1])
        modules = zip(self.embeddings.values(), columns, strict=True)
        seen = self.seen_by.join([module(column) for module, column in modules])
        outputs, _ = self.lstm(torch.cat([first, seen]))
        pairs = zip(self.heads.values(), self.judged_by.split(outputs), strict=True)
        return [functional.log_softmax(head(some), dim=-1) for head, some in pairs]

    def chosen(self, logs: list[Tensor], tokens: Tensor) -> Tensor:
        """(N, choices) log-probabilities of the tokens, given those of all values."""
        pairs = zip(logs, self.judged_by.split(tokens.T), strict=True)
        picked = [some.gather(2, column[..., None])[..., 0] for some, column in pairs]
        return self.judged_by.join(picked).T

    def entropies(self, logs: list[Tensor]) -> Tensor:
        """(N, choices) entropies, given the log-probabilities of all values."""
        return self.judged_by.join([-(some.exp() * some).sum(dim=2) for some in logs]).T

    def step(self, place: int, seen: Tensor, state: LstmState | None) -> tuple[Tensor, LstmState]:
        """Log-probabilities (N, size) of one choice, from the embedding (N, hidden) before it."""
        output, state = self.lstm(seen[None], state)
        logits = self.heads[self.names[place]](output[0])
        return functional.log_softmax(logits, dim=-1), state


@contextmanager
def one_thread() -> Iterator[None]:
    """Lets torch work on one thread: on several, matrices this small take longer (beside other
    programs a hundred times), and the last digits would depend on how many there are.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class LstmPolicy:
    """Implements ``backends.base.Policy`` with the controller, on one thread of the CPU.

    Args:
        space: whose genotypes are chosen.
        seed: of the first weights.
        hidden: units a layer (paper: 100).
        layers: of the LSTM (paper: 2).
        spread: the first weights are uniform in -spread .. spread.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int = 0,
        hidden: int = 100,
        layers: int = 2,
        spread: float = 0.1,
    ) -> None:
        with torch.device("meta"):  # torch's own first weights would draw from its own generator
            net = Controller(space, hidden, layers)
        self._net = net.to_empty(device="cpu")
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for param in self._net.parameters():
                param.uniform_(-spread, spread, generator=generator)
        self._adam = torch.optim.Adam(self._net.parameters(), fused=True)
        for param in self._net.parameters():
            self._adam.state[param] = {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(param),
                "exp_avg_sq": torch.zeros_like(param),
            }

    @one_thread()
    @torch.no_grad()
    def sample(self, count: int, rng: np.random.Generator) -> Array:
        """Tokens (count, choices) int64."""
        draws = torch.from_numpy(rng.random((count, len(self._net.names))))
        seen, state, tokens = self._net.start.expand(count, -1), None, []
        for place, name in enumerate(self._net.names):
            logs, state = self._net.step(place, seen, state)
            bounds = logs.double().exp().cumsum(dim=1)[:, :-1]
            tokens.append((bounds <= draws[:, place, None]).sum(dim=1))
            seen = self._net.embeddings[name](tokens[-1])
        return torch.stack(tokens, dim=1).numpy()

    @one_thread()
    @torch.no_grad()
    def log_prob(self, tokens: Array) -> Array:
        """Log-probability of each choice given those before it: (N, choices) float32."""
        given = to_tensor(tokens, np.int64)
        return self._net.chosen(self._net(given), given).numpy()

    @one_thread()
    @torch.no_grad()
    def entropy(self, tokens: Array) -> Array:
        """Entropy of each choice given those before it: (N, choices) float32."""
        return self._net.entropies(self._net(to_tensor(tokens, np.int64))).numpy()

    @one_thread()
    def update(self, tokens: Array, weigh: Weigh, step: PolicyStep) -> Ascent:
        """One step of Adam."""
        given = to_tensor(tokens, np.int64)
        logs = self._net(given)
        chosen = self._net.chosen(logs, given)
        gain = (to_tensor(weigh(chosen.detach().numpy())) * chosen).mean()
        with torch.set_grad_enabled(step.entropy > 0):
            entropies = self._net.entropies(logs)
        if step.entropy:
            gain = gain + step.entropy * entropies.mean()
        torch.autograd.backward(-gain)
        limit = step.max_norm or float("inf")
        norm = nn.utils.clip_grad_norm_(self._net.parameters(), limit)
        for group in self._adam.param_groups:
            group["lr"] = step.rate
        self._adam.step()
        self._adam.zero_grad()
        return Ascent(float(norm), float(entropies.detach().sum(dim=1).mean()))

    def state(self) -> dict[str, Array]:
        """Weights, Adam's moments and step counts, by name."""
        return {name: tensor.numpy().copy() for name, tensor in self._tensors().items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Returns to a state.

        Raises:
            ValueError: for the state of another policy.
        """
        for name, tensor in self._tensors().items():
            if name not in state or state[name].shape != tensor.shape:
                raise ValueError(f"policy state: no {name} of shape {tuple(tensor.shape)}")
            tensor.copy_(torch.tensor(state[name]))

    def _tensors(self) -> dict[str, Tensor]:
        """The tensors that change in an update, themselves."""
        found = {}
        for name, param in self._net.named_parameters():
            found[name] = param.detach()
            found |= {f"{name}:{kind}": value for kind, value in self._adam.state[param].items()}
        return found
