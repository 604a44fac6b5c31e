// The live twin of leadwise.plotting.plot_explained and plot_image_grid: relevance in colour on a picture in grey.
//
// Picture, masks and maps arrive once, as buffers. Whatever only changes the view happens here, without the kernel.
// Colours and contrast come from Python (`look`), so that both pictures have one source.

const PICTURE = ["picture", "size", "masks", "objects"];
const DISPLAY = ["style_index", "clip_index", "sign_index", "threshold"];
const WORDS = ["tiles", "panel", "title", "label", "words"];
const EDGE_PX = 8, TILE_PX = 130, WIDEST_PX = 340, CAPTION_PX = 95, GAP_PX = 14; // margin, and tiles among several; as in the style sheet
const AROUND_PX = 240; // of the screen, for what stands above and below the pictures
const NARROW_PX = 760; // below, the panel of a single map stands under the pictures

/** The picture: its colours, the pale grey below a map, the objects on it and their outlines. */
export function readPicture(model) {
  const [height, width] = model.get("size"), rgb = unpack(model.get("picture"), Uint8Array), masks = model.get("masks");
  const { pale } = model.get("look"), grey = new Float32Array(height * width);
  for (let i = 0; i < grey.length; i++) {
    const light = 0.299 * rgb[3 * i] + 0.587 * rgb[3 * i + 1] + 0.114 * rgb[3 * i + 2];
    grey[i] = 255 - pale * (255 - light);
  }
  const bits = masks.byteLength ? unpack(masks, Uint8Array) : new Uint8Array(height * width), objects = model.get("objects");
  return { height, width, rgb, grey, bits, objects, edges: objects.map((_, k) => outline(bits, 1 << k, height, width)) };
}

/** The pixel edges between inside and outside of an object, as leadwise.plotting.images.outline finds them. */
function outline(bits, bit, height, width) {
  const path = new Path2D(), inside = (y, x) => x >= 0 && x < width && y >= 0 && y < height && (bits[y * width + x] & bit) !== 0;
  const line = (fromX, fromY, toX, toY) => { path.moveTo(fromX, fromY); path.lineTo(toX, toY); };
  for (let y = 0; y <= height; y++) {
    for (let x = 0; x <= width; x++) {
      const here = inside(y, x);
      if (here !== inside(y - 1, x)) line(x, y, x + 1, y);
      if (here !== inside(y, x - 1)) line(x, y, x, y + 1);
    }
  }
  return path;
}

/** The map in a slot: what is known of it, and its values as fractions of its maximum, -32767 to 32767. */
export function readMap(model, i) {
  const buffer = model.get(model.get("look").slots[i]);
  return { ...model.get("tiles")[i], quantised: buffer ? unpack(buffer, Int16Array) : null };
}

export function readShow(model) {
  const show = Object.fromEntries(DISPLAY.map((name) => [name, model.get(name)])), { choices } = model.get("look");
  for (const name of Object.keys(choices)) show[name] = choices[name][show[`${name}_index`]];
  return show;
}

/** What a step of a map is worth on the scale of colours, which ends at -1 and 1. */
function unit(map, show) {
  const full = map.full[show.clip_index];
  return full > 0 ? map.full[0] / LARGEST / full : 0;
}

/** A map in colour on the picture in pale grey or on white, as PixelScale.over paints it: RGBA, one pixel each. */
export function paint(picture, map, show, look, table) {
  const out = new Uint8ClampedArray(4 * picture.grey.length), step = unit(map, show), keeps = SIGNS[show.sign];
  const white = show.style === "alone";
  for (let i = 0; i < picture.grey.length; i++) {
    const value = clamp(map.quantised[i] * step, -1, 1), at = place(keeps(value) >= show.threshold ? value : 0, look.steps);
    const opacity = table[at + 3] / 255, ground = (white ? 255 : picture.grey[i]) * (1 - opacity);
    for (let c = 0; c < 3; c++) out[4 * i + c] = table[at + c] * opacity + ground;
    out[4 * i + 3] = 255;
  }
  return out;
}

/** The picture in its own colours, or in pale grey where a map is still to come. */
function plain(picture, pale) {
  const out = new Uint8ClampedArray(4 * picture.grey.length).fill(255);
  for (let i = 0; i < picture.grey.length; i++) {
    for (let c = 0; c < 3; c++) out[4 * i + c] = pale ? 127 + picture.grey[i] / 2 : picture.rgb[3 * i + c];
  }
  return out;
}

