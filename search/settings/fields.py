"""Kinds of values that settings have, and the group that a section of settings is."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
)

from auxnas.backends.devices import parse_device
from auxnas.compiler import CompilerError
from auxnas.search.data.mapped import MAP_WORDS, label_table
from auxnas.search.data.spec import TAKES, check_source
from auxnas.search.seams import EXECUTORS, SEARCHERS
from auxnas.search.settings.durations import duration_text, parse_duration

Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Threads = Annotated[int, Field(ge=1, le=1024)]
AtLeastTwo = Annotated[int, Field(ge=2)]
"""For images: batch norm has no deviation of a single one."""
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0)]
Precision = Literal["auto", "fp32", "bf16", "fp16"]


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("the smaller number first")
    return value


def _sized(value: tuple[int, int]) -> tuple[int, int]:
    if not all(_SHORTEST <= side <= _LONGEST for side in value):
        raise ValueError(_SIDES)
    return value


def _one_or_more(value: Any) -> Any:
    """A name alone is a list of one."""
    return [value] if isinstance(value, str) else value


def _name_of(value: Any) -> Any:
    """``null`` is a learner's name, which JSON takes for nothing."""
    return "null" if value is None else value


def _device(value: str) -> str:
    try:
        return parse_device(value).name
    except CompilerError as error:
        raise ValueError(error.expected) from None


def _cluster(value: str) -> str:
    found = re.fullmatch(r"auto|(?:\[[\da-f:.]+\]|[\w.-]+):([1-9]\d{0,4})", value, re.A | re.I)
    if found is None or int(found[1] or 1) >= 1 << 16:
        raise ValueError(_CLUSTERS)
    return value


def _offset(value: Any) -> Any:
    """An offset is read as a number."""
    return f"{value:+d}" if type(value) is int else value


def _label_map(value: str) -> str:
    label_table(value)
    return value


def _takes(words: str) -> Any:
    """Marks a type with what it takes, in words, for the listing of settings."""
    return Field(json_schema_extra={"takes": words})


_SHORTEST, _LONGEST = 32, 8192
_SIDES = f"{_SHORTEST} to {_LONGEST} pixels a side"
_CLUSTERS = "auto or HOST:PORT"
LearnerName = Annotated[Literal["torch", "null"], BeforeValidator(_name_of)]
Names = Annotated[
    tuple[str, ...], BeforeValidator(_one_or_more), _takes("a name or a list of names")
]
Size = Annotated[
    tuple[Positive, Positive], AfterValidator(_sized), _takes(f"[height, width], {_SIDES}")
]
Source = Annotated[str, AfterValidator(check_source), _takes(TAKES)]
LabelMap = Annotated[str, BeforeValidator(_offset), AfterValidator(_label_map), _takes(MAP_WORDS)]
SearcherName = Annotated[str, AfterValidator(SEARCHERS.known), _takes(SEARCHERS.takes)]
DeviceName = Annotated[str, AfterValidator(_device), _takes("ssh:USER@HOST[:PORT]")]
ExecutorName = Annotated[str, AfterValidator(EXECUTORS.known), _takes(EXECUTORS.takes)]
ClusterAddress = Annotated[str, AfterValidator(_cluster), _takes(_CLUSTERS)]
Duration = Annotated[
    float,
    BeforeValidator(lambda value: parse_duration(value) if isinstance(value, str) else value),
    Field(gt=0, le=1e9, allow_inf_nan=False),
    PlainSerializer(duration_text, when_used="json-unless-none"),
    _takes("a duration like 4h, 30m, 90s or 1h30m, or seconds"),
]
"""Seconds; written as ``4h``, ``30m``, ``90s`` or ``1h30m``."""
Magnification = Annotated[float, Field(gt=0)]
Range = Annotated[
    tuple[Magnification, Magnification],
    AfterValidator(_ordered),
    _takes("[smallest, largest], each more than 0"),
]


class SettingsSection(BaseModel):
    """A group of settings; fields are documented where they stand."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )
