/** Where the entries of an array stand on its board: maps side by side, rows and columns within them. */

const LARGEST = 46;
const GAP = 5;

/** How wide and high a board may be before its cells shrink. */
const ROOM = { v: [264, 266], d: [264, 266], w: [210, 130], g: [210, 130] };

export function layoutOf(tensor) {
  const role = tensor.key[0];
  const parameter = role === "w" || role === "g";
  const { maps, width, height, samples } = divided(tensor.shape, parameter);
  const [wide, high] = ROOM[role];
  let best = null;
  const stride = parameter && tensor.shape.length === 4 ? tensor.shape[1] : 1; // a filter's kernels stay in one row
  for (let across = stride; across <= maps; across += stride) {
    const down = Math.ceil(maps / across);
    const side = Math.min(LARGEST, (wide - GAP * (across - 1)) / (across * width), (high - GAP * (down - 1)) / (down * height));
    if (!best || Math.floor(side) >= Math.floor(best.side)) best = { across, side };
  }
  const across = best?.across ?? 1;
  const side = best && best.side >= 2 ? Math.floor(best.side) : Math.max(1, Math.floor((best?.side ?? 1) * 2) / 2);
  return new Layout({ tensor, maps, width, height, across, side, samples });
}

/** Return how an array is cut into maps; a vector is one map, wrapped into rows. */
function divided(shape, parameter) {
  if (parameter && shape.length === 1) return wrapped(shape[0], 1, Math.min(shape[0], 40));
  if (parameter && shape.length === 2) return { maps: 1, width: shape[1], height: shape[0], samples: 1 };
  if (parameter) {
    const [width, height] = [shape.at(-1), shape.at(-2)];
    return { maps: shape.slice(0, -2).reduce((a, b) => a * b, 1), width, height, samples: 1 };
  }
  if (!shape.length) return wrapped(1, 1);
  if (shape.length <= 2) return wrapped(shape[1] ?? 1, shape[0]);
  const maps = shape.slice(1, -2).reduce((a, b) => a * b, 1);
  return { maps, width: shape.at(-1), height: shape.at(-2), samples: shape[0] };
}

/** A vector: a column if it is short, else wrapped into about as many rows as columns. */
function wrapped(length, samples, width = length <= 12 ? 1 : Math.ceil(Math.sqrt(length * 0.8))) {
  return { maps: 1, width, height: Math.ceil(length / width), samples, length };
}

class Layout {
  constructor(parts) {
    Object.assign(this, parts);
    this.down = Math.ceil(this.maps / this.across);
    this.perSample = this.tensor.size / this.samples;
    this.pitchX = this.width * this.side + GAP;
    this.pitchY = this.height * this.side + GAP;
    this.w = Math.max(1, this.across * this.pitchX - GAP);
    this.h = Math.max(1, this.down * this.pitchY - GAP);
  }

  /** Where an entry of a sample is drawn; nothing for those of the others. */
  place(flat, sample) {
    const own = this.samples > 1 ? flat - sample * this.perSample : flat;
    if (own < 0 || own >= this.perSample) return null;
    const area = this.width * this.height;
    const map = Math.floor(own / area);
    const within = own - map * area;
    const x = (map % this.across) * this.pitchX + (within % this.width) * this.side;
    const y = Math.floor(map / this.across) * this.pitchY + Math.floor(within / this.width) * this.side;
    return { x, y };
  }

  /** Which entry is drawn at a point; −1 for none. */
  hit(x, y, sample) {
    const [column, row] = [Math.floor(x / this.pitchX), Math.floor(y / this.pitchY)];
    const j = Math.floor((x - column * this.pitchX) / this.side);
    const i = Math.floor((y - row * this.pitchY) / this.side);
    if (x < 0 || y < 0 || column >= this.across || i >= this.height || j >= this.width) return -1;
    const own = (row * this.across + column) * this.width * this.height + i * this.width + j;
    return own < this.perSample ? (this.samples > 1 ? sample * this.perSample : 0) + own : -1;
  }
}
