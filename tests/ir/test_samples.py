"""Arrays on the way into a model and out of it."""

from pathlib import Path

import numpy as np
import pytest

from graphs import float32, int8
from lichen.errors import InputError
from lichen.ir.module import Value
from lichen.ir.samples import Form, dequantise, load_samples, quantise, save_samples


def test_quantise_rounds_halves_away_and_clamps() -> None:
    """The rounding of TensorFlow Lite Micro, not NumPy's to even."""
    got = quantise(np.array([0.25, -0.25, 0.75, 1e9, -1e9], np.float32), int8((5,), 0.5, 0))
    assert got.tolist() == [1, -1, 2, 127, -128]


def test_dequantise_is_the_inverse_on_the_grid() -> None:
    """Every stored byte survives the way to float32 and back."""
    type_ = int8((256,), 0.037, -11)
    stored = np.arange(-128, 128).astype(np.int8)
    np.testing.assert_array_equal(quantise(dequantise(stored, type_), type_), stored)


@pytest.mark.parametrize("shape", [(4, 1, 6, 2), (4, 6, 2)])
def test_the_leading_one_may_be_left_out(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """`(n, *shape)` with or without the batch of one."""
    np.save(tmp_path / "x.npy", np.zeros(shape, np.int8))
    batches, form = load_samples(tmp_path / "x.npy", [Value("x", int8((1, 6, 2)))])
    assert batches[0].shape == (4, 1, 6, 2)
    assert form == Form(as_float=False, batch_of_one=len(shape) == 4)


@pytest.mark.parametrize("as_float", [False, True])
@pytest.mark.parametrize(("batch_of_one", "shape"), [(True, (2, 1, 3)), (False, (2, 3))])
def test_outputs_come_in_the_form_of_the_inputs(
    tmp_path: Path, as_float: bool, batch_of_one: bool, shape: tuple[int, ...]
) -> None:
    """With the leading 1 if the inputs had it, so that `argmax(axis=1)` of plain samples is a class; real numbers if they were."""
    batch = np.arange(6, dtype=np.int8).reshape(2, 1, 3)
    save_samples(tmp_path / "y.npy", [Value("y", int8((1, 3), 0.5, 1))], [batch], Form(as_float, batch_of_one))
    got = np.load(tmp_path / "y.npy")
    assert got.shape == shape
    expected = dequantise(batch, int8((1, 3), 0.5, 1)) if as_float else batch
    np.testing.assert_array_equal(got, expected.reshape(shape))
    assert got.dtype == expected.dtype


def test_channels_may_come_first(tmp_path: Path) -> None:
    """A batch as PyTorch keeps it is turned, if its shape can mean nothing else; one that fits as it is stays as it is."""
    images = np.arange(2 * 4 * 5 * 3, dtype=np.int8).reshape(2, 4, 5, 3)
    signals = np.arange(2 * 7 * 3, dtype=np.int8).reshape(2, 1, 7, 3)
    cubes = np.arange(2 * 27, dtype=np.int8).reshape(2, 3, 3, 3)
    for given, expected in (
        (images.transpose(0, 3, 1, 2), images),
        (signals[:, 0].transpose(0, 2, 1), signals),
        (cubes, cubes),
    ):
        np.save(tmp_path / "x.npy", given)
        batches, form = load_samples(tmp_path / "x.npy", [Value("x", int8((1, *expected.shape[1:])))])
        np.testing.assert_array_equal(batches[0][:, 0], expected)
        assert not form.batch_of_one


def test_float_data_is_quantised_for_an_int8_input(tmp_path: Path) -> None:
    """Real numbers are quantised on the way in, and that is told."""
    np.save(tmp_path / "x.npy", np.full((3, 2), 0.1))
    batches, form = load_samples(tmp_path / "x.npy", [Value("x", int8((1, 2), 0.05, 1))])
    assert form.as_float
    assert batches[0].tolist() == [[[3, 3]]] * 3


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((3, 5), np.int8), "expected"),
        (np.zeros((0, 2), np.int8), "expected"),
        (np.zeros((3, 2), np.int16), "int16"),
        (np.full((3, 2), np.nan), "finite"),
        (np.array(3.0), "expected"),
    ],
)
def test_unusable_arrays_are_refused(tmp_path: Path, array: np.ndarray, sentence: str) -> None:
    """Wrong shape, no samples, wrong type, not a number: each has its sentence."""
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(InputError, match=sentence):
        load_samples(tmp_path / "x.npy", [Value("x", int8((1, 2)))])


def test_unusable_files_are_refused(tmp_path: Path) -> None:
    """Missing files, other files and pickles are errors of one sentence."""
    (tmp_path / "text.npy").write_text("hello")
    np.save(tmp_path / "pickle.npy", np.array([{}], object))
    for name in ("absent.npy", "text.npy", "pickle.npy"):
        with pytest.raises(InputError):
            load_samples(tmp_path / name, [Value("x", float32((1, 2)))])


def test_several_inputs_come_by_name(tmp_path: Path) -> None:
    """A model with two inputs takes an archive with arrays of their names."""
    inputs = [Value("a", float32((1, 2))), Value("b", float32((1, 3)))]
    np.savez(tmp_path / "x.npz", a=np.zeros((2, 2)), b=np.ones((2, 3)))
    batches, _ = load_samples(tmp_path / "x.npz", inputs)
    assert [b.shape for b in batches] == [(2, 1, 2), (2, 1, 3)]
    with pytest.raises(InputError, match="no array named c"):
        load_samples(tmp_path / "x.npz", [Value("c", float32((1, 2)))])
