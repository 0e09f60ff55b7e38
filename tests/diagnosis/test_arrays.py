"""Arrays and dumps from other programs: recognised where they can be, asked about where not."""

import json

import numpy as np
import pytest

from tests.diagnosis.students.right import fast_im2col
from tests.diagnosis.students.shared import conv_out, sigmoid
from whygrad.diagnosis import diagnose_arrays
from whygrad.diagnosis.dumps import load_dump
from whygrad.errors import FileError, OptionError, ShapeError


def conv(seed=0, n=2, c=3, size=(6, 7), f=4, kernel=(3, 2), stride=1, pad=0):
    rng = np.random.default_rng(seed)
    x, w, b = rng.normal(size=(n, c, *size)), rng.normal(size=(f, c, *kernel)), rng.normal(size=f)
    y = conv_out(x, w, b, stride, pad)
    dy = rng.normal(size=y.shape)
    dx, dw, db = fast_im2col(dy, x, w, b, stride, pad)
    return {
        "x": x,
        "w": w,
        "b": b,
        "y": y,
        "dy": dy,
        "dx": dx,
        "dw": dw,
        "db": db,
        "stride": stride,
        "padding": pad,
    }


def test_right_arrays_are_healthy():
    for seed, (stride, pad) in enumerate([(1, 0), (2, 1), (2, 0), (1, 2)]):
        assert diagnose_arrays("conv2d", **conv(seed, stride=stride, pad=pad)).healthy


@pytest.mark.parametrize("missing", ["b", "y", "dx", "dw", "db", "w dx y", "x dw y", "x w dx dw y", "y b"])
def test_some_arrays_may_be_missing(missing):
    given = conv(stride=2, pad=1)
    for name in missing.split():
        del given[name]
    if not {"x", "w"} & given.keys():
        given |= {"x": np.zeros((2, 3, 6, 7)), "w": np.zeros((4, 3, 3, 2))}
    assert diagnose_arrays("conv2d", **given).healthy


def test_a_bias_that_is_not_given_is_read_off_the_value():
    given = conv()
    del given["b"]
    given["y"] = given["y"] + np.arange(6)  # no bias does that
    assert not diagnose_arrays("conv2d", **given)["y"].fine


@pytest.mark.parametrize("precision", [np.float32, np.float16])
def test_fewer_digits_are_no_mistake(precision):
    given = {k: a.astype(precision).astype(float) if isinstance(a, np.ndarray) else a for k, a in conv().items()}
    exact = {k: conv()[k] for k in ("x", "w", "b", "dy")}
    assert diagnose_arrays("conv2d", **(given | exact), precision=None if precision is np.float32 else 2e-3).healthy


@pytest.mark.parametrize("places", [3, 4, 6])
def test_rounded_numbers_are_no_mistake(places):
    given = conv()
    given |= {name: np.round(given[name], places) for name in ("dx", "dw", "db", "y")}
    assert diagnose_arrays("conv2d", **given).healthy


def test_what_is_missing_is_asked_for():
    given = conv()
    with pytest.raises(OptionError, match="dy, the gradient with respect to the output"):
        diagnose_arrays("conv2d", **{k: a for k, a in given.items() if k != "dy"})
    with pytest.raises(OptionError, match="expected one of dx, dw, db, y, received none"):
        diagnose_arrays("conv2d", x=given["x"], w=given["w"], dy=given["dy"])
    with pytest.raises(OptionError, match="expected x of linear, received none"):
        diagnose_arrays("linear", w=np.ones((3, 2)), dy=np.ones((4, 3)), db=np.ones(3))
    with pytest.raises(OptionError, match="expected w, which dx is made from, received none"):
        diagnose_arrays("conv2d", **{k: a for k, a in given.items() if k != "w"})
    with pytest.raises(OptionError, match="expected x, which dw is made from, received none"):
        diagnose_arrays("conv2d", **{k: a for k, a in given.items() if k != "x"})
    with pytest.raises(OptionError, match="check the names"):
        diagnose_arrays("conv2d", **given, dilate=2)
    with pytest.raises(OptionError, match="dw as an array of numbers"):
        diagnose_arrays("conv2d", **(given | {"dw": "many"}))
    with pytest.raises(ShapeError, match="check stride and padding"):
        diagnose_arrays("conv2d", **(given | {"stride": 3}))


