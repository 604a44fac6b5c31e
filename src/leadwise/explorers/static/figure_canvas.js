// Draws what leadwise.explorers.figure_canvas wrote down of a matplotlib figure.
//
// Lengths there are pixels of the figure; here they are pixels of the screen, `scale` times as many.

const BUFFERS = { points: Float32Array, codes: Uint8Array, pixels: Uint8Array };
const MOVE = 1, LINE = 2, CURVE3 = 3, CURVE4 = 4; // matplotlib's path codes; any other closes the path
const AROUND_PX = 260; // of the screen, for what stands above and below a figure
const NARROWEST = 0.8, WIDEST = 1.1; // how far a browser's font may be squeezed or stretched to matplotlib's width

/** What has been written down: operations, their styles, and the buffers they point into. */
export function read(model) {
  const drawing = { ...model.get("drawing") };
  for (const [name, Kind] of Object.entries(BUFFERS)) drawing[name] = unpack(model.get(name), Kind);
  return drawing;
}

/** Whether a part of a path has but level and upright lines: these are put on whole pixels, as matplotlib does. */
function isSquare({ points, codes }, first, last) {
  for (let i = first + 1; i < last; i++) {
    if (codes[i] === CURVE3 || codes[i] === CURVE4) return false;
    const dx = points[2 * i] - points[2 * i - 2], dy = points[2 * i + 1] - points[2 * i - 1];
    if (codes[i] === LINE && Math.abs(dx) > 1e-3 && Math.abs(dy) > 1e-3) return false;
  }
  return true;
}

/** Points [first, last) as a path. A line of an odd number of pixels runs through the middle of pixels. */
function trace(drawing, first, last, scale, style) {
  const { points, codes } = drawing, path = new Path2D();
  const half = style.stroke ? (Math.ceil(style.width * scale - 1e-6) % 2) / 2 : 0;
  for (let i = first, end; i < last; i = end) {
    for (end = i + 1; end < last && codes[end] !== MOVE; end++);
    const snaps = style.snap ?? isSquare(drawing, i, end);
    const place = (value) => (snaps ? Math.floor(value * scale + 0.5) + half : value * scale);
    const x = (j) => place(points[2 * j]), y = (j) => place(points[2 * j + 1]);
    for (let j = i; j < end; j++) {
      if (codes[j] === MOVE) path.moveTo(x(j), y(j));
      else if (codes[j] === LINE) path.lineTo(x(j), y(j));
      else if (codes[j] === CURVE3) path.quadraticCurveTo(x(j), y(j), x(++j), y(j));
      else if (codes[j] === CURVE4) path.bezierCurveTo(x(j), y(j), x(++j), y(j), x(++j), y(j));
      else path.closePath();
    }
  }
  return path;
}

function drawPath(ctx, drawing, scale, style, first, last) {
  const path = trace(drawing, first, last, scale, style);
  if (style.fill) ctx.fill(path);
  if (!style.stroke) return;
  ctx.strokeStyle = style.stroke;
  ctx.lineWidth = style.width * scale;
  ctx.lineCap = style.cap ?? "butt";
  ctx.lineJoin = style.join ?? "miter";
  const [offset, ...dashes] = (style.dash ?? [0]).map((length) => length * scale);
  ctx.setLineDash(dashes);
  ctx.lineDashOffset = offset;
  ctx.stroke(path);
}

/** A line of text as wide as matplotlib has measured it, whatever font the browser has; else in the middle of that. */
function drawText(ctx, drawing, scale, style, words, x, y, width, angle) {
  ctx.font = style.font;
  const measured = ctx.measureText(words).width || 1;
  const wider = Math.min(Math.max(width / measured, NARROWEST), WIDEST);
  ctx.setTransform(scale, 0, 0, scale, x * scale, y * scale);
  ctx.rotate((-angle * Math.PI) / 180);
  ctx.translate((width - measured * wider) / 2, 0);
  ctx.scale(wider, 1);
  ctx.fillText(words, 0, 0);
}

/** A picture: its pixels stay squares where they are larger than the screen's. */
function drawImage(ctx, drawing, scale, style, first, height, width, channels, ...matrix) {
  const image = new ImageData(width, height), { data } = image, from = drawing.pixels;
  if (channels === 4) data.set(from.subarray(first, first + data.length));
  else {
    for (let to = 0, at = first; to < data.length; to += 4, at += 3) {
      data[to] = from[at];
      data[to + 1] = from[at + 1];
      data[to + 2] = from[at + 2];
      data[to + 3] = 255;
    }
  }
  const aside = document.createElement("canvas");
  Object.assign(aside, { width, height });
  aside.getContext("2d").putImageData(image, 0, 0);
  ctx.globalAlpha = style.alpha;
  ctx.setTransform(...matrix.map((value) => value * scale));
  ctx.imageSmoothingEnabled = Math.hypot(matrix[0], matrix[1]) * scale < 1;
  ctx.imageSmoothingQuality = "high";
  ctx.drawImage(aside, 0, 0);
}

/** @type {Record<string, (...args: any[]) => void>} */
const DRAW = { path: drawPath, text: drawText, image: drawImage };

/** Draw everything, `scale` pixels of the canvas for each of the figure. */
export function replay(ctx, drawing, scale) {
  for (const [kind, number, ...rest] of drawing.ops) {
    const style = drawing.styles[number];
    ctx.save();
    if (style.within) ctx.clip(trace(drawing, style.within[0], style.within[1], scale, { snap: false }));
    if (style.box) {
      const clip = new Path2D(), [left, top, wide, high] = style.box.map((value) => value * scale);
      clip.rect(left, top, wide, high);
      ctx.clip(clip);
    }
    if (style.fill) ctx.fillStyle = style.fill;
    DRAW[kind](ctx, drawing, scale, style, ...rest);
    ctx.restore();
  }
}

/** One view of the model: a canvas, never larger than the figure and never wider than the column. */
class FigureView extends View {
  constructor(model, host) {
    super(model);
    this.sheet = element("canvas", "leadwise-figure", { role: "img" });
    this.root = element("div", "leadwise-view", {}, [this.sheet]);
    this.on(["drawing", "alt", ...Object.keys(BUFFERS)], () => { this.drawing = null; });
    host.append(this.root);
  }

  drawNow() {
    this.drawing ??= read(this.model);
    const canvas = this.sheet, [width, height] = this.drawing.size ?? [0, 0], previous = this.model.get("previous");
    canvas.style.maxWidth = `${Math.min(width, height ? (roomFor(AROUND_PX) * width) / height : width)}px`;
    canvas.style.aspectRatio = `${width} / ${height}`;
    canvas.setAttribute("aria-label", [previous, this.model.get("alt")].filter(Boolean).join(": "));
    const pixels = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
    if (!pixels || !width) return;
    canvas.width = pixels;
    canvas.height = Math.round((pixels * height) / width);
    replay(canvas.getContext("2d"), this.drawing, pixels / width);
  }
}

export default shows(FigureView);

import { element, roomFor, shows, unpack, View } from "./shared.js";

