/** What is said of one entry: formula, terms, sum, and whether the sum is what the pullback gave. */

import { pixels } from "./colours.js";
import { placesOf } from "./terms.js";
import { shown } from "./tensors.js";

const [MOST_TERMS, ALL_TERMS] = [8, 16];

export class Panel {
  constructor(element, spoken) {
    Object.assign(this, { element, spoken });
  }

  show(found, network, { pinned = false, aloud = false, sample = 0 } = {}) {
    const { tensor, flat, stored } = found;
    this.element.replaceChildren();
    this.element.dataset.key = found.key;
    this.element.dataset.flat = flat;
    this.element.dataset.verdict = found.explained ? (found.agrees ? "right" : "wrong") : "given";
    this.element.dataset.sum = found.explained ? String(found.sum) : "";
    this.element.dataset.stored = String(stored);
    this.element.append(
      made("p", "kicker", `${kicker(found, network)}${pinned ? " · pinned, Esc lets go" : ""}`),
      made("h2", "", tensor.name(flat)),
      made("p", "value", shown(stored, 9)),
    );
    if (found.weight) {
      const weight = network.tensors[found.key];
      this.element.append(made("p", "aside", `The weight itself is ${shown(weight.data[flat], 9)}; this is where its gradient comes from.`));
    }
    if (found.unexplained) this.element.append(made("p", "aside", found.unexplained));
    else if (!found.parts.length) this.element.append(made("p", "aside", "Given, not computed."));
    for (const part of found.parts) this.part(part, found);
    if (found.explained) this.element.append(verdict(found));
    this.pictures(found, sample);
    this.speak(found, aloud);
  }

  part({ layer, argument, terms, sum }, found) {
    const { formulas } = layer;
    const formula = formulas[argument === "y" ? "y" : `d${argument}`];
    if (found.parts.length > 1) this.element.append(made("h3", "", `through ${layer.name}: ${shown(sum, 9)}`));
    if (formula) {
      const box = made("div", "formula");
      box.innerHTML = formula[0];
      this.element.append(box);
      const names = Object.entries(layer.tensors).filter(([k, key]) => k !== "dy" && key in layer.network.tensors);
      const where = names.map(([k, key]) => `${k} is ${layer.network.tensors[key].label}`).join(", ");
      const turned = layer.sign < 0 && argument !== "y" ? "; every ∂E is shown with the opposite sign" : "";
      this.element.append(made("p", "where", `${where}${formula[1] ? `; ${formula[1]}` : ""}${turned}.`));
    }
    this.element.append(table(terms), made("p", "aside", sentence(terms, argument)));
  }

  /** Of a kernel's weight: the window of the input that it saw, the gradient that came back, and their product. */
  pictures(found, sample) {
    const part = found.parts.find(({ layer, argument }) => layer.kind === "windowed" && argument === "w");
    if (!part || found.key[0] === "v" || found.key[0] === "d") return;
    const { layer } = part;
    const box = made("div", "pictures");
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", "input window times gradient map gives the products that add up");
    for (const [picture, sign] of maps(layer, found.flat, sample)) box.append(picture, made("span", "sign", sign));
    box.append(made("span", "total", shown(found.sum, 6)));
    this.element.append(made("h3", "", layer.get("x").shape[0] > 1 ? `In sample ${sample}` : "As pictures"), box);
  }

  speak(found, aloud) {
    const { tensor, flat, stored } = found;
    const sum = found.explained ? `, sum of ${found.terms} terms, ${found.agrees ? "agrees" : "does not agree"}` : "";
    if (aloud) this.spoken.textContent = `${tensor.name(flat)}: ${shown(stored)}${sum}`;
  }
}

function made(tag, name, text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = text;
  return element;
}

function kicker({ key }, network) {
  if (key === "v:E") return "the error";
  const says = { v: "forward", w: "backward, weight", g: "backward, weight" };
  const hertz = network.facts.convention === "hertz" ? "−" : "";
  return says[key[0]] ?? `backward, ${hertz}∂E/∂${key.slice(2)}`;
}

function written({ tensor, flat, text, value }) {
  return { text: tensor ? tensor.name(flat) : text, value };
}