/** The share of the magnitudes that threshold and sign leave in view. */
function inView(map, show) {
  const step = unit(map, show), keeps = SIGNS[show.sign];
  let all = 0, seen = 0;
  for (const q of map.quantised) {
    const value = clamp(q * step, -1, 1), size = Math.abs(q);
    all += size;
    if (keeps(value) >= show.threshold) seen += size;
  }
  return all > 0 ? seen / all : 1;
}

/** The sentence of the legend, as leadwise.plotting.images writes it for one map, and for several. */
export function describe(maps, show, label, single) {
  const known = maps.find((map) => map.full), summed = known?.summed ? `${say("summed over colours")}, ` : "";
  const full = show.clip === 100 ? "max |R|" : say("percentile {clip} of |R|", { clip: show.clip });
  const cut = [
    show.threshold > 0 ? say("threshold {cut} % of max", { cut: number(100 * show.threshold) }) : "",
    { signed: "", positive: say("positive R only"), negative: say("negative R only") }[show.sign],
  ].filter(Boolean).join(", ");
  if (!single) return [`${label}, ${summed}${say("each map normalised by its own {full}", { full })}`, cut].filter(Boolean).join("; ");
  const end = known.full[show.clip_index], seen = inView(known, show);
  const how = `${label}, ${summed}${say("normalised per picture")}: ${end > 0 ? `${full} = ${number(end)}` : say("all values are zero")}`;
  return [how, cut, end > 0 && seen < 0.995 ? say("{share} of Σ|R| in view", { share: percent(seen) }) : ""].filter(Boolean).join("; ");
}

/** How many tiles stand in a row: as few, and so as large, as their rows are no higher than `roomPx`. */
export function columnsFor(tiles, widthPx, roomPx) {
  const fit = (sidePx) => clamp(Math.floor((widthPx + GAP_PX) / (sidePx + GAP_PX)), 1, tiles), most = fit(TILE_PX);
  for (let columns = fit(WIDEST_PX); columns < most; columns++) {
    const sidePx = Math.min(WIDEST_PX, (widthPx - (columns - 1) * GAP_PX) / columns);
    if (Math.ceil(tiles / columns) * (sidePx + CAPTION_PX) <= roomPx) return columns;
  }
  return Math.ceil(tiles / Math.ceil(tiles / most));
}

/** One picture with its caption; the first of a view shows the picture itself. */
class Tile {
  constructor() {
    this.pixels = element("canvas", "leadwise-pixels", { "aria-hidden": "true" });
    this.outlines = element("canvas", "leadwise-outlines", { "aria-hidden": "true" });
    this.cross = element("div", "leadwise-cross", { hidden: "" });
    this.frame = element("div", "leadwise-frame", {}, [this.pixels, this.outlines, this.cross]);
    this.name = element("div", "leadwise-name");
    this.note = element("div", "leadwise-note");
    this.done = element("div", "");
    this.bar = element("div", "leadwise-progress", { hidden: "" }, [this.done]);
    this.caption = element("figcaption", "", {}, [this.name, this.bar, this.note]);
    this.root = element("figure", "leadwise-tile", {}, [this.frame, this.caption]);
  }

  draw(rgba, picture) {
    if (this.pixels.width !== picture.width) this.pixels.width = picture.width;
    if (this.pixels.height !== picture.height) this.pixels.height = picture.height;
    this.pixels.getContext("2d").putImageData(new ImageData(rgba, picture.width, picture.height), 0, 0);
  }

  /** Outline the objects, as thick as in the figure, whatever size the picture has on the screen. */
  drawOutlines(picture, look, ratio, thin) {
    const wide = this.frame.clientWidth, high = this.frame.clientHeight, ctx = sized(this.outlines, wide, high, ratio);
    const scale = wide / picture.width;
    ctx.scale(scale, high / picture.height);
    ctx.lineCap = "round";
    for (const [colour, px, opacity] of [["white", 3 * thin, 0.8], [look.truth, thin, 1]]) {
      ctx.strokeStyle = colour;
      ctx.globalAlpha = opacity;
      ctx.lineWidth = px / scale;
      for (const edge of picture.edges) ctx.stroke(edge);
    }
    // Pixels stay square where they are enlarged; shrunk, they are averaged.
    this.pixels.style.imageRendering = wide * ratio >= picture.width ? "pixelated" : "auto";
  }

