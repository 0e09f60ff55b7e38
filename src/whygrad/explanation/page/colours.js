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

/** A picture of numbers, a pixel an entry, to be drawn larger. */
export function pixels(values, width, height, largest) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const colours = palette();
  for (let i = 0; i < width * height; i++) {
    const [r, g, b] = colour(values[i], largest, colours);
    image.data.set([r, g, b, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
