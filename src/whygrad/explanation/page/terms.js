/**
 * What each entry is the sum of. A layer is one of a few kinds; each kind says of its value `y` and of the gradient of
 * each of its arguments which products add up to an entry. A term is { factors, note }, a factor an entry of an
 * array or a number with its text.
 */

export const entry = (tensor, flat) => ({ tensor, flat, value: tensor.data[flat] });
export const number = (text, value, cells = []) => ({ text, value: Number(value), cells });
export const term = (factors, note = "") => ({
  factors,
  note,
  value: factors.reduce((product, factor) => product * factor.value, 1),
});

/** The output positions that see row or column `a` of the image, each with the tap that it sees it through. */
function* seeing(where, axis, a) {
  for (let tap = 0; tap < where.kernel[axis]; tap++) {
    const i = (a + where.before[axis] - tap * where.dilation[axis]) / where.stride[axis];
    if (Number.isInteger(i) && i >= 0 && i < where.output[axis]) yield [i, tap];
  }
}

/** The row or column that a tap sees from an output position; none in the padding. */
function seen(where, axis, i, tap) {
  const a = i * where.stride[axis] + tap * where.dilation[axis] - where.before[axis];
  return a >= 0 && a < where.size[axis] ? a : -1;
}

function* windowAt(where, i, j) {
  for (let r = 0; r < where.kernel[0]; r++) {
    const a = seen(where, 0, i, r);
    if (a < 0) continue;
    for (let s = 0; s < where.kernel[1]; s++) {
      const b = seen(where, 1, j, s);
      if (b >= 0) yield { r, s, a, b };
    }
  }
}

function* windowsOver(where, a, b) {
  for (const [i, r] of seeing(where, 0, a)) for (const [j, s] of seeing(where, 1, b)) yield { i, j, r, s };
}

/** Every place where tap (r, s) sees the image. */
export function* placesOf(where, r, s) {
  for (let i = 0; i < where.output[0]; i++) {
    const a = seen(where, 0, i, r);
    if (a < 0) continue;
    for (let j = 0; j < where.output[1]; j++) {
      const b = seen(where, 1, j, s);
      if (b >= 0) yield { i, j, a, b };
    }
  }
}

/**
 * Convolutions: a `big` image under windows, a `small` one with an entry for each window. Forward goes from big to
 * small, for a transposed convolution from small to big; backward goes the other way with the same weights.
 */
