"""The page: its numbers, its size, and how it behaves in a browser."""

import base64
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from whygrad.errors import FileError
from whygrad.explanation.page import page, write_page
from whygrad.explanation.page.kinds import _KINDS
from whygrad.explanation.terms import RULES
from whygrad.explanation.trace import trace
from whygrad.layers import (
    GELU,
    Add,
    AvgPool2d,
    BatchNorm2d,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Graph,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    MaxPool2d,
    Pad2d,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
    UpsampleNearest2d,
)
from whygrad.losses import cross_entropy, half_squared_error
from whygrad.models import lenet5

MODULES = sorted((Path(__file__).parents[2] / "src/whygrad/explanation/page").glob("*.js"))
KINDS = {"windowed", "dense", "mean", "pointwise", "routed", "rows", "normalised", "listed", "opaque"}


def every_kind():
    """Return a network with branches in which every kind of layer stands, most with unusual options."""
    return Graph(
        {
            "pad": (Pad2d((1, 0, 2, 1), mode="reflect"), "image"),
            "conv": (Conv2d(2, 4, (3, 2), stride=(2, 1), padding=1, groups=2), "pad"),
            "bn": (BatchNorm2d(4), "conv"),
            "relu": (ReLU(), "bn"),
            "max": (MaxPool2d(3, stride=2, padding=1), "relu"),
            "up": (UpsampleNearest2d(2), "max"),
            "mean": (AvgPool2d(2, stride=1), "up"),
            "transposed": (ConvTranspose2d(4, 2, 3, stride=2, padding=1, groups=2), "max"),
            "gelu": (GELU(), "transposed"),
            "joined": (Concat(), "gelu", "transposed"),
            "free": (Conv2d(4, 3, 2, dilation=2, bias=False), "joined"),
            "tanh": (Tanh(), "free"),
            "sum": (Add(), "tanh", "free"),
            "average": (GlobalAvgPool2d(), "sum"),
            "flat": (Flatten(), "average"),
            "flat2": (Flatten(), "mean"),
            "both": (Concat(), "flat", "flat2"),
            "drop": (Dropout(0.4), "both"),
            "fc": (Linear(3 + 220, 5), "drop"),
            "norm": (LayerNorm(5), "fc"),
            "leaky": (LeakyReLU(), "norm"),
            "soft": (Softmax(), "leaky"),
            "log": (LogSoftmax(), "soft"),
        },
        inputs=("image",),
        outputs="log",
    )


def pass_of(model, shape, target, loss=cross_entropy, **options):
    rng = np.random.default_rng(5)
    params = {name: a + 0.1 * rng.normal(size=a.shape) for name, a in model.init(rng).items()}
    return trace(model, params, rng.normal(size=shape), target, loss=loss, **options)


@pytest.fixture(scope="module")
def all_kinds():
    return pass_of(every_kind(), (2, 2, 11, 7), np.array([1, 4]), training=True)


@pytest.fixture(scope="module")
def small():
    model = Sequential(
        conv1=Conv2d(1, 1, 2),
        pool1=MaxPool2d(2),
        act1=Sigmoid(),
        flatten=Flatten(),
        fc1=Linear(4, 2),
        act2=Sigmoid(),
    )
    target = np.array([[1.0, 0.0]])
    return pass_of(model, (1, 1, 5, 5), target, half_squared_error, convention="hertz")


def facts_of(text):
    return json.loads(re.search(r'<script id="facts"[^>]*>(.*?)</script>', text, re.S)[1])


def numbers_of(text):
    content = base64.b64decode(re.search(r'<script id="numbers"[^>]*>(.*?)</script>', text, re.S)[1])
    types = {"float64": "<f8", "float32": "<f4", "int32": "<i4"}

    def array(one):
        count = int(np.prod(one["shape"]))
        return np.frombuffer(content, types[one["type"]], count, one["at"]).reshape(one["shape"])

    return {key: array(one) for key, one in facts_of(text)["arrays"].items()}


def arrays_of(traced):
    found = {f"v:{v.name}": v.array for v in traced.values.values()}
    found |= {f"d:{v.name}": v.delta for v in traced.values.values() if v.delta is not None}
    found |= {f"w:{name}": traced.params[name] for name in traced.uses}
    return found | {f"g:{name}": array for name, array in traced.gradients.items()}


def test_every_operation_and_loss_has_a_kind():
    assert set(_KINDS) == set(RULES)


def test_the_page_holds_the_numbers_of_the_pass_to_the_last_bit(all_kinds):
    numbers, expected = numbers_of(page(all_kinds)), arrays_of(all_kinds)
    assert set(expected) <= set(numbers)
    for key, array in expected.items():
        np.testing.assert_array_equal(numbers[key], array, err_msg=key)