def test_mistakes_in_arrays_are_named():
    given = conv(stride=2, pad=1)
    given["db"] = given["dy"].sum((2, 3)).sum(1)[:1] * np.ones(4)
    given["dw"] = given["dw"][:, :, ::-1, ::-1] / 2
    d = diagnose_arrays("conv2d", **given)
    assert d["dx"].fine
    assert d["dw"].cause == "kernel_gradient_flipped"
    assert "batch_scale_wrong" in d["dw"].also


def to(name, a):
    return a.transpose(["NCHW".index(letter) for letter in name]) if a.ndim == 4 else a


def kernel_to(name, a):
    return a.transpose(["FCRS".index(letter) for letter in name])


@pytest.mark.parametrize(
    ("images", "kernels"), [("NHWC", "RSCF"), ("HWCN", "RSCF"), ("NHWC", "FCRS"), ("NHWC", "FRSC")]
)
def test_other_orders_of_axes_are_recognised(images, kernels):
    given = conv(n=2, c=3, size=(9, 8), f=5)
    given |= {k: to(images, given[k]) for k in ("x", "y", "dy", "dx")}
    given |= {k: kernel_to(kernels, given[k]) for k in ("w", "dw")}
    d = diagnose_arrays("conv2d", **given)
    assert d.healthy
    assert d.notes == (f"read with images as {images} and weights as {kernels}, which fit the shapes",)
    given["dw"] = kernel_to(kernels, kernel_to_back(kernels, given["dw"])[:, :, ::-1, ::-1])
    assert diagnose_arrays("conv2d", **given).cause == "kernel_gradient_flipped"
    declared = diagnose_arrays(
        "conv2d", layout=images, weights=kernels.translate(str.maketrans("FCRS", "OIHW")), **given
    )
    assert declared.cause == "kernel_gradient_flipped"


def kernel_to_back(name, a):
    return a.transpose([name.index(letter) for letter in "FCRS"])


def test_shapes_that_fit_in_several_orders_are_asked_about():
    cube = np.random.default_rng(0).normal(size=(4, 4, 4, 4))
    w, dy = np.random.default_rng(1).normal(size=(2, 2, 4, 3)), np.random.default_rng(2).normal(size=(4, 3, 3, 3))
    with pytest.raises(ShapeError, match='say layout="NHWC" and weights="HWIO", or pass y'):
        diagnose_arrays("conv2d", x=cube, w=w, dy=dy, dw=np.ones(w.shape))
    assert not diagnose_arrays(
        "conv2d", x=cube, w=w, dy=dy, dw=np.ones(w.shape), layout="NHWC", weights="HWIO"
    ).healthy


def test_axes_of_size_1_may_be_missing():
    given = conv(n=1, c=1, f=1, size=(5, 6))
    plane = {k: a.squeeze() if isinstance(a, np.ndarray) and a.ndim == 4 else a for k, a in given.items()}
    assert diagnose_arrays("conv2d", **plane).healthy
    stack = conv(n=1, c=3, f=4)
    stack |= {k: stack[k][0] for k in ("x", "y", "dy", "dx")}
    assert diagnose_arrays("conv2d", **stack).healthy
    filters = conv(n=2, c=1, f=4)
    filters |= {k: filters[k][:, 0] for k in ("x", "dx", "w", "dw")}
    assert diagnose_arrays("conv2d", **filters).healthy


def test_fortran_order_is_only_memory():
    given = {k: np.asfortranarray(a) if isinstance(a, np.ndarray) else a for k, a in conv().items()}
    assert diagnose_arrays("conv2d", **given).healthy


