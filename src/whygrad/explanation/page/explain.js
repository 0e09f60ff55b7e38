/** The network as a whole: which terms explain an entry of any array, and whether they add up to what is stored. */

import { Tensor, decode, sumOf, tensorAt } from "./tensors.js";
import { KINDS } from "./terms.js";

/** How far a sum may be off, against the size of its terms: rounding, and storage in float32. */
const BOUND = { float64: 1e-12, float32: 1e-4 };

/** A layer as the page knows it, with its arrays at hand. */
class Layer {
  constructor(facts, network) {
    Object.assign(this, facts);
    this.network = network;
    this.sign = network.facts.sign;
    for (const name of ["share", "slope", "value", "mean", "scale"]) {
      if (facts[name]?.type) this[name] = network.inner(facts[name]);
    }
    if (facts.sources) {
      this.sources = Object.fromEntries(Object.entries(facts.sources).map(([k, one]) => [k, network.inner(one)]));
    }
  }

  has = (argument) => this.tensors[argument] in this.network.tensors;

  get = (argument) => this.network.tensors[this.tensors[argument]];

  /** The image that has one entry for each window, and the one under the windows; as values, for their shapes. */
  get small() {
    return this.get(this.big === "x" ? "y" : "x");
  }

  get bigImage() {
    return this.get(this.big === "x" ? "x" : "y");
  }
}

export class Network {
  constructor(facts, numbers) {
    this.facts = facts;
    this.bytes = decode(numbers);
    this.tensors = {};
    for (const [key, one] of Object.entries(facts.arrays)) this.tensors[key] = tensorAt(key, one, this.bytes);
    if (facts.sign < 0) for (const tensor of Object.values(this.tensors)) tensor.minus = "−";
    this.layers = facts.layers.map((one) => new Layer(one, this));
    this.byName = Object.fromEntries(this.layers.map((layer) => [layer.name, layer]));
    this.byOutput = Object.fromEntries(this.layers.map((layer) => [layer.output, layer]));
    this.values = Object.fromEntries(facts.values.map((value) => [value.name, value]));
  }

  inner = (one) => tensorAt("", one, this.bytes);

  /** The layers and arguments whose terms add up to an array: one that makes a value, or all that use it. */
  sources(key) {
    const name = key.slice(2);
    if (key[0] === "v") return name in this.byOutput ? [[this.byOutput[name], "y"]] : [];
    const uses = key[0] === "d" ? this.values[name].uses : this.facts.uses[name] ?? [];
    return uses.map(([layer, argument]) => [this.byName[layer], argument]);
  }

  /** Explain an entry; of a weight, which is given, its gradient. */
  explain(key, flat) {
    const given = key[0] === "w" && `g:${key.slice(2)}` in this.tensors;
    const asked = given ? `g:${key.slice(2)}` : key;
    const tensor = this.tensors[asked];
    const found = { key, flat, tensor, stored: tensor.data[flat], weight: given, parts: [], unexplained: "" };
    for (const [layer, argument] of asked[0] === "w" ? [] : this.sources(asked)) {
      const kind = KINDS[layer.kind];
      if (!kind) {
        found.unexplained ||= layer.why ?? "Its terms are not known here.";
        continue;
      }
      const terms = [...(argument === "y" ? kind.y(layer, flat) : kind.d(layer, argument, flat))];
      found.parts.push({ layer, argument, terms, sum: sumOf(terms.map((one) => one.value)) });
    }
    return this.judged(found);
  }

  judged(found) {
    const values = found.parts.flatMap((part) => part.terms.map((one) => one.value));
    const size = values.reduce((a, b) => a + Math.abs(b), 0);
    const bound = BOUND[this.facts.precision];
    const loose = this.facts.precision === "float32" ? 1e-6 * found.tensor.largest : 0;
    found.sum = sumOf(values);
    found.terms = values.length;
    found.explained = found.parts.length > 0 && !found.unexplained;
    found.agrees = Object.is(found.sum, found.stored) || Math.abs(found.sum - found.stored) <= bound * size + loose;
    if (Number.isNaN(found.stored)) found.agrees = Number.isNaN(found.sum);
    return found;
  }

  /** The entries that take part in an explanation, by array: flat index to the largest share of a term there. */
  contributors(found) {
    const lit = new Map();
    const add = (tensor, flat, weight) => {
      if (!tensor.key) return;
      if (!lit.has(tensor.key)) lit.set(tensor.key, new Map());
      const cells = lit.get(tensor.key);
      cells.set(flat, Math.max(cells.get(flat) ?? 0, weight));
    };
    for (const { terms } of found.parts) {
      for (const one of terms) {
        for (const factor of one.factors) {
          if (factor.tensor) add(factor.tensor, factor.flat, Math.abs(one.value));
          for (const cell of factor.cells ?? []) add(cell.tensor, cell.flat, Math.abs(one.value));
        }
      }
    }
    return lit;
  }
}