  /** The caption: title, bar of progress, and a line of small print. */
  say(name, note, share) {
    this.name.textContent = name;
    this.note.textContent = note;
    this.bar.hidden = share === null || share === undefined;
    this.done.style.width = `${100 * (share ?? 0)}%`;
  }

  point(at, picture) {
    this.cross.hidden = !at;
    if (!at) return;
    this.cross.style.left = `${(100 * (at.x + 0.5)) / picture.width}%`;
    this.cross.style.top = `${(100 * (at.y + 0.5)) / picture.height}%`;
  }
}

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** One view of the model: the page around the canvases, and what mouse and keys do to it. */
class MapView extends View {
  constructor(model, host) {
    super(model);
    this.look = model.get("look");
    this.table = unpack(model.get("colours"), Uint8Array);
    this.tiles = [];
    this.read = new Map(); // slot -> its buffer and the map made of it
    this.build(host);
    this.listen();
  }

  build(host) {
    this.title = element("div", "leadwise-title");
    // Lumino's attribute: JupyterLab leaves keys alone here, instead of moving to the next cell.
    const keys = { tabindex: 0, role: "application", "aria-roledescription": say("picture"), "data-lm-suppress-shortcuts": "true" };
    this.stage = element("div", "leadwise-tiles", keys);
    this.panel = element("div", "leadwise-panel");
    this.readout = element("div", "leadwise-readout", { role: "status" });
    this.legend = new Legend();
    this.body = element("div", "leadwise-body", {}, [this.stage, this.panel]);
    this.root = element("div", "leadwise-map", {}, [this.title, this.body, this.readout, this.legend.root]);
    this.root.style.color = this.look.ink;
    this.root.style.fontFamily = `"${this.look.font}", Verdana, sans-serif`;
    for (const name of ["grey", "truth", "line", "explained"]) this.root.style.setProperty(`--${name}`, this.look[name]);
    host.append(this.root);
  }

  listen() {
    this.on(PICTURE, () => { this.picture = null; });
    this.on([...DISPLAY, ...WORDS, ...this.look.slots]);
    this.stage.addEventListener("pointermove", (event) => this.hover(event));
    this.stage.addEventListener("pointerleave", () => this.point(null));
    this.stage.addEventListener("keydown", (event) => this.key(event));
  }

  drawNow() {
    const [height, width] = this.model.get("size"), words = this.model.get("panel");
    if (!this.root.clientWidth || this.model.get("picture").byteLength !== 3 * height * width) return;
    this.picture ??= readPicture(this.model);
    this.show = readShow(this.model);
    this.single = Boolean(words);
    this.maps = this.model.get("tiles").map((_, i) => this.mapIn(i));
    this.arrange(1 + this.maps.length);
    this.drawTiles();
    if (this.single) this.writePanel(words);
    this.writeLegend();
    this.title.textContent = this.title.title = this.model.get("title");
    this.title.hidden = !this.model.get("title");
    const help = say("Arrow keys move a pointer over the pixels, Shift moves it ten times as far, Escape takes it away.");
    this.stage.setAttribute("aria-label", [this.model.get("previous"), this.model.get("words"), help].filter(Boolean).join(" "));
    this.point(this.at);
  }

  /** The map in slot i; its buffer is unpacked when it comes, not each time that it is drawn. */
  mapIn(i) {
    const buffer = this.model.get(this.look.slots[i]), known = this.read.get(i);
    if (!known || known.buffer !== buffer) this.read.set(i, { buffer, ...readMap(this.model, i) });
    return Object.assign(this.read.get(i), this.model.get("tiles")[i]);
  }

