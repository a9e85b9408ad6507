"""The controller of the paper: an LSTM that chooses a genotype token by token.

Section 4: two layers with 100 hidden units, everything initialised uniformly. Section
3.1.1 and Figure 1: it emits the connections first, then the cell, and sees an embedding
of each token that it chose. Choices of the same kind and size share an embedding and a
head, so that the locations of the branches have heads of 2, 5, 8, ... values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from auxnas.backends.base import Array, Ascent, PolicyStep, Weigh
from auxnas.backends.torch.devices import to_tensor
from auxnas.genotype import SearchSpace

LstmState = tuple[Tensor, Tensor]
"""Hidden and cell state of all layers: (layers, N, hidden) each."""

_SHUT_OUT = -1e9
"""Added to the logits of what cannot be chosen."""
_BETAS, _EPSILON = (0.9, 0.999), 1e-8
"""Adam's."""
_ALIGNED = 16
"""Numbers at whose multiples parameters begin in an array."""


class Controller(nn.Module):
    """The network: from the tokens before a choice to logits of that choice.

    All heads are one matrix where all choices are judged together: the values of other kinds of
    choices are shut out by a large negative number.

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
        self._seen = _offsets(seen, self.names[:-1])
        self._judged = _offsets(sizes, self.names)
        values, ends = np.arange(sum(sizes.values())), [[sizes[name]] for name in self.names]
        own = (self._judged.numpy() <= values) & (values < self._judged.numpy() + ends)
        self._others = torch.from_numpy(np.where(own, 0, _SHUT_OUT).astype(np.float32))[:, None]

    def forward(self, tokens: Tensor) -> Tensor:
        """Log-probabilities of every value of every choice, given (N, choices) tokens.

        Returns:
            (choices, N, values of all heads).
        """
        first = self.start.expand(1, len(tokens), -1)
        seen = functional.embedding(tokens.T[:-1] + self._seen, _joined(self.embeddings, "weight"))
        outputs, _ = self.lstm(torch.cat([first, seen]))
        weight, bias = (_joined(self.heads, name) for name in ("weight", "bias"))
        logits = functional.linear(outputs, weight, bias) + self._others
        return functional.log_softmax(logits, dim=-1)

    def chosen(self, logs: Tensor, tokens: Tensor) -> Tensor:
        """(N, choices) log-probabilities of the tokens, given those of all values."""
        return logs.gather(2, (tokens.T + self._judged)[..., None])[..., 0].T

    def entropies(self, logs: Tensor) -> Tensor:
        """(N, choices) entropies, given the log-probabilities of all values."""
        return -(logs.exp() * logs).sum(dim=2).T

    def step(self, place: int, seen: Tensor, state: LstmState | None) -> tuple[Tensor, LstmState]:
        """Log-probabilities (N, size) of one choice, from the embedding (N, hidden) before it."""
        output, state = self.lstm(seen[None], state)
        logits = self.heads[self.names[place]](output[0])
        return functional.log_softmax(logits, dim=-1), state


def _joined(modules: nn.ModuleDict, name: str) -> Tensor:
    """The rows of all modules' parameters of a name."""
    return torch.cat([getattr(module, name) for module in modules.values()])


def _offsets(sizes: Mapping[str, int], names: Sequence[str]) -> Tensor:
    """(choices, 1) first rows of the choices' own values, where those of all names are joined."""
    ends = accumulate(sizes.values(), initial=0)
    first = dict(zip(sizes, ends, strict=False))
    return torch.tensor([[first[name]] for name in names], device="cpu")


class OneArray:
    """Parameters, their gradients and Adam's moments, each as parts of one array.

    Adam and the norm of the gradient take a fraction of the time so; ``torch.optim`` would also
    import torch's compiler, which takes seconds.

    Args:
        params: moved there; their values are not kept.
    """

    def __init__(self, params: Mapping[str, nn.Parameter]) -> None:
        self._params = params
        lengths = [-(-param.numel() // _ALIGNED) * _ALIGNED for param in params.values()]
        self._starts = [*accumulate(lengths, initial=0)][:-1]
        self._values, self._gradient, self._mean, self._square = torch.zeros(4, sum(lengths))
        self._steps = torch.zeros(())
        for param, values, gradient in zip(
            params.values(), self._parts(self._values), self._parts(self._gradient), strict=True
        ):
            param.data, param.grad = values, gradient

    def _parts(self, whole: Tensor) -> list[Tensor]:
        pairs = zip(self._params.values(), self._starts, strict=True)
        return [whole[start : start + p.numel()].view(p.shape) for p, start in pairs]

    def step(self, rate: float, limit: float) -> float:
        """One step of Adam down the gradient, cut to the norm ``limit``; its norm before."""
        norm = float(self._gradient.norm())
        if limit and norm > limit:
            self._gradient *= limit / norm
        self._steps += 1
        count = int(self._steps)
        self._mean.lerp_(self._gradient, 1 - _BETAS[0])
        self._square.mul_(_BETAS[1]).addcmul_(self._gradient, self._gradient, value=1 - _BETAS[1])
        deviation = (self._square / (1 - _BETAS[1] ** count)).sqrt_().add_(_EPSILON)
        self._values.addcdiv_(self._mean, deviation, value=-rate / (1 - _BETAS[0] ** count))
        self._gradient.zero_()
        return norm

    def tensors(self) -> dict[str, Tensor]:
        """Parameters, moments and step counts by name, themselves."""
        found = {name: param.detach() for name, param in self._params.items()}
        for kind, whole in (("exp_avg", self._mean), ("exp_avg_sq", self._square)):
            parts = zip(self._params, self._parts(whole), strict=True)
            found |= {f"{name}:{kind}": part for name, part in parts}
        return found | {f"{name}:step": self._steps for name in self._params}


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
        with torch.random.fork_rng(devices=[]):  # torch's own first weights draw from its generator
            self._net = Controller(space, hidden, layers)
        self._array = OneArray(dict(self._net.named_parameters()))
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for param in self._net.parameters():
                param.uniform_(-spread, spread, generator=generator)

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
        norm = self._array.step(step.rate, step.max_norm)
        return Ascent(norm, float(entropies.detach().sum(dim=1).mean()))

    def state(self) -> dict[str, Array]:
        """Weights, Adam's moments and step counts, by name."""
        return {name: tensor.numpy().copy() for name, tensor in self._array.tensors().items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Returns to a state.

        Raises:
            ValueError: for the state of another policy.
        """
        for name, tensor in self._array.tensors().items():
            if name not in state or state[name].shape != tensor.shape:
                raise ValueError(f"policy state: no {name} of shape {tuple(tensor.shape)}")
            tensor.copy_(torch.tensor(state[name]))
