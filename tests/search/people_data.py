"""The same pictures in the formats that people have: photographs of every kind, four classes."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

SIZE = (40, 48)
"""(height, width) of every picture as it is shown."""
CLASSES = ("background", "road", "car", "tree")
COLOURS = ((0, 0, 0), (128, 64, 128), (0, 0, 142), (107, 142, 35))
KINDS = ("colour.jpg", "grey.png", "palette.png", "deep.png", "alpha.png", "cmyk.jpg", "turned.jpg")
"""Photographs of every sort, the last one turned by its EXIF tag."""
TRAIN, VAL = KINDS[:2] + KINDS[4:], KINDS[2:4]
Pixels = np.ndarray[Any, Any]


def write_photographs(folder: Path, names: tuple[str, ...] = KINDS) -> None:
    """Files of these names, as they are kept in such files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(KINDS):
        rng = np.random.default_rng(number)
        colours = Image.fromarray(rng.integers(0, 256, (*SIZE, 3), np.uint8))
        if name in names:
            _saved(colours, name.partition(".")[0], folder / name)


def _saved(image: Any, kind: str, path: Path) -> None:
    if kind == "turned":
        image = image.transpose(Image.Transpose.ROTATE_90)
        image.getexif()[ExifTags.Base.Orientation] = 6
        image.save(path, quality=95, exif=image.getexif())
    elif kind == "deep":
        Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257).save(path)
    else:
        modes = {"grey": "L", "palette": "P", "alpha": "RGBA", "cmyk": "CMYK"}
        image.convert(modes.get(kind, "RGB")).save(path)


def truth(name: str) -> Pixels:
    """Classes of a picture as it is shown: rectangles, of which the last lies on top."""
    label = np.zeros(SIZE, np.uint8)
    for value, (top, left, bottom, right) in rectangles(name):
        label[top:bottom, left:right] = value
    return label


def rectangles(name: str) -> list[tuple[int, tuple[int, int, int, int]]]:
    """Class and (top, left, bottom, right) of each; edges that a division by 40 and 48 keeps."""
    shift = KINDS.index(name)
    return [(1, (20, 0, 40, 48)), (2, (15, 3 + shift, 30, 23 + shift)), (3, (5, 30, 25, 40))]


def stem(name: str) -> str:
    return name.partition(".")[0]


def save_label(path: Path, name: str, form: str = "L") -> None:
    """Label image of a picture: indices (``L``), with a palette (``P``), or in ``COLOURS``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    label = truth(name)
    image = Image.fromarray(label)
    if form == "P":
        image.putpalette([value for colour in COLOURS for value in colour])
    elif form == "RGB":
        image = Image.fromarray(np.array(COLOURS, np.uint8)[label])
    image.save(path)


def write_flat(root: Path) -> str:
    """No parts; names in classes.txt."""
    write_photographs(root / "images")
    for name in KINDS:
        save_label(root / f"labels/{stem(name)}.png", name, "P")
    (root / "classes.txt").write_text("\n".join(CLASSES))
    return f"folder:{root}"


def write_parts(root: Path, outer: bool = True) -> str:
    """``images/train`` and ``masks/train``, or ``train/images`` and ``train/masks``."""
    for part, names in ("train", TRAIN), ("val", VAL):
        places = ("images", part) if outer else (part, "images")
        write_photographs(root.joinpath(*places), names)
        for name in names:
            folder = root / "masks" / part if outer else root / part / "masks"
            save_label(folder / f"{stem(name)}.png", name)
    (root / "classes.txt").write_text("\n".join(CLASSES))
    return f"folder:{root}"


def write_roboflow(root: Path) -> str:
    """Pictures and masks together, and a table of the values in each part."""
    for part, names in ("train", TRAIN), ("valid", VAL):
        write_photographs(root / part, names)
        for name in names:
            save_label(root / part / f"{stem(name)}_mask.png", name)
        rows = [f"{number}, {name}" for number, name in enumerate(CLASSES)]
        (root / part / "_classes.csv").write_text("\n".join(["Pixel Value, Class", *rows]))
    return f"folder:{root}"


def write_camvid(root: Path) -> str:
    """``train`` beside ``train_labels``, in the colours of a table that has a Void too."""
    for part, names in ("train", TRAIN), ("val", VAL):
        write_photographs(root / part, names)
        for name in names:
            save_label(root / f"{part}_labels/{stem(name)}_L.png", name, "RGB")
    with (root / "class_dict.csv").open("w", newline="") as file:
        table = csv.writer(file)
        rows = [[n, *c] for n, c in zip(CLASSES, COLOURS, strict=True)]
        table.writerows([["name", "r", "g", "b"], *rows[:1], ["Void", 9, 9, 9], *rows[1:]])
    return f"folder:{root}"


def write_cvat_masks(root: Path) -> str:
    """Segmentation mask 1.1."""
    write_photographs(root / "JPEGImages")
    for name in KINDS:
        save_label(root / f"SegmentationClass/{stem(name)}.png", name, "RGB")
        save_label(root / f"SegmentationObject/{stem(name)}.png", name, "RGB")
    lists = root / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "default.txt").write_text("".join(f"{stem(name)}\n" for name in KINDS))
    rows = [f"{n}:{','.join(map(str, c))}::" for n, c in zip(CLASSES, COLOURS, strict=True)]
    (root / "labelmap.txt").write_text("\n".join(["# label:color_rgb:parts:actions", *rows, ""]))
    return f"folder:{root}"


def write_ade20k(root: Path) -> str:
    """0 is not labelled; the names are in a table."""
    for part, names in ("training", TRAIN), ("validation", VAL):
        write_photographs(root / "images" / part, names)
        for name in names:
            path = root / f"annotations/{part}/{stem(name)}.png"
            save_label(path, name)
            Image.fromarray(truth(name) + np.uint8(1)).save(path)
    names = [*CLASSES, *(f"thing {n}" for n in range(150 - len(CLASSES)))]
    rows = [f"{n}\t0.1\t10\t1\t{name}, other" for n, name in enumerate(names, 1)]
    (root / "objectInfo150.txt").write_text("\n".join(["Idx\tRatio\tTrain\tVal\tName", *rows]))
    return f"ade20k:{root}"


WRITERS = {
    "folder": write_flat,
    "folder with parts": write_parts,
    "parts with folders": lambda root: write_parts(root, outer=False),
    "roboflow": write_roboflow,
    "camvid": write_camvid,
    "cvat masks": write_cvat_masks,
    "ade20k": write_ade20k,
}
"""Each writes a tree below a new folder, and returns what is behind ``--data``."""
