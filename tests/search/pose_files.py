"""Small files of annotations, and their photographs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from auxnas.compiler.tasks.pose import COCO17

WIDTH, HEIGHT = 64, 48


def photograph(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT), **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path, **options)


def annotations(joints: list[str]) -> dict[str, Any]:
    images = [
        {"id": 7, "file_name": "a.png", "width": WIDTH, "height": HEIGHT},
        {"id": 9, "file_name": "b.png", "width": WIDTH, "height": HEIGHT},
    ]
    places = [[10 + n, 12, 2 - n % 2] for n in range(len(joints))]
    person = {
        "image_id": 7,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": [8, 6, 30, 33],
        "area": 500.0,
        "keypoints": [value for place in places for value in place],
    }
    rows = [
        {"id": 1, **person},
        {"id": 2, **person, "iscrowd": 1},
        {"id": 3, **person, "keypoints": [0] * 3 * len(joints)},
        {"id": 4, **person, "image_id": 9, "bbox": [0, 0, 64, 48]},
        {"id": 5, **person, "category_id": 2},
    ]
    categories = [{"id": 1, "name": "person", "keypoints": joints}, {"id": 2, "name": "dog"}]
    return {"images": images, "annotations": rows, "categories": categories}


def coco(folder: Path, images: str = "images/train2017", joints: list[str] | None = None) -> Path:
    for name in ("a.png", "b.png"):
        photograph(folder / images / name)
    file = folder / "annotations" / "person_keypoints_train2017.json"
    file.parent.mkdir()
    file.write_text(json.dumps(annotations(joints or list(COCO17.joints))))
    return file
