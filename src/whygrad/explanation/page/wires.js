/** Lines from the entry that is looked at to those that contributed, thicker for larger terms. */

const MOST_WIRES = 60;

export class Wires {
  constructor(svg) {
    this.svg = svg;
  }

  clear() {
    this.svg.replaceChildren();
  }

  draw(board, flat, lit, boards) {
    this.clear();
    const frame = this.svg.getBoundingClientRect();
    const to = centre(board, flat, frame);
    const ends = [];
    for (const [key, cells] of lit) {
      const other = boards.get(key);
      if (!other || other === board) continue;
      for (const [at, weight] of cells) ends.push({ other, at, weight });
    }
    ends.sort((a, b) => b.weight - a.weight);
    const most = ends[0]?.weight || 1;
    for (const { other, at, weight } of ends.slice(0, MOST_WIRES)) {
      const from = to && centre(other, at, frame);
      if (from) this.svg.append(wire(from, to, weight / most));
    }
  }
}

function centre(board, flat, frame) {
  const place = board.layout.place(flat, board.sample);
  const box = board.surface.getBoundingClientRect();
  const half = board.layout.side / 2;
  return place && box.width ? [box.x - frame.x + place.x + half, box.y - frame.y + place.y + half] : null;
}

function wire([x, y], [u, v], share) {
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const bend = (u - x) / 2;
  path.setAttribute("d", `M${x} ${y} C${x + bend} ${y} ${u - bend} ${v} ${u} ${v}`);
  path.style.strokeWidth = (0.6 + 1.6 * Math.sqrt(share)).toFixed(2);
  path.style.opacity = (0.12 + 0.6 * Math.sqrt(share)).toFixed(2);
  return path;
}
