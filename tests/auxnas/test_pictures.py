"""Pictures of predictions."""

import numpy as np
from PIL import Image

from auxnas.compiler.tasks import Segmentation
from auxnas.compiler.tasks.segmentation import UNLABELLED
from auxnas.pictures import Example, draw_predictions

TASK = Segmentation(("a", "b", "c"))
PALETTE = np.array([[10, 20, 30], [200, 0, 0], [0, 200, 0]], dtype=np.uint8)


def slow_classes(logits, size):
    """Half-pixel bilinear interpolation, pixel by pixel."""
    _, height, width = logits.shape
    result = np.zeros(size, dtype=np.uint8)
    for y in range(size[0]):
        for x in range(size[1]):
            v = min(max((y + 0.5) * height / size[0] - 0.5, 0), height - 1)
            u = min(max((x + 0.5) * width / size[1] - 0.5, 0), width - 1)
            y0, x0 = int(v), int(u)
            y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
            top = logits[:, y0, x0] * (1 - u + x0) + logits[:, y0, x1] * (u - x0)
            low = logits[:, y1, x0] * (1 - u + x0) + logits[:, y1, x1] * (u - x0)
            result[y, x] = (top * (1 - v + y0) + low * (v - y0)).argmax()
    return result


def test_logits_grow_bilinearly_before_the_best_class_is_taken():
    logits = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    for size in ((4, 5), (16, 20), (13, 31), (3, 2)):
        found = np.concatenate([TASK.sized(one, "logits", size)[0] for one in logits])
        assert found.shape == (2, *size)
        expected = np.stack([slow_classes(one, size) for one in logits])
        np.testing.assert_array_equal(found, expected)


def test_colours_come_from_the_palette():
    found = TASK.picture(np.array([[0, 2], [255, 1]], dtype=np.uint8), PALETTE)
    assert found.tolist() == [[[10, 20, 30], [0, 200, 0]], [list(UNLABELLED), [200, 0, 0]]]


def test_the_picture_shows_image_truth_and_guess_in_their_places(tmp_path):
    image = np.full((24, 32, 3), 90, dtype=np.uint8)
    truth = np.full((24, 32), 1, dtype=np.uint8)
    guess = np.full((24, 32), 2, dtype=np.uint8)
    examples = [Example(image, truth, guess), Example(image, guess, truth)]
    draw_predictions(examples, TASK, PALETTE, tmp_path / "p.png")
    pixels = np.array(Image.open(tmp_path / "p.png"))
    third = pixels.shape[1] // 3
    rows = [150, 400]
    found = [[pixels[y, third // 2 + column * third].tolist() for column in range(3)] for y in rows]
    assert found[0] == [[90, 90, 90], [200, 0, 0], [0, 200, 0]]
    assert found[1] == [[90, 90, 90], [0, 200, 0], [200, 0, 0]]
    assert (pixels[-60:] == [200, 0, 0]).all(axis=2).any()  # the legend
