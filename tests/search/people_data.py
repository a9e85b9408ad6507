"""The same pictures in the formats that people have: photographs of every kind, four classes."""

import base64
import csv
import json
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

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


# Outlines ---------------------------------------------------------------------------------------


def corners(name: str) -> list[tuple[str, list[list[float]]]]:
    """Class and the two corners of each rectangle, as pixels that reach from 0 to 1."""
    return [
        (CLASSES[value], [[float(left), float(top)], [float(right), float(bottom)]])
        for value, (top, left, bottom, right) in rectangles(name)
    ]


def around(box: list[list[float]]) -> list[float]:
    """The four corners of a box: x, y, x, y and so on."""
    (left, top), (right, bottom) = box
    return [left, top, right, top, right, bottom, left, bottom]


def write_labelme(root: Path, inside: bool = False) -> str:
    """JSON beside the images, or with these inside; a polygon, a rectangle and a mask in each."""
    write_photographs(root / "photographs")
    for name in KINDS:
        shapes = []
        for kind, (label, box) in zip(("polygon", "rectangle", "mask"), corners(name), strict=True):
            box = [box[0], [side - 1 for side in box[1]]]
            points = [list(p) for p in zip(*[iter(around(box))] * 2, strict=True)]
            shape = {"label": label, "points": points if kind == "polygon" else box}
            shape |= {"group_id": None, "description": "", "shape_type": kind, "flags": {}}
            high, wide = (int(b - a) + 1 for a, b in zip(*(p[::-1] for p in box), strict=True))
            shape["mask"] = png_text(np.full((high, wide), 255)) if kind == "mask" else None
            shapes.append(shape)
        path = root / "photographs" / name
        data = base64.b64encode(path.read_bytes()).decode() if inside else None
        found = {"version": "5.5.0", "flags": {}, "shapes": shapes}
        found |= {"imagePath": f"photographs\\{name}" if not inside else name, "imageData": data}
        found |= {"imageHeight": SIZE[0], "imageWidth": SIZE[1]}
        (root / f"{stem(name)}.json").write_text(json.dumps(found, indent=2))
        if inside:
            path.unlink()
    (root / "labels.txt").write_text("\n".join(["__ignore__", *CLASSES]))
    return f"labelme:{root}"