@pytest.mark.parametrize("behind", [True, False])
def test_an_activation_that_y_shows_belongs_to_the_layer(behind):
    given = conv()
    y = sigmoid(given["y"])
    if behind:
        given["dx"], given["dw"], given["db"] = fast_im2col(
            given["dy"] * y * (1 - y), given["x"], given["w"], given["b"], 1, 0
        )
    d = diagnose_arrays("conv2d", **(given | {"y": y}))
    assert d.healthy, str(d)
    assert d.notes[0].startswith("read as conv2d with sigmoid, since that is what y shows")


def test_a_dense_layer_either_way_round():
    rng = np.random.default_rng(0)
    x, w, dy = rng.normal(size=(5, 4)), rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    assert diagnose_arrays("linear", x=x, w=w, dy=dy, dw=x.T @ dy, dx=dy @ w.T).healthy
    assert diagnose_arrays("linear", x=x, w=w.T, dy=dy, dw=dy.T @ x, dx=dy @ w.T, weights="OI").healthy
    single = diagnose_arrays("linear", x=x[0], w=w, dy=dy[0], dw=np.outer(x[0], dy[0]))
    assert single.healthy


# Dumps


def saved(path, arrays):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".mat":
        pytest.importorskip("scipy.io").savemat(path, arrays)
    else:
        path.write_text(json.dumps({k: a.tolist() if isinstance(a, np.ndarray) else a for k, a in arrays.items()}))
    return path


@pytest.mark.parametrize("kind", [".npz", ".mat", ".json"])
def test_dumps_are_read_by_the_names_that_people_use(tmp_path, kind):
    given = conv(stride=2, pad=1)
    names = {"x": "X", "w": "kernel", "b": "bias", "dy": "dout", "dx": "d_input", "dw": "dkernel", "db": "dbias"}
    arrays = {new: given[old] for old, new in names.items()} | {"s": 2, "pad": 1, "layer": "conv"}
    content = load_dump(saved(tmp_path / f"dump{kind}", arrays))
    assert content.pop("op") == "conv"
    assert sorted(content) == ["b", "db", "dw", "dx", "dy", "padding", "stride", "w", "x"]
    assert diagnose_arrays("conv", **content).healthy


def test_matlab_has_samples_and_filters_last(tmp_path):
    given = conv(n=2, c=3, size=(9, 8), f=5)
    arrays = {k: to("HWCN", given[k]) for k in ("x", "dy")} | {"w": kernel_to("RSCF", given["w"])}
    arrays["dw"] = kernel_to("RSCF", given["dw"]) / 2
    content = load_dump(saved(tmp_path / "dump.mat", arrays))
    d = diagnose_arrays("conv2d", **content)
    assert d.cause == "batch_scale_wrong"
    assert d.notes == ("read with images as HWCN and weights as RSCF, which fit the shapes",)


def test_matlab_leaves_trailing_axes_of_size_1_out(tmp_path):
    given = conv(n=1, c=1, f=1, size=(5, 5), kernel=(3, 3))
    arrays = {k: given[k].squeeze() for k in ("x", "w", "dy", "dw", "dx")}
    assert diagnose_arrays("conv2d", **load_dump(saved(tmp_path / "dump.mat", arrays))).healthy


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("dump.npz", b"nothing of the kind", "received a damaged file"),
        ("dump.mat", b"nothing of the kind", "received a damaged one"),
        ("dump.json", b"{", "expected JSON"),
        ("dump.json", b"[1, 2]", "received a list"),
        ("dump.json", b'{"dw": [[1, 2], [3]]}', "nested lists of numbers of even lengths"),
        ("dump.json", b'{"dw": [1], "dW": [2]}', "expected one array for dw"),
        ("dump.csv", b"1,2", "a file that ends in .npz, .mat, .json"),
    ],
)
def test_bad_dumps_are_one_sentence(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises((FileError, OptionError), match=says):
        load_dump(tmp_path / name)


def test_python_objects_are_not_opened(tmp_path):
    np.savez(tmp_path / "dump.npz", dw=np.array([{"a": 1}], dtype=object))
    with pytest.raises(FileError, match="Python objects, which are not opened"):
        load_dump(tmp_path / "dump.npz")