const windowed = {
  channels(layer) {
    const [rows, own] = layer.get("w").shape;
    return { perGroup: rows / layer.groups, own };
  },
  /** Products for an entry of the small image: everything that its window sees. */
  *atSmall(layer, values, flat) {
    const w = layer.get("w");
    const { perGroup, own } = this.channels(layer);
    const small = layer.small;
    const [n, row, i, j] = small.index(flat);
    const first = Math.floor(row / perGroup) * own;
    for (let c = 0; c < own; c++) {
      for (const { r, s, a, b } of windowAt(layer.where, i, j)) {
        yield term([entry(w, w.flat(row, c, r, s)), entry(values, values.flat(n, first + c, a, b))]);
      }
    }
  },
  /** Products for an entry of the big image: every window over it. */
  *atBig(layer, values, flat) {
    const w = layer.get("w");
    const { perGroup, own } = this.channels(layer);
    const [n, channel, a, b] = layer.bigImage.index(flat);
    const group = Math.floor(channel / own);
    for (let row = group * perGroup; row < (group + 1) * perGroup; row++) {
      for (const { i, j, r, s } of windowsOver(layer.where, a, b)) {
        yield term([entry(w, w.flat(row, channel % own, r, s)), entry(values, values.flat(n, row, i, j))]);
      }
    }
  },
  *y(layer, flat) {
    yield* layer.big === "x" ? this.atSmall(layer, layer.get("x"), flat) : this.atBig(layer, layer.get("x"), flat);
    const b = layer.has("b") && layer.get("b");
    if (!b) return;
    const [, f, i, j] = layer.get("y").index(flat);
    yield term([entry(b, b.shape.length === 1 ? f : b.flat(f, i, j))]);
  },
  *d(layer, argument, flat) {
    const dy = layer.get("dy");
    if (argument === "x") {
      yield* layer.big === "x" ? this.atBig(layer, dy, flat) : this.atSmall(layer, dy, flat);
    } else if (argument === "b") {
      yield* this.db(layer, flat);
    } else {
      yield* this.dw(layer, flat);
    }
  },
  *dw(layer, flat) {
    const dy = layer.get("dy");
    const x = layer.get("x");
    const [bigValues, smallValues] = layer.big === "x" ? [x, dy] : [dy, x];
    for (const { big, small } of this.uses(layer, flat)) {
      const factors = [entry(bigValues, big), entry(smallValues, small)];
      yield term(layer.big === "x" ? factors.reverse() : factors);
    }
  },
  /** Where a weight is used: the entries of the two images that it stands between. */
  *uses(layer, flat) {
    const { perGroup, own } = this.channels(layer);
    const [row, c, r, s] = layer.get("w").index(flat);
    const channel = Math.floor(row / perGroup) * own + c;
    for (let n = 0; n < layer.small.shape[0]; n++) {
      for (const { i, j, a, b } of placesOf(layer.where, r, s)) {
        yield { big: layer.bigImage.flat(n, channel, a, b), small: layer.small.flat(n, row, i, j), i, j, n };
      }
    }
  },
  *db(layer, flat) {
    const dy = layer.get("dy");
    const [samples, , rows, columns] = dy.shape;
    const [f, ...position] = layer.get("b").index(flat);
    for (let n = 0; n < samples; n++) {
      if (position.length) {
        yield term([entry(dy, dy.flat(n, f, ...position))]);
        continue;
      }
      for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) yield term([entry(dy, dy.flat(n, f, i, j))]);
    }
  },
};

const dense = {
  *y(layer, flat) {
    const [x, w] = [layer.get("x"), layer.get("w")];
    const [n, f] = layer.get("y").index(flat);
    for (let d = 0; d < w.shape[1]; d++) yield term([entry(w, w.flat(f, d)), entry(x, x.flat(n, d))]);
    if (layer.has("b")) yield term([entry(layer.get("b"), f)]);
  },
  *d(layer, argument, flat) {
    const [x, w, dy] = [layer.get("x"), layer.get("w"), layer.get("dy")];
    const samples = dy.shape[0];
    if (argument === "x") {
      const [n, d] = x.index(flat);
      for (let f = 0; f < w.shape[0]; f++) yield term([entry(dy, dy.flat(n, f)), entry(w, w.flat(f, d))]);
    } else if (argument === "b") {
      for (let n = 0; n < samples; n++) yield term([entry(dy, dy.flat(n, flat))]);
    } else {
      const [f, d] = w.index(flat);
      for (let n = 0; n < samples; n++) yield term([entry(dy, dy.flat(n, f)), entry(x, x.flat(n, d))]);
    }
  },
};

/** Means of windows: the same windows, with a share for a weight. */
const mean = {
  share: (layer, i, j) => {
    const share = layer.share.data[layer.share.flat(i, j)];
    return number(share ? `1/${Math.round(1 / share)}` : "0", share);
  },
  *y(layer, flat) {
    const x = layer.get("x");
    const [n, c, i, j] = layer.get("y").index(flat);
    for (const { a, b } of windowAt(layer.where, i, j)) {
      yield term([this.share(layer, i, j), entry(x, x.flat(n, c, a, b))]);
    }
  },
  *d(layer, argument, flat) {
    const dy = layer.get("dy");
    const [n, c, a, b] = layer.get("x").index(flat);
    for (const { i, j } of windowsOver(layer.where, a, b)) {
      yield term([entry(dy, dy.flat(n, c, i, j)), this.share(layer, i, j)]);
    }
  },
};

/** How the slopes of the well-known activations are written. */
const SLOPES = {
  relu: (x) => `[${x} > 0]`,
  sigmoid: (x, y) => `${y}·(1 − ${y})`,
  tanh: (x, y) => `(1 − ${y}²)`,
};

