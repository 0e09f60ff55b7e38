/** The order of events: forward layer by layer, the loss, and backward again; a slider and a button go through them. */

const PACE = 1100;

/** Return the steps, each with a sentence and the arrays that it brings. */
export function stepsOf(network) {
  const inputs = network.facts.values.filter(({ name }) => !(name in network.byOutput)).map(({ name }) => `v:${name}`);
  const steps = [{ text: "The input.", layer: "", keys: inputs }];
  for (const layer of network.layers) {
    const own = Object.values(layer.parameters).map((name) => `w:${name}`);
    steps.push({ text: `Forward: ${layer.name} ${layer.does}.`, layer: layer.name, keys: [`v:${layer.output}`, ...own] });
  }
  for (const layer of [...network.layers].reverse()) {
    const deltas = Object.values(layer.inputs).map((name) => `d:${name}`);
    const own = Object.values(layer.parameters).map((name) => `g:${name}`);
    const what = own.length ? "its inputs and its weights" : "its inputs";
    steps.push({ text: `Backward through ${layer.name}: what E owes to ${what}.`, layer: layer.name, keys: [...deltas, ...own] });
  }
  return steps;
}

export class Timeline {
  constructor({ slider, play, text }, steps, show) {
    Object.assign(this, { slider, play, text, steps, show, timer: 0 });
    this.last = new Map();
    steps.forEach(({ keys }, step) => keys.forEach((key) => this.last.set(key, step)));
    slider.max = steps.length;
    slider.addEventListener("input", () => (this.stop(), this.go(Number(slider.value))));
    play.addEventListener("click", () => (this.timer ? this.stop() : this.start()));
    this.go(steps.length, false);
  }

  /** Go to a step; the one after the last shows everything. */
  go(step, moved = true) {
    this.slider.value = step;
    const now = this.steps[step];
    this.text.textContent = now ? `${step + 1} of ${this.steps.length} · ${now.text}` : "The whole pass. Point at any cell, or press play.";
    this.slider.setAttribute("aria-valuetext", this.text.textContent);
    this.show(step, now, moved);
  }

  stateOf(key, step) {
    const own = this.last.get(key) ?? 0;
    return step >= this.steps.length ? "shown" : own > step ? "later" : own === step ? "now" : "shown";
  }

  start() {
    if (Number(this.slider.value) >= this.steps.length) this.go(0);
    this.mark(true);
    this.timer = setInterval(() => {
      const next = Number(this.slider.value) + 1;
      this.go(next);
      if (next >= this.steps.length) this.stop();
    }, PACE);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = 0;
    this.mark(false);
  }

  mark(running) {
    this.play.textContent = running ? "Pause" : "Play";
    this.play.setAttribute("aria-pressed", String(running));
  }
}
