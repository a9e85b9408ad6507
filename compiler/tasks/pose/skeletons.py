"""Skeletons: the joints of a person, which of them change places in a mirror, and the limbs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from auxnas.compiler.errors import CompilerError
from auxnas.genotype.errors import short_repr

Pairs = tuple[tuple[int, int], ...]

OTHER_SIGMA = 0.079
"""OKS constant of a part that COCO has none for: that of its shoulders, near the middle of all."""
SIGMAS = {
    "nose": 0.026,
    "eye": 0.025,
    "ear": 0.035,
    "shoulder": 0.079,
    "elbow": 0.072,
    "wrist": 0.062,
    "hip": 0.107,
    "knee": 0.087,
    "ankle": 0.089,
}
"""COCO's OKS constants, by the part's name without its side."""
LIMBS = (
    ("ankle", "knee"),
    ("knee", "hip"),
    ("hip", "pelvis"),
    ("pelvis", "thorax"),
    ("thorax", "shoulder"),
    ("thorax", "upper_neck"),
    ("neck", "shoulder"),
    ("neck", "head_top"),
    ("upper_neck", "head_top"),
    ("shoulder", "hip"),
    ("shoulder", "elbow"),
    ("elbow", "wrist"),
    ("nose", "eye"),
    ("eye", "ear"),
    ("ear", "shoulder"),
)
"""Limbs between parts of the same side, or of one in the middle: those that there are are drawn."""
ACROSS = ("shoulder", "hip", "eye")
"""Parts whose left and right are joined."""
_SIDES = "left|right|l|r"
_SIDE = re.compile(
    rf"(?:(?P<side>{_SIDES})_|(?P<whole>left|right))?(?P<part>.+?)(?:_(?P<last>{_SIDES}))?"
)


@dataclass(frozen=True)
class Skeleton:
    """Joints of a person.

    Attributes:
        name: for people.
        joints: their names, in the order of labels and outputs.
        pairs: positions of those that change places in a mirror, each pair once, left first.
        edges: positions that lines are drawn between.
        unscored: positions that count in no mean of PCK (MPII's pelvis and thorax).
    """

    name: str
    joints: tuple[str, ...]
    pairs: Pairs
    edges: Pairs
    unscored: tuple[int, ...] = ()

    def __len__(self) -> int:
        """The number of joints."""
        return len(self.joints)

    @property
    def text(self) -> str:
        """Text that ``named_skeleton`` makes the same skeleton of: ``coco``, ``a+b+c``."""
        own = "+".join(self.joints)
        return next((name for name, known in KNOWN.items() if known == self), own)

    @property
    def mirrored(self) -> tuple[int, ...]:
        """Of each joint the one that it becomes in a mirror."""
        found = list(range(len(self.joints)))
        for left, right in self.pairs:
            found[left], found[right] = right, left
        return tuple(found)

    @property
    def sigmas(self) -> tuple[float, ...]:
        """OKS constants (half of COCO's k), one a joint."""
        return tuple(SIGMAS.get(part, OTHER_SIGMA) for part in self.parts)

    @property
    def parts(self) -> tuple[str, ...]:
        """Names without their side, one a joint."""
        return tuple(part for _, part in _named(self.joints))

    @property
    def sides(self) -> tuple[str, ...]:
        """``left``, ``right`` or nothing, one a joint."""
        return tuple(side for side, _ in _named(self.joints))


def skeleton_of(joints: Sequence[str], name: str = "") -> Skeleton:
    """The skeleton of these joints: COCO17 or MPII16 where it is one, else made of the names.

    Joints that begin or end with ``left``, ``right``, ``l`` or ``r`` are those of a side, apart
    by ``_``, ``-``, ``.``, a blank or a capital (``leftEye``), and pair up with the other side's;
    so do names that differ in a first ``l`` and ``r`` alone (``lsho``, ``rsho``). Lines join what
    ``LIMBS`` says.

    Args:
        joints: their names.
        name: of the skeleton, for people.

    Raises:
        CompilerError: for no joint, a name twice, or a joint without its other side.
    """
    for known in KNOWN.values():
        if tuple(joints) == known.joints:
            return known
    return _made(tuple(joints), name or f"{len(joints)} joints")


def named_skeleton(text: str) -> Skeleton:
    """The skeleton that a text names: one of ``KNOWN``, or names of joints, ``a+b+c``.

    Raises:
        CompilerError: as ``skeleton_of``.
    """
    found = KNOWN.get(text)
    if found is not None:
        return found
    if "+" not in text:
        raise CompilerError("skeleton", short_repr(text), f"{', '.join(KNOWN)} or joints, a+b+c")
    return skeleton_of(text.split("+"))


def _made(joints: tuple[str, ...], name: str, unscored: tuple[int, ...] = ()) -> Skeleton:
    places = {named: place for place, named in enumerate(_named(joints))}
    if not joints or len(places) < len(joints):
        found = short_repr(joints)
        raise CompilerError("joints", found, "names, each once")
    pairs = []
    for (side, part), place in places.items():
        if side and (_OTHER[side], part) not in places:
            expected = f"{_OTHER[side]}_{part} too: sides change places in a mirrored image"
            raise CompilerError("joints", f"{joints[place]!r} alone", expected)
        if side == "left":
            pairs.append((place, places["right", part]))
    return Skeleton(name, joints, tuple(sorted(pairs)), _edges(places), unscored)


_OTHER = {"left": "right", "right": "left"}


def _named(joints: Sequence[str]) -> list[tuple[str, str]]:
    """Side, or nothing, and part of each joint's name."""
    found = [_split(joint) for joint in joints]
    alone = {part for side, part in found if not side}
    swapped = {"l": "r", "r": "l"}
    return [
        (_WORDS[part[0]], part[1:])
        if not side and len(part) > 2 and swapped.get(part[0], "") + part[1:] in alone - {part}
        else (side, part)
        for side, part in found
    ]


_WORDS = {"l": "left", "r": "right"}


def _split(joint: str) -> tuple[str, str]:
    """Side, or nothing, and part, of a name by itself."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", joint.strip())
    found = _SIDE.fullmatch(re.sub(r"[\-. ]+", "_", words).lower())
    if found is None:
        return "", joint
    side = found["side"] or found["whole"] or found["last"] or ""
    return _WORDS.get(side, side), found["part"].strip("_")


def _edges(places: dict[tuple[str, str], int]) -> Pairs:
    found = [
        (one, other)
        for first, second in LIMBS
        for (side, part), one in places.items()
        for (opposite, end), other in places.items()
        if (part, end) == (first, second) and (side == opposite or "" in (side, opposite))
    ]
    for part in ACROSS:
        if {("left", part), ("right", part)} <= places.keys():
            found.append((places["left", part], places["right", part]))
    return tuple(found)


COCO17 = _made(
    (
        "nose",
        *("left_eye", "right_eye", "left_ear", "right_ear"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
        *("left_wrist", "right_wrist", "left_hip", "right_hip"),
        *("left_knee", "right_knee", "left_ankle", "right_ankle"),
    ),
    "COCO-17",
)
"""Joints of COCO's persons, in its order."""
MPII16 = _made(
    (
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("pelvis", "thorax", "upper_neck", "head_top"),
        *("right_wrist", "right_elbow", "right_shoulder"),
        *("left_shoulder", "left_elbow", "left_wrist"),
    ),
    "MPII-16",
    unscored=(6, 7),
)
"""Joints of MPII's persons, in its order; its means leave pelvis and thorax out."""
KNOWN = {"coco": COCO17, "mpii": MPII16}
"""Skeletons by name."""