const pointwise = {
  *y(layer, flat) {
    const x = entry(layer.get("x"), flat);
    yield term([number(`${layer.op}(${x.tensor.name(flat)})`, layer.value.data[flat], [x])]);
  },
  *d(layer, argument, flat) {
    const slope = layer.slope.data[flat];
    const x = entry(layer.get("x"), flat);
    const closed = layer.op === "relu" ? (slope ? "the gate is open" : "the gate is closed") : "";
    const [dy, y] = [layer.get("dy"), layer.get("y")];
    const text = SLOPES[layer.op]?.(x.tensor.name(flat), y.name(flat)) ?? `${layer.op}′(${x.tensor.name(flat)})`;
    yield term([entry(dy, flat), number(text, slope, [x])], closed);
  },
};

/** Entries that are handed on: each entry of y shows one of x, or one of every input of a sum. */
const routed = {
  *y(layer, flat) {
    let any = false;
    for (const [argument, source] of Object.entries(layer.sources)) {
      const at = source.data[flat];
      if (at < 0) continue;
      any = true;
      yield term([entry(layer.get(argument), at)], layer.where ? "the largest of its window" : "");
    }
    if (!any) yield term([number("padding", layer.constant)]);
  },
  *d(layer, argument, flat) {
    const dy = layer.get("dy");
    if (layer.where) {
      yield* this.throughWindows(layer, flat);
      return;
    }
    for (const at of this.shownAt(layer, argument)[flat] ?? []) yield term([entry(dy, at)]);
  },
  *throughWindows(layer, flat) {
    const [x, dy] = [layer.get("x"), layer.get("dy")];
    const [n, c, a, b] = x.index(flat);
    for (const { i, j } of windowsOver(layer.where, a, b)) {
      const at = dy.flat(n, c, i, j);
      const winner = layer.sources.x.data[at];
      const won = winner === flat;
      const note = won ? "it won this window" : `${x.name(winner)} was larger`;
      yield term([entry(dy, at), number(won ? "won" : "lost", won ? 1 : 0, [entry(x, winner)])], note);
    }
  },
  /** Where each entry of an input is shown in y. */
  shownAt(layer, argument) {
    layer.shownAt ??= {};
    if (!layer.shownAt[argument]) {
      const places = (layer.shownAt[argument] = {});
      layer.sources[argument].data.forEach((at, k) => at >= 0 && (places[at] ??= []).push(k));
    }
    return layer.shownAt[argument];
  },
};

/** Softmax and its logarithm: every entry of a row depends on all of them. */
const rows = {
  row(layer, flat) {
    const shape = layer.get("y").shape;
    const step = shape.slice(layer.axis + 1).reduce((a, b) => a * b, 1);
    const own = Math.floor(flat / step) % shape[layer.axis];
    return Array.from({ length: shape[layer.axis] }, (_, m) => flat + (m - own) * step);
  },
  *y(layer, flat) {
    const x = layer.get("x");
    const row = this.row(layer, flat);
    const highest = Math.max(...row.map((at) => x.data[at]));
    const e = row.map((at) => Math.exp(x.data[at] - highest));
    const total = e.reduce((a, b) => a + b, 0);
    const cells = row.map((at) => entry(x, at));
    if (layer.logarithm) {
      yield term([entry(x, flat)]);
      yield term([number("−log Σ eˣ", -highest - Math.log(total), cells)]);
    } else {
      yield term([number(`e^${x.name(flat)} / Σ eˣ`, e[row.indexOf(flat)] / total, cells)]);
    }
  },
  *d(layer, argument, flat) {
    const [y, dy] = [layer.get("y"), layer.get("dy")];
    for (const at of this.row(layer, flat)) {
      const same = at === flat ? 1 : 0;
      if (layer.logarithm) {
        const p = Math.exp(y.data[flat]);
        yield term([entry(dy, at), number(`(${same} − e^${y.name(flat)})`, same - p, [entry(y, flat)])]);
      } else {
        const rest = number(`(${same} − ${y.name(flat)})`, same - y.data[flat], [entry(y, flat)]);
        yield term([entry(dy, at), entry(y, at), rest]);
      }
    }
  },
};

