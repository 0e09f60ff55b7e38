/** Builds the page: a column for each layer, values above, weights and their gradients between, deltas below. */

import { Board } from "./board.js";
import { theme } from "./colours.js";
import { Network } from "./explain.js";
import { Panel } from "./panel.js";
import { Timeline, stepsOf } from "./steps.js";
import { shown } from "./tensors.js";
import { Wires } from "./wires.js";

const by = (id) => document.getElementById(id);

class Page {
  constructor() {
    this.network = new Network(JSON.parse(by("facts").textContent), by("numbers").textContent.trim());
    this.boards = new Map();
    this.panel = new Panel(by("panel"), by("spoken"));
    this.wires = new Wires(by("wires"));
    this.pinned = null;
    this.sample = 0;
    this.actions = {
      look: (board, flat, aloud) => (this.pinned && !aloud ? null : this.look(board, flat, aloud)),
      leave: () => this.pinned || this.rest(),
      pin: (board, flat) => this.pin(board, flat),
    };
    this.columns();
    this.header();
    this.redraw();
    const parts = { slider: by("step"), play: by("play"), text: by("steptext") };
    this.timeline = new Timeline(parts, stepsOf(this.network), (...step) => this.step(...step));
    addEventListener("keydown", (event) => event.key === "Escape" && this.unpin());
    addEventListener("resize", () => this.current && this.wire());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    document.documentElement.dataset.ready = Math.round(performance.now());
  }

  columns() {
    const { network } = this;
    const given = network.facts.values.filter(({ name }) => !(name in network.byOutput));
    for (const { name } of given) this.column({ name, title: "given", output: name, parameters: {} });
    for (const layer of network.layers) this.column(layer);
  }

  column(layer) {
    const stage = document.createElement("section");
    stage.className = "stage";
    stage.dataset.layer = layer.name;
    stage.setAttribute("aria-label", layer.name);
    const head = document.createElement("header");
    head.innerHTML = "<h2></h2><p></p>";
    head.firstChild.textContent = layer.name;
    head.lastChild.textContent = layer.op === layer.title ? layer.op : layer.title;
    const weights = Object.values(layer.parameters).flatMap((name) => [`w:${name}`, `g:${name}`]);
    stage.append(head, this.row("forward", [`v:${layer.output}`]), this.row("weights", weights), this.row("backward", [`d:${layer.output}`]));
    if (this.network.facts.leftOut.includes(layer.name)) head.append(note(layer.why));
    by("network").append(stage);
  }

  row(name, keys) {
    const row = document.createElement("div");
    row.className = `row ${name}`;
    for (const key of keys) {
      const tensor = this.network.tensors[key];
      if (!tensor) continue;
      const board = new Board(tensor, this.marks(key), this.actions);
      this.boards.set(key, board);
      row.append(board.figure);
    }
    return row;
  }

  /** Entries behind closed gates, and winners of max-pooling windows. */
  marks(key) {
    const name = key.slice(2);
    if (key[0] === "w" || key[0] === "g") return {};
    const gate = key[0] === "v" ? this.network.byOutput[name] : null;
    const uses = (this.network.values[name]?.uses ?? []).map(([layer]) => this.network.byName[layer]);
    const closing = [gate, ...(key[0] === "d" ? uses : [])].find((layer) => layer?.op === "relu" && layer.slope);
    const pool = uses.find((layer) => layer.where && layer.sources);
    const crossed = new Set();
    closing?.slope.data.forEach((slope, flat) => slope === 0 && crossed.add(flat));
    return { crossed, ringed: new Set(pool?.sources.x.data) };
  }

  header() {
    const { facts } = this.network;
    by("error").textContent = shown(this.network.tensors["v:E"].data[0], 7);
    by("sign").textContent = facts.convention === "hertz" ? "δ = −∂E/∂z" : "δ = ∂E/∂z";
    by("precision").textContent = facts.precision;
    if (facts.leftOut.length) {
      by("leftout").hidden = false;
      by("leftout").textContent = `Left out, too large for one page: ${facts.leftOut.join(", ")}.`;
    }
    by("theme").addEventListener("click", () => {
      document.documentElement.dataset.theme = theme() === "dark" ? "light" : "dark";
      this.redraw();
    });
    const samples = Math.max(...[...this.boards.values()].map(({ layout }) => layout.samples));
    if (samples > 1) this.choice(samples);
    this.rest();
  }

  choice(samples) {
    by("samples").hidden = false;
    const select = by("sample");
    for (let n = 0; n < samples; n++) select.add(new Option(`${n + 1} of ${samples}`, n));
    select.addEventListener("change", () => {
      this.sample = Number(select.value);
      this.unpin();
      this.redraw();
    });
  }

  redraw() {
    by("theme").textContent = theme() === "dark" ? "Light" : "Dark";
    for (const board of this.boards.values()) {
      board.sample = Math.min(this.sample, board.layout.samples - 1);
      board.draw();
    }
    if (this.current) this.look(...this.current);
  }

  look(board, flat, aloud = false) {
    this.current = [board, flat];
    if (aloud) this.pinned = null;
    const found = this.network.explain(board.tensor.key, flat);
    this.lit = this.network.contributors(found);
    for (const [key, other] of this.boards) {
      if (this.lit.has(key) || other === board) other.light(this.lit.get(key), other === board ? flat : -1);
      else other.clear();
    }
    document.body.dataset.looking = "yes";
    for (const [key, other] of this.boards) other.figure.classList.toggle("aside", !this.lit.has(key) && other !== board);
    this.panel.show(found, this.network, { pinned: this.pinned !== null, aloud: aloud || this.pinned !== null || board.surface === document.activeElement, sample: board.sample });
    this.wire();
  }

  wire() {
    const [board, flat] = this.current;
    this.wires.draw(board, flat, this.lit, this.boards);
  }

  pin(board, flat) {
    this.pinned = [board, flat];
    this.look(board, flat);
    by("panel").classList.add("open");
  }

  unpin() {
    this.pinned = null;
    by("panel").classList.remove("open");
    this.rest();
  }

  rest() {
    this.current = null;
    this.wires.clear();
    delete document.body.dataset.looking;
    for (const board of this.boards.values()) {
      board.clear();
      board.figure.classList.remove("aside");
    }
  }

  step(step, now, moved) {
    for (const [key, board] of this.boards) board.figure.dataset.step = this.timeline ? this.timeline.stateOf(key, step) : "shown";
    if (!now || !moved) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const target = this.boards.get(now.keys.find((key) => this.boards.has(key)));
    target?.figure.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "nearest", inline: "center" });
  }
}

function note(text) {
  const element = document.createElement("p");
  element.className = "missing";
  element.textContent = text;
  return element;
}

globalThis.whygrad = new Page();