  /** Place the tiles: two pictures beside a panel, or rows of them. */
  arrange(count) {
    while (this.tiles.length < count) this.tiles.push(new Tile());
    this.tiles.length = count;
    const roots = this.tiles.map((tile) => tile.root), { picture } = this;
    if (roots.length !== this.stage.childElementCount || roots.some((root, i) => root !== this.stage.children[i])) {
      this.stage.replaceChildren(...roots);
    }
    const widthPx = this.root.clientWidth, roomPx = widthPx - 2 * EDGE_PX, columns = this.single ? 2 : columnsFor(count, roomPx, roomFor(AROUND_PX));
    this.root.classList.toggle("leadwise-single", this.single);
    this.root.classList.toggle("leadwise-narrow", widthPx < NARROW_PX);
    const widest = this.single ? "1fr" : `min(${WIDEST_PX}px, ${(roomPx - (columns - 1) * GAP_PX) / columns}px)`;
    this.stage.style.gridTemplateColumns = `repeat(${columns}, ${widest})`;
    this.panel.hidden = !this.single;
    const share = Math.min(1, picture.width / picture.height); // a tall picture is as high as a square one
    for (const { frame } of this.tiles) {
      frame.style.aspectRatio = `${picture.width} / ${picture.height}`;
      frame.style.width = `${100 * share}%`;
    }
  }

  drawTiles() {
    const { picture, show, look, table } = this, ratio = window.devicePixelRatio || 1;
    const [first, ...rest] = this.tiles, caption = this.model.get("panel")?.caption;
    first.draw(plain(picture, false), picture);
    first.say(this.single ? "" : say("picture"), caption ?? "", null);
    for (const [i, tile] of rest.entries()) {
      const map = this.maps[i];
      tile.draw(map.quantised ? paint(picture, map, show, look, table) : plain(picture, true), picture);
      tile.say(map.title, this.printBelow(map), map.share);
    }
    for (const tile of this.tiles) tile.drawOutlines(picture, look, ratio, this.single ? 1.5 : 1);
    if (this.single) rest[0].caption.replaceChildren(this.legend.root);
  }

  /** The small print below a map among several: its value under the pointer, else its note and maximum. */
  printBelow(map) {
    if (this.single) return "";
    if (!map.quantised || map.told) return map.told || say("waiting");
    if (this.at) return this.value(map);
    return [map.note, `max |R| ${number(map.full[0])}`].filter(Boolean).join("\n");
  }

  /** The relevance of a map under the pointer. */
  value(map) {
    const q = map.quantised[this.at.y * this.picture.width + this.at.x] / LARGEST;
    return `R = ${number(q * map.full[0])}${map.full[0] > 0 ? ` (${say("{share} of max", { share: percent(Math.abs(q)) })})` : ""}`;
  }

  writeLegend() {
    const { show, single, look, table } = this, known = this.maps.find((map) => map.full);
    this.legend.root.hidden = !known;
    if (!single && this.legend.root.parentElement !== this.root) this.root.append(this.legend.root);
    if (!known) return;
    const most = known.full[show.clip_index], end = single ? number(most) : show.clip === 100 ? "max" : say("full");
    const words = describe(this.maps, show, this.model.get("label"), single);
    const colour = (value) => {
      const [r, g, b, alpha] = table.subarray(place(value, look.steps));
      return `rgba(${r}, ${g}, ${b}, ${alpha / 255})`;
    };
    this.legend.draw(words, single && !(most > 0) ? null : end, show, colour, look.grey);
  }

  /** What plot_explained writes beside the pictures: classes, objects, facts, formula, source. */
  writePanel(words) {
    if (this.written === words) return;
    this.written = words;
    const heading = (text) => element("div", "leadwise-heading", {}, [text]);
    const line = (text, kind = "") => element("div", kind, {}, [text]);
    const classes = words.classes.map(([name, p]) => row(name, name === words.explained, "explained", p, percent(p)));
    const shares = words.shares.map(([name, share, area]) => {
      return row(name, name === words.explained, "truth", share, say("{share} (area {area})", { share: percent(share), area: percent(area) }), area);
    });
    const none = line(say("no object of this picture is known to the pixel"), "leadwise-small");
    const columns = [
      [heading(say("What the network sees")), ...classes],
      [heading(say("Where the positive relevance lies")), ...(shares.length ? shares : [none])],
      [...words.facts.map((fact) => line(fact))],
      [...(words.formula ? [drawing(words.formula)] : []), line(words.citation, "leadwise-small")],
    ];
    this.panel.replaceChildren(...columns.map((column) => element("div", "leadwise-part", {}, column)));
  }