/** The largest terms, the rest summed. */
function table(terms) {
  const many = terms.length > ALL_TERMS;
  const sorted = many ? [...terms].sort((a, b) => Math.abs(b.value) - Math.abs(a.value)) : terms;
  const top = many ? sorted.slice(0, MOST_TERMS) : sorted;
  const rest = sorted.slice(top.length);
  const most = Math.max(...terms.map((one) => Math.abs(one.value)), 0);
  const body = made("table", "terms");
  const caption = made("caption", "", rest.length ? `the largest of ${terms.length} terms` : "");
  body.append(caption);
  for (const one of top) {
    const row = body.insertRow();
    const left = row.insertCell();
    const factors = one.factors.map(written);
    left.append(made("span", "names", factors.map((f) => f.text).join(" · ")));
    left.append(made("span", "numbers", factors.map((f) => bracketed(shown(f.value, 4))).join(" × ")));
    if (one.note) left.append(made("span", "note", one.note));
    amount(row.insertCell(), one.value, most);
  }
  if (rest.length) {
    const row = body.insertRow();
    row.insertCell().append(made("span", "names", `the other ${rest.length} together`));
    amount(row.insertCell(), rest.reduce((a, b) => a + b.value, 0), most);
  }
  return body;
}

const bracketed = (text) => (text.startsWith("−") ? `(${text})` : text);

function amount(cell, value, most) {
  cell.className = `amount ${value < 0 ? "minus" : "plus"}`;
  cell.append(made("span", "", shown(value, 5)));
  const bar = made("i", "bar");
  bar.style.width = `${most ? Math.min(100, (100 * Math.abs(value)) / most) : 0}%`;
  cell.append(bar);
}

function sentence(terms, argument) {
  const alive = terms.filter((one) => one.value !== 0).length;
  const what = argument === "y" ? "other than 0" : "carrying gradient";
  if (!terms.length) return "Nothing reaches it.";
  if (terms.length === 1) return alive ? "" : "It is 0.";
  return alive === terms.length ? `${terms.length} terms, all ${what}.` : `${terms.length} terms, ${alive} of them ${what}.`;
}

function verdict(found) {
  const box = made("div", `verdict ${found.agrees ? "right" : "wrong"}`);
  const source = found.key[0] === "v" ? "forward pass" : "pullback";
  const off = Math.abs(found.sum - found.stored);
  box.append(
    made("span", "", "sum of the terms"), made("b", "", shown(found.sum, 12)),
    made("span", "", source), made("b", "", shown(found.stored, 12)),
    made("em", "", found.agrees ? `✓ they agree${off ? ` (${shown(off, 1)} apart)` : " to the last bit"}` : `✗ they differ by ${shown(off, 3)}`),
  );
  return box;
}

function maps(layer, flat, sample) {
  const { where, big } = layer;
  const [rows, columns] = where.output;
  const kernel = layer.get("w").index(flat);
  const [seen, deltas] = [new Float64Array(rows * columns), new Float64Array(rows * columns)];
  const { own, perGroup } = { own: layer.get("w").shape[1], perGroup: layer.get("w").shape[0] / layer.groups };
  const channel = Math.floor(kernel[0] / perGroup) * own + kernel[1];
  const [x, dy] = [layer.get("x"), layer.get("dy")];
  const [small, image] = big === "x" ? [dy, x] : [x, dy];
  for (const { i, j, a, b } of placesOf(where, kernel[2], kernel[3])) {
    seen[i * columns + j] = image.data[image.flat(sample, channel, a, b)];
    deltas[i * columns + j] = small.data[small.flat(sample, kernel[0], i, j)];
  }
  const product = seen.map((value, k) => value * deltas[k]);
  const names = big === "x" ? [`${x.label} seen`, dy.label] : [`${dy.label} seen`, x.label];
  return [
    [drawn(seen, rows, columns, image.largest, names[0]), "×"],
    [drawn(deltas, rows, columns, small.largest, names[1]), "="],
    [drawn(product, rows, columns, 0, "product"), "Σ"],
  ];
}

function drawn(values, rows, columns, largest, name) {
  const most = largest || values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const figure = made("figure", "mini");
  const canvas = pixels(values, columns, rows, most);
  canvas.setAttribute("aria-hidden", "true");
  canvas.style.aspectRatio = `${columns} / ${rows}`;
  figure.append(canvas, made("figcaption", "", name));
  return figure;
}