def png_text(mask: Pixels) -> str:
    file = BytesIO()
    Image.fromarray(mask.astype(np.uint8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def write_cvat(root: Path) -> str:
    """Subsets, and shapes of three kinds whose order is in z_order alone."""
    write_photographs(root / "images")
    top = ElementTree.Element("annotations")
    ElementTree.SubElement(top, "version").text = "1.1"
    labels = ElementTree.SubElement(top, "meta")
    for tag in ("task", "labels"):
        labels = ElementTree.SubElement(labels, tag)
    for name, colour in list(zip(CLASSES, COLOURS, strict=True))[1:]:
        label = ElementTree.SubElement(labels, "label")
        ElementTree.SubElement(label, "name").text = name
        ElementTree.SubElement(label, "color").text = "#{:02x}{:02x}{:02x}".format(*colour)
    for number, name in enumerate(KINDS):
        sides = {"width": str(SIZE[1]), "height": str(SIZE[0])}
        subset = "Train" if name in TRAIN else "Validation"
        image = ElementTree.SubElement(
            top, "image", {"id": str(number), "name": name, "subset": subset, **sides}
        )
        rows = list(enumerate(zip(("polygon", "box", "mask"), corners(name), strict=True)))
        for order, (kind, (label, box)) in rows[::-1]:
            known = {"label": label, "source": "manual", "occluded": "0", "z_order": str(order)}
            ElementTree.SubElement(image, kind, known | cvat_shape(kind, box))
        ElementTree.SubElement(image, "polyline", {"label": "road", "points": "1,2;3,4"})
    ElementTree.ElementTree(top).write(
        root / "annotations.xml", encoding="utf-8", xml_declaration=True
    )
    return f"cvat:{root}"


def cvat_shape(kind: str, box: list[list[float]]) -> dict[str, str]:
    (left, top), (right, bottom) = box
    if kind == "polygon":
        flat = around(box)
        points = zip(flat[::2], flat[1::2], strict=True)
        return {"points": ";".join(f"{x:.2f},{y:.2f}" for x, y in points)}
    if kind == "box":
        return dict(zip(("xtl", "ytl", "xbr", "ybr"), map(str, [*box[0], *box[1]]), strict=True))
    high, wide = int(bottom - top), int(right - left)
    sides = {"left": left, "top": top, "width": wide, "height": high}
    return {"rle": f"0, {high * wide}"} | {n: str(int(v)) for n, v in sides.items()}


def write_yolo(root: Path) -> str:
    """Polygons in ``labels``; the background is a class behind the others."""
    for part, names in ("train", TRAIN), ("val", VAL):
        write_photographs(root / "images" / part, names)
        (root / "labels" / part).mkdir(parents=True)
        for name in names:
            lines = []
            for label, box in corners(name)[::-1]:
                shares = [v / SIZE[1 - n % 2] for n, v in enumerate(around(box))]
                lines.append(f"{CLASSES.index(label) - 1} {' '.join(map(str, shares))}")
            (root / f"labels/{part}/{stem(name)}.txt").write_text("\n".join(lines) + "\n")
    rows = "".join(f"  {n}: {name}\n" for n, name in enumerate(CLASSES[1:]))
    (root / "data.yaml").write_text(
        "# a comment\npath: ../somewhere/else  # root\ntrain: images/train\nval: images/val\n"
        f"\nnames:\n{rows}\ndownload: |\n  from pathlib import Path\n  x: [1\n"
    )
    return f"ultralytics:{root}"


def write_yolo_masks(root: Path) -> str:
    """Masks in the place of ``images``; a list of images for one part."""
    for part, names in ("train", TRAIN), ("val", VAL):
        write_photographs(root / "images" / part, names)
        for name in names:
            save_label(root / f"masks/{part}/{stem(name)}.png", name)
    (root / "val.txt").write_text("".join(f"./images/val/{name}\n" for name in VAL))
    (root / "own.yaml").write_text(
        "path: .\ntrain: [images/train]\nval: val.txt\nmasks_dir: 'masks'\n"
        f"nc: 4\nnames: ['{CLASSES[0]}', \"{CLASSES[1]}\", {', '.join(CLASSES[2:])}]\n"
    )
    return f"ultralytics:{root / 'own.yaml'}"


def write_coco(root: Path, form: str = "instances", polygons: bool = False) -> str:
    """COCO's own folders; of pixels as they are stored, whatever EXIF says."""
    (root / "annotations").mkdir()
    for part, names in ("train", TRAIN), ("val", VAL):
        write_photographs(root / f"{part}2017", names)
        write_coco_file(root, form, part, names, polygons)
    return f"coco-segments:{root}"


def write_coco_file(
    root: Path, form: str, part: str, names: tuple[str, ...], polygons: bool
) -> None:
    first = 0 if form in ("panoptic", "stuff") else 1
    images, annotations = [], []
    for number, name in enumerate(names, 1):
        label = np.rot90(truth(name)) if "turned" in name else truth(name)
        height, width = label.shape
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        rows = []
        for value in range(first, len(CLASSES)):
            row = {"id": 10 * number + value, "category_id": 3 * value + 1, "iscrowd": 0}
            region = label == value
            shape = run_lengths(region)
            if polygons and "turned" not in name:
                boxes = {value: around(box) for value, box in corners(name)}
                shape = [boxes[CLASSES[value]]]
            rows.append({**row, "area": int(region.sum()), "segmentation": shape})
        if form == "panoptic":
            ids = 10 * number + label.astype(int)
            folder = root / f"annotations/panoptic_{part}2017"
            folder.mkdir(exist_ok=True)
            pixels = np.stack([ids % 256, ids // 256, ids * 0], 2).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{stem(name)}.png")
            for row in rows:
                del row["segmentation"]
            file = {"image_id": number, "file_name": f"{stem(name)}.png"}
            annotations.append({**file, "segments_info": rows})
        else:
            annotations += [{**row, "image_id": number} for row in rows[::-1]]
    categories = [{"id": 3 * n + 1, "name": CLASSES[n]} for n in range(first, len(CLASSES))]
    found = {"images": images, "annotations": annotations, "categories": categories[::-1]}
    (root / f"annotations/{form}_{part}2017.json").write_text(json.dumps(found))


def run_lengths(region: Pixels) -> dict[str, Any]:
    """Run lengths down the columns, not compressed."""
    flat = region.T.ravel().astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, flat.size]).tolist()
    return {"size": list(region.shape), "counts": [0, *runs] if flat[0] else runs}


def rows(names: tuple[str, ...], folder: Path) -> list[dict[str, Any]]:
    """A row for each picture, as ``datasets.Image`` keeps files."""
    write_photographs(folder, names)
    found = []
    for name in names:
        save_label(folder / f"{stem(name)}.label.png", name)
        files = {"image": folder / name, "annotation": folder / f"{stem(name)}.label.png"}
        row = {key: {"bytes": f.read_bytes(), "path": f.name} for key, f in files.items()}
        found.append({"id": len(found), **row})
    return found


def save_stream(table: Any, path: Path) -> None:
    import pyarrow

    with (
        pyarrow.OSFile(str(path), "wb") as sink,
        pyarrow.ipc.new_stream(sink, table.schema) as writer,
    ):
        writer.write_table(table)


def write_arrow(root: Path) -> str:
    """As ``DatasetDict.save_to_disk`` does, of two files for one split."""
    import pyarrow

    for split, names in ("train", TRAIN), ("validation", VAL):
        (root / split).mkdir()
        table, files = pyarrow.Table.from_pylist(rows(names, root.with_name("stored"))), []
        for number, part in enumerate((table.slice(0, 1), table.slice(1))):
            files.append(f"data-{number:05}-of-00002.arrow")
            save_stream(part, root / split / files[-1])
        state = {"_data_files": [{"filename": file} for file in files], "_split": split}
        (root / split / "state.json").write_text(json.dumps(state))
    (root / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "validation"]}))
    (root / "id2label.json").write_text(json.dumps(dict(enumerate(CLASSES))))
    return f"hf:{root}"