  /** The pixel under the mouse, and the tile. */
  under(event) {
    const tile = this.tiles.findIndex(({ frame }) => frame.contains(event.target));
    if (tile < 0) return null;
    const box = this.tiles[tile].frame.getBoundingClientRect(), { width, height } = this.picture;
    const along = (value, low, size, count) => clamp(Math.floor(((value - low) / size) * count), 0, count - 1);
    return { tile, x: along(event.clientX, box.left, box.width, width), y: along(event.clientY, box.top, box.height, height) };
  }

  hover(event) {
    if (this.picture) this.point(this.under(event));
  }

  /** Mark a pixel in all tiles, and read it out. */
  point(at) {
    const { picture } = this;
    this.at = at && at.tile < this.tiles.length && at.x < picture.width && at.y < picture.height ? at : null;
    for (const tile of this.tiles) tile.point(this.at, picture);
    if (!this.single) for (const [i, map] of this.maps.entries()) this.tiles[i + 1].note.textContent = this.printBelow(map);
    this.readout.textContent = this.at ? this.inWords() : say("Point at a picture: pixel, colour, relevance, object");
  }

  /** What is known of the pixel under the pointer. */
  inWords() {
    const { picture, at } = this, i = at.y * picture.width + at.x, colour = picture.rgb.subarray(3 * i, 3 * i + 3);
    const map = this.maps[this.single ? 0 : at.tile - 1], on = picture.objects.filter((_, k) => picture.bits[i] & (1 << k));
    const value = map?.quantised ? [`${this.single ? "" : `${map.title}: `}${this.value(map)}`] : [];
    const [red, green, blue] = colour, where = say("row {row}, column {column}", { row: at.y, column: at.x });
    const parts = [where, say("red {red}, green {green}, blue {blue}", { red, green, blue }), ...value];
    if (picture.objects.length) parts.push(on.length ? say("on: {names}", { names: on.join(", ") }) : say("on no object"));
    return parts.join("  ·  ");
  }

  key(event) {
    const step = KEYS[event.key], { picture } = this;
    if (!picture || event.ctrlKey || event.metaKey || event.altKey || !(step || (event.key === "Escape" && this.at))) return;
    event.preventDefault();
    event.stopPropagation();
    if (!step) return this.point(null);
    const from = this.at ?? { tile: 1, x: picture.width >> 1, y: picture.height >> 1 }, far = event.shiftKey ? 10 : 1;
    const along = (value, by, count) => clamp(value + far * by, 0, count - 1);
    this.point({ tile: from.tile, x: along(from.x, step[0], picture.width), y: along(from.y, step[1], picture.height) });
  }
}

/** A row of the panel: name, bar, and what it says in numbers; `chance` is marked on the bar. */
function row(name, bold, colour, share, note, chance = null) {
  const along = (part) => `calc(${part} * (100% - var(--note)))`;
  const paint = bold || chance !== null ? colour : "line";
  const rail = element("div", "leadwise-rail", {}, [
    element("div", "leadwise-filled", { style: `width: ${along(share)}; background: var(--${paint})` }),
    ...(chance === null ? [] : [element("div", "leadwise-chance", { style: `left: ${along(chance)}` })]),
    element("div", "leadwise-small", { style: `left: ${along(Math.max(share, chance ?? 0))}` }, [note]),
  ]);
  return element("div", bold ? "leadwise-row leadwise-bold" : "leadwise-row", {}, [element("div", "leadwise-label", { title: name }, [name]), rail]);
}

/** A formula, whose outlines come from Python, at the size of the text around it. */
function drawing({ path, box, latex }) {
  const holder = element("div", "");
  holder.innerHTML = "<svg><path></path></svg>"; // the parser knows SVG, whose elements have a namespace of their own
  const svg = holder.firstChild;
  const px = 1.6; // CSS pixels in a point, a little larger than print, for the indices' sake
  for (const [name, value] of Object.entries({ viewBox: box.join(" "), width: box[2] * px, height: box[3] * px, role: "img" })) {
    svg.setAttribute(name, value);
  }
  svg.setAttribute("aria-label", latex);
  svg.setAttribute("class", "leadwise-formula");
  svg.firstChild.setAttribute("d", path);
  return svg;
}

export default shows(MapView);

import { clamp, element, LARGEST, Legend, number, percent, place, roomFor, say, shows, SIGNS, sized, unpack, View } from "./shared.js";

