"""Number formats of the page; empty text for None."""

from __future__ import annotations

from auxnas.search.trials.records import Trial


def trials_word(count: int) -> str:
    """``1 trial``, ``2 trials``."""
    return f"{count:,} trial{'s' * (count != 1)}"


def score(value: float | None) -> str:
    """Four decimals."""
    return "" if value is None else f"{value:.4f}"


def parameters(value: int | None) -> str:
    """In millions, three decimals."""
    return "" if value is None else f"{value / 1e6:.3f} M"


def multiply_adds(value: int | None) -> str:
    """In millions, one decimal."""
    return "" if value is None else f"{value / 1e6:,.1f} M"


def costs(trial: Trial) -> str:
    """Known costs of a network."""
    found = {
        " parameters": parameters(trial.parameters),
        " multiply-adds": multiply_adds(trial.multiply_adds),
        "": milliseconds(trial.latency),
    }
    return ", ".join(text + unit for unit, text in found.items() if text)


def milliseconds(value: float | None) -> str:
    """Two decimals."""
    return "" if value is None else f"{value:.2f} ms"