def test_the_layers_of_the_sample_are_of_every_kind_that_the_page_can_take_apart(all_kinds):
    assert {layer["kind"] for layer in facts_of(page(all_kinds))["layers"]} == KINDS - {"opaque"}


def test_a_page_needs_nothing_from_elsewhere(small):
    text = page(small, title="<b>&", subtitle="</script><script>alert(1)</script>")
    assert "<title>&lt;b&gt;&amp;</title>" in text
    assert text.count("</script>") == 3
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", text)
    assert "@import" not in text
    assert not re.search(r"\b(import|export) ", re.search(r'<script type="module">(.*)</script>', text, re.S)[1])


def test_lenet5_fits_with_room_to_spare(tmp_path):
    written = write_page(pass_of(lenet5(), (1, 1, 28, 28), np.array([3])), tmp_path / "out.html")
    assert written.size == (tmp_path / "out.html").stat().st_size < 3_000_000
    assert (written.precision, written.left_out) == ("float64", ())


def test_a_model_too_large_is_first_rounded_and_then_cut_and_says_so(tmp_path):
    traced = pass_of(lenet5(), (1, 1, 28, 28), np.array([3]))
    rounded = write_page(traced, tmp_path / "a.html", limit=1_500_000)
    assert (rounded.precision, rounded.left_out) == ("float32", ())
    assert rounded.size < 1_500_000
    cut = write_page(traced, tmp_path / "b.html", limit=700_000)
    assert cut.size < 700_000
    assert cut.left_out == ("fc1",)
    layers = {layer["name"]: layer for layer in facts_of((tmp_path / "b.html").read_text())["layers"]}
    assert layers["relu3"]["kind"] == "opaque"
    assert layers["fc2"]["kind"] == "dense"
    assert "fc1" in layers["fc1"]["why"]


class Doubled(Layer):
    """Somebody's own layer, which has no rules."""

    def __call__(self, params, *inputs, training=False, rng=None):
        return 2 * inputs[0], lambda dy, **_: (2 * dy, {}), {}

    def output_shape(self, *shapes):
        return shapes[0]


def test_a_layer_without_rules_is_shown_without_terms():
    traced = pass_of(Sequential(own=Doubled(), fc=Linear(3, 2)), (1, 3), np.array([0]))
    assert [layer["kind"] for layer in facts_of(page(traced))["layers"]] == ["opaque", "dense", "listed"]


def test_numbers_that_are_none_do_not_break_the_page():
    model = Sequential(fc=Linear(2, 2))
    params = {"fc.weight": np.array([[np.nan, 1], [np.inf, 2]]), "fc.bias": np.zeros(2)}
    traced = trace(model, params, np.ones((1, 2)), np.array([0]), loss=cross_entropy)
    assert facts_of(page(traced))["layers"][1]["value"][0][0][1][1] == "NaN"


def test_a_page_that_cannot_be_written_is_refused(small, tmp_path):
    with pytest.raises(FileError, match="a place that can be written to"):
        write_page(small, tmp_path / "missing" / "out.html")


def test_names_of_the_modules_are_unique_since_they_are_put_into_one():
    names = [
        name
        for path in MODULES
        for name in re.findall(r"^(?:export )?(?:const|let|class|function\*?) (\w+)", path.read_text(), re.M)
    ]
    assert len(names) == len(set(names)) > 40


# In a browser.

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "no-sandbox",
    "disable-gpu",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "no-first-run",
)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as run:
        found = run.chromium.launch(executable_path=CHROMIUM, args=[f"--{name}" for name in QUIET])
        yield found
        found.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Yield what opens a pass in the browser; in the end nothing may have been asked for or complained of."""
    complaints, asked, pages = [], [], []

    def show(traced, **options):
        path = tmp_path / f"{len(pages)}.html"
        write_page(traced, path, title="A pass", **{k: options.pop(k) for k in ("limit",) if k in options})
        tab = browser.new_page(**({"viewport": {"width": 1400, "height": 900}} | options))
        pages.append(tab)
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(path.as_uri())
        tab.wait_for_selector("html[data-ready]")
        return tab

    yield show
    for tab in pages:
        tab.close()
    assert complaints == []
    assert {url for url in asked if not url.startswith("data:")} == {
        (tmp_path / f"{i}.html").as_uri() for i in range(len(pages))
    }


def said(tab):
    """Return what the panel says of the cell."""
    return tab.evaluate("({...document.getElementById('panel').dataset})")


def point(tab, key, flat, *, click=False):
    """Move the mouse to the middle of a cell, or click it."""
    box = tab.evaluate(
        """([key, flat]) => {
          const board = whygrad.boards.get(key);
          board.surface.scrollIntoView({block: "center", inline: "center"});
          const {x, y} = board.surface.getBoundingClientRect();
          const place = board.layout.place(flat, board.sample);
          return [x + place.x + board.layout.side / 2, y + place.y + board.layout.side / 2];
        }""",
        [key, flat],
    )
    (tab.mouse.click if click else tab.mouse.move)(*box)


#: Explains every entry of every array, and returns those whose terms do not add up or are not known.
EXPLAIN_ALL = """() => {
  const wrong = [];
  let count = 0;
  for (const [key, tensor] of Object.entries(whygrad.network.tensors)) {
    for (let flat = 0; flat < tensor.size; flat++) {
      const found = whygrad.network.explain(key, flat);
      count += found.explained;
      if (!found.agrees && found.explained) wrong.push([key, flat, found.sum, found.stored]);
      if (!found.explained && !["v:image", "v:input"].includes(key)) wrong.push([key, flat, "not explained"]);
    }
  }
  return [count, wrong.slice(0, 20)];
}"""


def test_every_entry_of_every_array_is_the_sum_of_its_terms(opened, all_kinds):
    count, wrong = opened(all_kinds).evaluate(EXPLAIN_ALL)
    assert wrong == []
    assert count > 3000


def test_every_entry_is_the_sum_of_its_terms_under_the_other_sign(opened, small):
    _, wrong = opened(small).evaluate(EXPLAIN_ALL)
    assert wrong == []


def test_batch_norm_of_an_evaluation_adds_up(opened):
    model = Sequential(bn=BatchNorm2d(2), flatten=Flatten(), fc=Linear(8, 2))
    _, wrong = opened(pass_of(model, (2, 2, 2, 2), np.array([0, 1]))).evaluate(EXPLAIN_ALL)
    assert wrong == []


def test_hovering_cells_of_every_array_shows_the_sum_that_the_pullback_gave(opened, all_kinds):
    tab, rng = opened(all_kinds), np.random.default_rng(0)
    for key, array in arrays_of(all_kinds).items():
        flat = int(rng.integers(array.size // (2 if key[0] in "vd" else 1)))  # the first of two samples is shown
        point(tab, key, flat)
        now = said(tab)
        expected = float(all_kinds.gradients[key[2:]].flat[flat] if key[0] == "w" else array.flat[flat])
        assert (now["key"], now["flat"]) == (key, str(flat))
        assert float(now["stored"]) == expected
        assert now["verdict"] == ("given" if key == "v:image" else "right"), key
        if key != "v:image":
            assert float(now["sum"]) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_clicking_weights_shows_window_gradient_product_and_sum_and_holds_them(opened, all_kinds):
    tab = opened(all_kinds)
    for key in ("w:conv.weight", "w:transposed.weight", "g:free.weight"):
        point(tab, key, 3, click=True)
        assert tab.locator(".pictures canvas").count() == 3
        point(tab, "v:image", 0)
        assert said(tab)["key"] == key
        tab.keyboard.press("Escape")
    for key in ("w:fc.weight", "w:fc.bias", "w:bn.weight", "w:norm.bias"):
        point(tab, key, 2, click=True)
        assert said(tab)["verdict"] == "right"
        tab.keyboard.press("Escape")


def test_exactly_the_cells_that_contributed_light_up(opened, small):
    tab = opened(small)
    point(tab, "v:conv1", 5)  # (1, 1): a 2x2 window of 5x5
    lit = tab.evaluate(
        "Object.fromEntries([...whygrad.lit].map(([k, v]) => [k, [...v.keys()].sort((a, b) => a - b)]))"
    )
    assert lit == {"v:input": [6, 7, 11, 12], "w:conv1.weight": [0, 1, 2, 3], "w:conv1.bias": [0]}
    assert tab.locator("#wires path").count() == 9
    assert tab.locator('[data-key="v:input"]').get_attribute("data-lit") == "4"


def test_a_sum_that_is_wrong_is_marked(opened, small):
    tab = opened(small)
    tab.evaluate("() => { whygrad.network.tensors['g:conv1.weight'].data[1] += 1e-6; }")
    point(tab, "g:conv1.weight", 1)
    assert said(tab)["verdict"] == "wrong"
    assert "✗ they differ by 1e−6" in tab.locator(".verdict.wrong").inner_text()


def test_the_keyboard_reaches_arrays_moves_in_them_pins_and_lets_go(opened, small):
    tab = opened(small)
    tab.locator('[data-key="v:input"] .surface').focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowDown")
    assert said(tab)["flat"] == "6"
    assert tab.locator("#spoken").inner_text().startswith("input[0,0,1,1]: ")
    tab.keyboard.press("Tab")
    tab.keyboard.press("ArrowRight")
    assert said(tab)["key"] == "d:input"
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.parentNode.dataset.key") == "v:conv1"
    tab.keyboard.press("Enter")
    assert "pinned" in tab.locator(".kicker").inner_text()
    assert "sum of 5 terms, agrees" in tab.locator("#spoken").inner_text()
    tab.keyboard.press("Escape")
    assert tab.evaluate("whygrad.current") is None


def test_arrows_step_over_the_gap_between_maps(opened, all_kinds):
    tab = opened(all_kinds)
    tab.evaluate("() => { whygrad.boards.get('v:image').at = 6; whygrad.boards.get('v:image').surface.focus(); }")
    tab.keyboard.press("ArrowRight")
    assert said(tab)["flat"] == "77"  # from the end of a row of the first map to the start of the second's


def test_the_theme_follows_the_system_and_the_switch(opened, small):
    tab = opened(small, color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    pixel = "whygrad.boards.get('w:conv1.weight').picture.toDataURL()"
    dark, dark_pixel = tab.evaluate(paper), tab.evaluate(pixel)
    assert dark == "rgb(19, 22, 28)"
    tab.locator("#theme").click()
    assert tab.evaluate(paper) != dark
    assert tab.evaluate(pixel) != dark_pixel
    tab.locator("#theme").click()
    assert (tab.evaluate(paper), tab.evaluate(pixel)) == (dark, dark_pixel)


def test_the_slider_goes_forward_and_then_backward(opened, small):
    tab = opened(small)
    steps = lambda key: tab.locator(f'[data-key="{key}"]').get_attribute("data-step")  # noqa: E731
    assert steps("d:input") == "shown"
    tab.locator("#step").fill("1")
    assert "conv1" in tab.locator("#steptext").inner_text()
    assert (steps("v:input"), steps("v:conv1"), steps("v:pool1"), steps("d:conv1")) == (
        "shown",
        "now",
        "later",
        "later",
    )
    last = int(tab.locator("#step").get_attribute("max"))
    tab.locator("#step").fill(str(last - 1))
    assert (steps("g:conv1.weight"), steps("d:input"), steps("d:conv1")) == ("now", "now", "shown")


def test_play_goes_on_by_itself_and_pauses(opened, small):
    tab = opened(small, reduced_motion="reduce")
    tab.locator("#play").click()
    assert tab.locator("#play").inner_text() == "Pause"
    tab.wait_for_timeout(1300)
    assert tab.locator("#step").input_value() == "1"
    tab.locator("#play").click()
    assert tab.locator("#play").get_attribute("aria-pressed") == "false"


def test_another_image_of_the_batch_can_be_chosen(opened, all_kinds):
    tab = opened(all_kinds)
    tab.locator("#sample").select_option("1")
    point(tab, "v:log", 7)
    assert float(said(tab)["stored"]) == all_kinds.values["log"].array[1, 2]


def test_max_pooling_marks_its_winners_and_relu_its_closed_gates(opened, all_kinds):
    tab = opened(all_kinds)
    rings, crosses = tab.evaluate(
        """[whygrad.boards.get('v:relu').ringed, whygrad.boards.get('d:bn').crossed]
             .map((set) => [...set].sort((x, y) => x - y))"""
    )
    assert crosses == np.flatnonzero(all_kinds.values["bn"].array <= 0).tolist()
    assert 0 < len(rings) <= all_kinds.values["max"].array.size


def test_a_phone_shows_everything_in_one_column(opened, small):
    tab = opened(small, viewport={"width": 390, "height": 844})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    lefts = tab.evaluate("[...document.querySelectorAll('.stage')].map((s) => s.getBoundingClientRect().x)")
    assert len(set(lefts)) == 1


def test_what_was_left_out_is_said(opened):
    tab = opened(pass_of(lenet5(), (1, 1, 28, 28), np.array([3])), limit=700_000)
    assert tab.locator("#leftout").inner_text() == "Left out, too large for one page: fc1."
    point(tab, "d:flatten", 0)
    assert "Too large for this page: fc1" in tab.locator("#panel").inner_text()
    point(tab, "g:conv2.weight", 100)
    assert said(tab)["verdict"] == "right"


def test_lenet5_is_explained_in_every_part(opened):
    tab = opened(pass_of(lenet5(), (1, 1, 28, 28), np.array([3])))
    assert float(tab.locator("html").get_attribute("data-ready")) > 0  # milliseconds; a second on an idle machine
    for key in ("g:conv1.weight", "w:conv2.weight", "d:conv1", "v:fc1", "w:fc1.weight", "d:flatten"):
        point(tab, key, 11)
        assert said(tab)["verdict"] == "right", key
