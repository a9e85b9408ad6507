"""What every format of data is held to; a subclass gives its ``spec``."""

from __future__ import annotations

import numpy as np
import pytest

from auxnas.compiler.tasks import Segmentation, Task
from auxnas.search.data import DataError, check, open_dataset, parts

SIZE = (24, 32)


class DatasetContract:
    """Tests of the data that ``spec`` names: a handful of images, with labels of ``task``."""

    task: Task = Segmentation()

    @pytest.fixture
    def spec(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def whole(self, spec):
        return [self.opened(spec, part=part) for part in parts(spec)]

    def opened(self, spec, size=SIZE, **options):
        return open_dataset(spec, size=size, task=self.task, **options)

    def test_it_has_images_of_labelled_pixels(self, spec, whole):
        for data in whole:
            assert data.name
            assert len(data) > 0
            assert 2 <= len(data.classes) <= 255
            assert data.palette.shape == (len(data.classes), 3)
            assert data.palette.dtype == np.uint8
            image, label = data.image(0), data.label(0)
            around = 2 * data.margin
            assert (image.dtype, image.shape) == (np.uint8, (SIZE[0] + around, SIZE[1] + around, 3))
            assert data.labels.same_numbers(self.task.labels)
            assert data.labels.fault(label, image.shape[:2]) is None
            assert set(np.unique(data.labels.counted(label))) <= {*range(len(data.classes)), 255}

    def test_the_search_can_use_it(self, spec, whole):
        for data in whole:
            assert check(data).images == len(data)

    def test_an_image_is_the_same_every_time(self, spec, whole):
        for data in whole:
            again = self.opened(spec, part=parts(spec)[whole.index(data)])
            for index in {0, len(data) - 1}:
                assert np.array_equal(data.image(index), again.image(index))
                assert np.array_equal(data.label(index), again.label(index))
            assert data.fingerprint() == again.fingerprint()

    def test_other_content_has_another_fingerprint(self, spec, whole):
        found = {data.fingerprint() for data in whole}
        found.add(self.opened(spec, size=(48, 48)).fingerprint())
        assert len(found) == len(whole) + 1

    def test_parts_share_no_image(self, spec, whole):
        seen = [{data.image(i).tobytes() for i in range(len(data))} for data in whole]
        assert len(set.union(*seen)) == sum(map(len, seen))

    def test_a_part_that_there_is_not_is_refused(self, spec):
        with pytest.raises(DataError, match="part"):
            self.opened(spec, part="test")
        if "val" not in parts(spec):
            with pytest.raises(DataError, match="no val part"):
                self.opened(spec, part="val")
