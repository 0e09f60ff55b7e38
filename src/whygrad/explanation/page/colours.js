/** Colours for signed numbers: paper at 0, one hue on each side, by the square root so that small ones are seen. */

const PALETTES = {
  light: { zero: [246, 243, 236], plus: [194, 65, 12], minus: [29, 88, 168] },
  dark: { zero: [30, 34, 43], plus: [255, 150, 79], minus: [84, 170, 255] },
};

export function theme() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen) return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Return red, green and blue of a value, given the largest of its array. */
export function colour(value, largest, palette = PALETTES[theme()]) {
  if (!Number.isFinite(value)) return [255, 0, 200];
  const t = largest ? Math.sqrt(Math.min(1, Math.abs(value) / largest)) : 0;
  const end = value < 0 ? palette.minus : palette.plus;
  return palette.zero.map((from, i) => Math.round(from + (end[i] - from) * t));
}

export const palette = () => PALETTES[theme()];

/** Return whether white can be read on a colour. */
export function isDeep([r, g, b]) {
  return 0.2126 * r + 0.7152 * g + 0.0722 * b < 140;
}

const SHADES = 255;
const tables = {};

/** The colours of a theme as pixels, from −max to max. */
function shadeTable() {
  const name = theme();
  if (!tables[name]) {
    const shades = Array.from({ length: 2 * SHADES + 1 }, (_, k) => {
      const t = (k - SHADES) / SHADES;
      return [...colour(Math.sign(t) * t * t, 1, PALETTES[name]), 255];
    });
    tables[name] = new Uint32Array(new Uint8Array(shades.flat()).buffer);
  }
  return tables[name];
}

const NOT_FINITE = new Uint32Array(new Uint8Array([...colour(NaN, 1, PALETTES.light), 255]).buffer)[0];

/** A picture of numbers, a pixel an entry, to be drawn larger. */
export function pixels(values, width, height, largest) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const target = new Uint32Array(image.data.buffer);
  const shades = shadeTable();
  for (let i = 0; i < target.length; i++) {
    const share = largest ? values[i] / largest : 0;
    const t = Math.sign(share) * Math.sqrt(Math.min(1, Math.abs(share)));
    target[i] = Number.isFinite(values[i]) ? shades[SHADES + Math.round(t * SHADES)] : NOT_FINITE;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