/** Batch norm over a channel, layer norm over a sample: straight through, through the mean, through the variance. */
const normalised = {
  place(layer, flat) {
    const { shape } = layer.get("x");
    const features = layer.get("gamma").size;
    if (layer.over === "sample") return { group: Math.floor(flat / features), feature: flat % features };
    const channel = Math.floor(flat / (shape[2] * shape[3])) % shape[1];
    return { group: channel, feature: channel };
  },
  members(layer, group) {
    const x = layer.get("x");
    const features = layer.get("gamma").size;
    if (layer.over === "sample") return Array.from({ length: features }, (_, k) => group * features + k);
    const area = x.shape[2] * x.shape[3];
    const start = (n) => (n * x.shape[1] + group) * area;
    return Array.from({ length: x.shape[0] * area }, (_, k) => start(Math.floor(k / area)) + (k % area));
  },
  hat: (layer, flat, group) => (layer.get("x").data[flat] - layer.mean.data[group]) * layer.scale.data[group],
  *y(layer, flat) {
    const { group, feature } = this.place(layer, flat);
    const x = entry(layer.get("x"), flat);
    const centred = number(`(${x.tensor.name(flat)} − μ)`, x.value - layer.mean.data[group], [x]);
    yield term([entry(layer.get("gamma"), feature), centred, number("1/√(v + ε)", layer.scale.data[group])]);
    yield term([entry(layer.get("beta"), feature)]);
  },
  *d(layer, argument, flat) {
    if (argument === "x") yield* this.dx(layer, flat);
    else yield* this.own(layer, argument, flat);
  },
  *own(layer, argument, flat) {
    const [x, dy] = [layer.get("x"), layer.get("dy")];
    for (const at of this.entriesOf(layer, flat)) {
      const { group } = this.place(layer, at);
      const hat = number(`x̂[${x.index(at)}]`, this.hat(layer, at, group), [entry(x, at)]);
      yield term(argument === "gamma" ? [entry(dy, at), hat] : [entry(dy, at)]);
    }
  },
  entriesOf(layer, feature) {
    if (layer.over === "channel") return this.members(layer, feature);
    const features = layer.get("gamma").size;
    return Array.from({ length: layer.get("x").size / features }, (_, n) => n * features + feature);
  },
  *dx(layer, flat) {
    const [x, dy, gamma] = [layer.get("x"), layer.get("dy"), layer.get("gamma")];
    const { group, feature } = this.place(layer, flat);
    const scale = number("1/√(v + ε)", layer.scale.data[group]);
    yield term([entry(dy, flat), entry(gamma, feature), scale], "straight through");
    if (!layer.moving) return;
    const all = this.members(layer, group);
    const cells = all.map((at) => entry(dy, at));
    const g = all.map((at) => dy.data[at] * gamma.data[this.place(layer, at).feature]);
    const through = (values) => values.reduce((a, b) => a + b, 0) / all.length;
    const minus = number("−1", -1);
    yield term([minus, number("mean(γ·δ)", through(g), cells), scale], "through the mean");
    const bent = through(g.map((value, k) => value * this.hat(layer, all[k], group)));
    const hat = number(`x̂[${x.index(flat)}]`, this.hat(layer, flat, group), [entry(x, flat)]);
    yield term([minus, number("mean(γ·δ·x̂)", bent, cells), hat, scale], "through the variance");
  },
};

/** Losses, and small calls of other operations: their terms are few and come written out. */
const listed = {
  made(layer, factors) {
    return factors.map(([text, value, cells]) =>
      number(text, value, cells.map(([name, at]) => entry(layer.get(name), at))),
    );
  },
  *y(layer, flat) {
    for (const factors of layer.value[flat]) yield term(this.made(layer, factors));
  },
  *d(layer, argument, flat) {
    const turned = layer.sign < 0 && layer.output === "E" ? [number("−1", -1)] : [];
    for (const factors of layer.slopes[argument][flat]) yield term([...turned, ...this.made(layer, factors)]);
  },
};

export const KINDS = { windowed, dense, mean, pointwise, routed, rows, normalised, listed };
