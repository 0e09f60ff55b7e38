/** Arrays: where each lies in the page's bytes, and what its entries are called. */

const TYPES = { float64: Float64Array, float32: Float32Array, int32: Int32Array };

export class Tensor {
  constructor(key, shape, data) {
    Object.assign(this, { key, shape, data, minus: "" }); // minus: a sign before ∂E under the other convention
    this.size = shape.reduce((a, b) => a * b, 1);
    let largest = 0;
    for (const value of data) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
    this.largest = largest;
  }

  /** What formulas call it: its name, with δ before it for a gradient of a value and ∂E/∂ for one of a parameter. */
  get label() {
    const name = this.key.slice(2);
    return { v: name, d: `δ ${name}`, w: name, g: `${this.minus}∂E/∂${name}` }[this.key[0]];
  }

  index(flat) {
    const index = new Array(this.shape.length);
    for (let axis = this.shape.length - 1; axis >= 0; axis--) {
      index[axis] = flat % this.shape[axis];
      flat = Math.floor(flat / this.shape[axis]);
    }
    return index;
  }

  flat(...index) {
    return index.reduce((at, i, axis) => at * this.shape[axis] + i, 0);
  }

  name(flat) {
    return this.shape.length ? `${this.label}[${this.index(flat).join(",")}]` : this.label;
  }
}

/** Return the bytes behind base64. */
export function decode(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text).buffer;
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes.buffer;
}

/** Return an array that lies in the bytes. */
export function tensorAt(key, { at, shape, type }, bytes) {
  return new Tensor(key, shape, new TYPES[type](bytes, at, shape.reduce((a, b) => a * b, 1)));
}

/** Return the sum of numbers, with what rounding drops carried along. */
export function sumOf(values) {
  let sum = 0;
  let lost = 0;
  for (const value of values) {
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return Number.isFinite(sum) ? sum + lost : sum;
}

/** Return a number as people write it. */
export function shown(value, digits = 6) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  const text = size && (size < 1e-4 || size >= 1e7) ? value.toExponential(digits - 1) : value.toPrecision(digits);
  const [mantissa, exponent] = text.split("e");
  const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
  return (exponent ? `${short}e${exponent.replace("+", "")}` : short).replaceAll("-", "−");
}