def write_parquet(root: Path) -> str:
    """As repositories have it, with several groups of rows."""
    import pyarrow
    from pyarrow import parquet

    (root / "data").mkdir()
    for split, names in ("train", TRAIN), ("validation", VAL):
        table = pyarrow.Table.from_pylist(rows(names, root.with_name("stored")))
        path = root / f"data/{split}-00000-of-00001.parquet"
        parquet.write_table(table, path, row_group_size=2)
    (root / "id2label.json").write_text(json.dumps(dict(enumerate(CLASSES))))
    return f"hf:{root}"


WRITERS = {
    "folder": write_flat,
    "folder with parts": write_parts,
    "parts with folders": lambda root: write_parts(root, outer=False),
    "roboflow": write_roboflow,
    "camvid": write_camvid,
    "cvat masks": write_cvat_masks,
    "ade20k": write_ade20k,
    "labelme": write_labelme,
    "labelme with images inside": lambda root: write_labelme(root, inside=True),
    "cvat": write_cvat,
    "ultralytics": write_yolo,
    "ultralytics masks": write_yolo_masks,
    "coco instances": write_coco,
    "coco panoptic": lambda root: write_coco(root, "panoptic"),
    "coco stuff": lambda root: write_coco(root, "stuff"),
}
"""Each writes a tree below a new folder, and returns what is behind ``--data``."""
ROWS = {"arrow": write_arrow, "parquet": write_parquet}
"""Likewise, with pyarrow."""
