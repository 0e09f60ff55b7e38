/** A board: one array as a picture whose cells can be pointed at, walked over with the arrow keys, and pinned. */

import { colour, isDeep, palette, pixels } from "./colours.js";
import { layoutOf } from "./layout.js";
import { shown } from "./tensors.js";

const READABLE = 30;
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Board {
  /**
   * @param tensor the array
   * @param marks { crossed, ringed }: entries behind closed gates, and winners of max-pooling
   * @param actions { look(board, flat), leave(), pin(board, flat) }
   */
  constructor(tensor, { crossed, ringed } = {}, actions) {
    Object.assign(this, { tensor, crossed, ringed, actions, sample: 0, at: 0 });
    this.layout = layoutOf(tensor);
    this.figure = document.createElement("figure");
    this.figure.className = "board";
    this.figure.dataset.key = tensor.key;
    this.surface = document.createElement("div");
    this.surface.className = "surface";
    this.surface.tabIndex = 0;
    this.surface.setAttribute("role", "application");
    this.surface.setAttribute("aria-roledescription", "array");
    this.surface.setAttribute("aria-label", `${tensor.label}, ${tensor.shape.join(" by ") || "one number"}; arrow keys move`);
    this.surface.setAttribute("aria-describedby", "spoken");
    Object.assign(this.surface.style, { width: `${this.layout.w}px`, height: `${this.layout.h}px` });
    this.picture = this.canvas();
    this.veil = this.canvas();
    this.veil.className = "veil";
    const caption = document.createElement("figcaption");
    caption.innerHTML = `<b></b> <span></span>`;
    caption.firstChild.textContent = tensor.label;
    caption.lastChild.textContent = `${tensor.shape.join("×") || "number"} · max ${shown(tensor.largest, 3)}`;
    this.figure.append(caption, this.surface);
    this.listen();
  }

  canvas() {
    const canvas = document.createElement("canvas");
    const ratio = Math.min(2, devicePixelRatio || 1);
    canvas.width = Math.ceil(this.layout.w * ratio);
    canvas.height = Math.ceil(this.layout.h * ratio);
    canvas.setAttribute("aria-hidden", "true");
    canvas.getContext("2d").scale(ratio, ratio);
    this.surface.append(canvas);
    return canvas;
  }

  listen() {
    const { surface, actions } = this;
    const under = (event) => {
      const box = surface.getBoundingClientRect();
      const { w, h } = this.layout;
      const [x, y] = [(event.clientX - box.x) * (w / box.width), (event.clientY - box.y) * (h / box.height)];
      return this.layout.hit(x, y, this.sample);
    };
    surface.addEventListener("pointermove", (event) => {
      const flat = under(event);
      if (flat >= 0) actions.look(this, flat);
    });
    surface.addEventListener("pointerleave", () => actions.leave());
    surface.addEventListener("click", (event) => {
      const flat = under(event);
      if (flat < 0) return;
      this.at = flat;
      actions.pin(this, flat);
    });
    surface.addEventListener("focus", () => surface.matches(":focus-visible") && actions.look(this, this.here()));
    surface.addEventListener("keydown", (event) => this.press(event));
  }

  /** The entry that the keyboard stands on, in the sample that is shown. */
  here() {
    const { samples, perSample } = this.layout;
    return samples > 1 ? this.sample * perSample + (this.at % perSample) : this.at;
  }

  press(event) {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.actions.pin(this, this.here());
    } else if (event.key in STEPS) {
      event.preventDefault();
      const { side } = this.layout;
      const [right, down] = STEPS[event.key];
      const from = this.layout.place(this.here(), this.sample);
      for (const reach of [1, 1 + 6 / side]) {
        const x = from.x + side / 2 + right * side * reach;
        const y = from.y + side / 2 + down * side * reach;
        const flat = this.layout.hit(x, y, this.sample);
        if (flat < 0 || flat === this.here()) continue;
        this.at = flat;
        this.actions.look(this, flat, true);
        return;
      }
    }
  }

  /** Draw the numbers. */
  draw() {
    const { layout, tensor } = this;
    const context = this.picture.getContext("2d");
    context.clearRect(0, 0, layout.w, layout.h);
    context.imageSmoothingEnabled = false;
    const area = layout.width * layout.height;
    const start = layout.samples > 1 ? this.sample * layout.perSample : 0;
    for (let map = 0; map < layout.maps; map++) {
      const own = Math.min(area, layout.perSample - map * area);
      const values = tensor.data.subarray(start + map * area, start + map * area + own);
      const [x, y] = [(map % layout.across) * layout.pitchX, Math.floor(map / layout.across) * layout.pitchY];
      const rows = Math.floor(own / layout.width);
      const paint = (from, count, width, top) => {
        const image = pixels(values.subarray(from, from + count), width, count / width, tensor.largest);
        context.drawImage(image, x, y + top * layout.side, width * layout.side, (count / width) * layout.side);
      };
      if (rows) paint(0, rows * layout.width, layout.width, 0);
      if (own % layout.width) paint(rows * layout.width, own % layout.width, own % layout.width, rows);
    }
    for (let flat = start; flat < start + layout.perSample; flat++) this.decorate(context, flat);
  }

  /** Write an entry's number if there is room, cross it out behind a closed gate, ring it if it won its window. */
  decorate(context, flat) {
    const { side } = this.layout;
    const marked = this.crossed?.has(flat) || this.ringed?.has(flat);
    if (side < READABLE && !(marked && side >= 3)) return; // no room for a mark
    const place = this.layout.place(flat, this.sample);
    const value = this.tensor.data[flat];
    const ink = isDeep(colour(value, this.tensor.largest)) ? "rgb(255 255 255" : "rgb(20 22 28";
    if (side >= READABLE) {
      context.strokeStyle = `${ink} / .12)`;
      context.lineWidth = 1;
      context.strokeRect(place.x + 0.5, place.y + 0.5, side - 1, side - 1);
      context.fillStyle = `${ink} / .92)`;
      context.font = `${side < 38 ? 9.5 : 11}px ui-monospace, monospace`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(brief(value), place.x + side / 2, place.y + side / 2);
    }
    context.strokeStyle = `${ink} / ${this.crossed?.has(flat) ? (side < 8 ? 0.16 : 0.28) : side < 8 ? 0.35 : 0.8})`;
    context.lineWidth = side >= READABLE ? 1.5 : 1;
    context.beginPath();
    if (this.crossed?.has(flat)) {
      context.moveTo(place.x + 1, place.y + side - 1);
      context.lineTo(place.x + side - 1, place.y + 1);
    }
    if (this.ringed?.has(flat)) {
      const size = side >= READABLE ? 8 : Math.max(2, side / 2);
      context.moveTo(place.x + side - size, place.y + 0.5);
      context.lineTo(place.x + side - 0.5, place.y + 0.5);
      context.lineTo(place.x + side - 0.5, place.y + size);
    }
    context.stroke();
  }

  /** Lay a veil over all entries but these, and frame the one that is looked at. */
  light(cells, focus = -1) {
    const { layout } = this;
    const context = this.veil.getContext("2d");
    context.clearRect(0, 0, layout.w, layout.h);
    this.lit = cells ? new Set(cells.keys()) : new Set();
    this.figure.dataset.lit = this.lit.size;
    if (cells) {
      const [r, g, b] = palette().zero;
      context.fillStyle = `rgb(${r} ${g} ${b} / .74)`;
      context.fillRect(0, 0, layout.w, layout.h);
      const places = [...cells.keys()].map((flat) => layout.place(flat, this.sample)).filter(Boolean);
      const edge = layout.side >= 6 ? 1 : 0;
      context.fillStyle = getComputedStyle(this.figure).getPropertyValue("--accent");
      for (const { x, y } of places) context.fillRect(x - edge, y - edge, layout.side + 2 * edge, layout.side + 2 * edge);
      for (const { x, y } of places) context.clearRect(x, y, layout.side, layout.side);
    }
    const place = focus >= 0 && layout.place(focus, this.sample);
    if (place) this.frame(context, place);
  }

  frame(context, { x, y }) {
    const { side } = this.layout;
    context.clearRect(x, y, side, side);
    context.strokeStyle = getComputedStyle(this.figure).getPropertyValue("--ink");
    context.lineWidth = side >= 12 ? 2.5 : 2;
    context.strokeRect(x - 0.5, y - 0.5, side + 1, side + 1);
  }

  clear() {
    this.veil.getContext("2d").clearRect(0, 0, this.layout.w, this.layout.h);
    this.figure.dataset.lit = 0;
  }
}

function brief(value) {
  if (!Number.isFinite(value)) return shown(value);
  const size = Math.abs(value);
  const text = size !== 0 && size < 0.001 ? value.toExponential(0) : size >= 100 ? value.toFixed(0) : value.toFixed(size < 1 ? 3 : 2);
  return (Number(text) === value ? String(value) : text).replace(/^(-?)0\./, "$1.").replace("-", "−");
}
