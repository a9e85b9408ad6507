"""Human pose: the joints of one person in a crop."""

from auxnas.compiler.tasks.pose.joints import (
    ABSENT,
    HIDDEN,
    VISIBLE,
    Joints,
    context,
    person_label,
)
from auxnas.compiler.tasks.pose.skeletons import (
    COCO17,
    MPII16,
    Skeleton,
    named_skeleton,
    skeleton_of,
)

__all__ = [
    "ABSENT",
    "COCO17",
    "HIDDEN",
    "MPII16",
    "VISIBLE",
    "Joints",
    "Skeleton",
    "context",
    "named_skeleton",
    "person_label",
    "skeleton_of",
]
