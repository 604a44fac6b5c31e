// The live twin of leadwise.plotting.plot_ecg: an ECG on ECG paper, with relevance behind, around or on its line.
//
// Signal and relevance arrive once, as buffers. Whatever only changes the view happens here, without the kernel.
// Colours, distances and densities come from Python (`look`), so that both pictures have one source. Lengths are
// millimetres of paper, y pointing down, unless a name ends in Px (CSS pixels).

const DATA = ["signal", "begin", "step", "relevance", "maxima", "samples", "first", "fs"];
const DISPLAY = ["overlay_index", "sign_index", "normalise_index", "group_index", "threshold", "power", "leads", "columns", "sequential"];
const WORDS = ["title", "label", "record_id"];
const VIEW = ["zoom", "left"];
const MOST_ZOOM = 16, LEAST_SAMPLES = 20;
const AROUND_PX = 320; // of the screen, for what stands above and below the paper
const HANDLE_PX = 22; // as in the style sheet
const LINES = { fine: 1, coarse: 5 }; // mm between them
const NAME_PX = 13, SMALL_PX = 11, TIMES_PX = 18; // text sizes, and the room for the seconds below the paper

const upTo5 = (mm) => Math.ceil(mm / 5 - 1e-9) * 5;

/** Values shrunk to `columns`: each keeps the value of largest magnitude with its sign, the positive one in a tie. */
export function poolSignedMax(values, columns) {
  const samples = values.length;
  if (columns >= samples) return Float64Array.from(values);
  const pooled = new Float64Array(columns);
  for (let c = 0; c < columns; c++) {
    const end = Math.floor(((c + 1) * samples) / columns);
    let high = -Infinity, low = Infinity;
    for (let i = Math.floor((c * samples) / columns); i < end; i++) {
      if (values[i] > high) high = values[i];
      if (values[i] < low) low = values[i];
    }
    pooled[c] = high >= -low ? high : low;
  }
  return pooled;
}

/** Samples [begin, end) of one lead, from -1 to 1: 0 below the threshold and for the other sign. */
export function normalised(ecg, show, lead, begin, end) {
  const largest = show.normalise === "lead" ? ecg.maxima[lead] : Math.max(...ecg.maxima);
  const factor = largest > 0 ? ecg.maxima[lead] / largest / LARGEST : 0;
  const out = new Float64Array(end - begin), row = lead * ecg.samples, keeps = SIGNS[show.sign];
  for (let i = begin; i < end; i++) {
    const value = ecg.quantised[row + i] * factor;
    if (keeps(value) >= show.threshold) out[i - begin] = value;
  }
  return out;
}

/** Strips of leads dealt into columns, as leadwise.plotting.page.plan deals them; a zoomed strip shows fewer samples. */
export function plan(ecg, show, look) {
  const perColumn = Math.ceil(show.leads.length / show.columns);
  const columns = Math.ceil(show.leads.length / perColumn), seconds = ecg.samples / ecg.fs;
  const sequential = (show.sequential ?? seconds > 6) && columns > 1;
  const gutter = look.pulse_seconds * look.speed + 5, whole = seconds * look.speed;
  const long = sequential ? whole / columns : whole, pitch = sequential ? long : long + look.between;
  const [first, last] = visible(ecg, show);
  const edge = (column) => first + Math.floor((column * (last - first)) / columns);
  const strips = show.leads.map((name, place) => {
    const column = Math.floor(place / perColumn);
    const [begin, end] = sequential ? [edge(column), edge(column + 1)] : [first, last];
    return { lead: look.leads.indexOf(name), row: place % perColumn, column, left: gutter + column * pitch, long, begin, end };
  });
  const right = gutter + columns * pitch - (sequential ? 0 : look.between);
  return { strips, gutter, sequential, width: upTo5(Math.max(right + 2.5, ecg.quantised ? 110 : 75)) };
}

/** The samples [first, last) that zoom and pan leave in view. */
export function visible(ecg, show) {
  const count = Math.min(ecg.samples, Math.max(Math.round(ecg.samples / show.zoom), LEAST_SAMPLES));
  const first = clamp(Math.round(show.left * ecg.fs) - ecg.first, 0, ecg.samples - count);
  return [first, first + count];
}

/** Baselines and lanes, from above, as leadwise.plotting.page.place_rows finds them. */
export function placeRows(strips, ranges, labelTop, look) {
  const count = 1 + Math.max(...strips.map((strip) => strip.row));
  const up = Array(count).fill(look.gain * look.pulse_mv), down = Array(count).fill(2);
  for (const strip of strips) {
    up[strip.row] = Math.max(up[strip.row], ranges[strip.lead].high * look.gain, labelTop(strip));
    down[strip.row] = Math.max(down[strip.row], -ranges[strip.lead].low * look.gain);
  }
  const below = [0];
  for (let i = 0; i + 1 < count; i++) {
    below.push(below[i] + clamp(upTo5(down[i] + up[i + 1] + 1), look.closest, look.widest));
  }
  const above = upTo5(Math.max(...up.map((mm, i) => mm - below[i])) + 3);
  const under = upTo5(Math.max(...down.map((mm, i) => mm - (below.at(-1) - below[i]))) + 3);
  const base = below.map((mm) => above + mm);
  const border = base.slice(1).map((next, i) => base[i] + (next - base[i]) * clamp(down[i] / (down[i] + up[i + 1]), 0.25, 0.75));
  const top = [base[0] - up[0] - 1, ...border.map((y) => y + 0.4)];
  const bottom = [...border.map((y) => y - 0.4), base.at(-1) + down.at(-1) + 1];
  return { base, top, bottom, height: above + below.at(-1) + under };
}

/** Where the colour of a normalised value stands in the table; `power` bends the scale that the table was made with. */
export function colourAt(value, show, look) {
  const bent = show.power === look.power ? value : Math.sign(value) * Math.abs(value) ** (show.power / look.power);
  return place(bent, look.steps);
}

function css(table, at, opaque) {
  const alpha = table[at + 3] / 255;
  const channel = (i) => (opaque ? Math.round(table[at + i] * alpha + 255 * (1 - alpha)) : table[at + i]);
  return `rgba(${channel(0)}, ${channel(1)}, ${channel(2)}, ${opaque ? 1 : alpha})`;
}

/** The data of a model; what was read `before` and has not changed is kept, so that nobody need draw it again. */
export function readECG(model, before) {
  const ecg = Object.fromEntries(DATA.map((name) => [name, model.get(name)]));
  const same = before && ["signal", "begin", "step", "samples", "first"].every((name) => before[name] === ecg[name]);
  ecg.quantised = ecg.relevance.byteLength ? unpack(ecg.relevance, Int16Array) : null;
  if (same) return Object.assign(ecg, { mv: before.mv, ranges: before.ranges });
  const steps = unpack(ecg.signal, Int16Array), rows = ecg.maxima.length || 12, sent = steps.length / rows;
  ecg.mv = new Float32Array(rows * ecg.samples);
  for (let i = 0; i < ecg.mv.length; i++) {
    const at = steps[Math.floor(i / ecg.samples) * sent + ecg.first - ecg.begin + (i % ecg.samples)];
    ecg.mv[i] = at === -32768 ? NaN : at * ecg.step;
  }
  ecg.ranges = Array.from({ length: ecg.mv.length / ecg.samples }, (_, lead) => {
    let low = 0, high = -Infinity;
    for (let i = lead * ecg.samples; i < (lead + 1) * ecg.samples; i++) {
      if (ecg.mv[i] < low) low = ecg.mv[i];
      if (ecg.mv[i] > high) high = ecg.mv[i];
    }
    return { low, high };
  });
  return ecg;
}

export function readShow(model) {
  const names = [...DISPLAY, ...VIEW, ...WORDS];
  const show = Object.fromEntries(names.map((name) => [name, model.get(name)]));
  const { choices, groups } = model.get("look");
  for (const name of Object.keys(choices)) show[name] = choices[name][show[`${name}_index`]];
  show.leads = groups[show.group] ?? show.leads;
  return show;
}

/** How far a lead's name stands above the baseline: clear of what the signal does below it. */
function nameHeight(ecg, show, look, strip, begin, perMm) {
  const roomPx = ecg.quantised ? 96 : 40; // for the lead's maximum too, so that rows stay where they are
  const per = (strip.end - strip.begin) / strip.long, end = Math.min(begin + (roomPx / perMm) * per, ecg.samples);
  let high = 0;
  for (let i = strip.lead * ecg.samples + begin; i < strip.lead * ecg.samples + end; i++) {
    if (ecg.mv[i] > high) high = ecg.mv[i];
  }
  return Math.max(4, high * look.gain + 6 / perMm);
}

/** Everything that has a place: strips and rows, and pixels per millimetre for a sheet `widthPx` wide. */
export function layOut(ecg, show, look, widthPx) {
  const page = plan(ecg, show, look), perMm = widthPx / (page.width + 2 * look.edge);
  const atRest = plan(ecg, { ...show, zoom: 1, left: 0 }, look); // rows stay where they are while one zooms and pans
  const labelTop = (strip) => nameHeight(ecg, show, look, strip, strip.begin, perMm) + NAME_PX / perMm;
  const rows = placeRows(atRest.strips, ecg.ranges, labelTop, look);
  const xPx = (mm) => (look.edge + mm) * perMm, yPx = (mm) => mm * perMm;
  for (const strip of page.strips) {
    const samples = strip.end - strip.begin;
    Object.assign(strip, {
      leftPx: xPx(strip.left), widePx: strip.long * perMm, stepPx: (strip.long * perMm) / samples,
      topPx: yPx(rows.top[strip.row]), bottomPx: yPx(rows.bottom[strip.row]), basePx: yPx(rows.base[strip.row]),
    });
  }
  return { ...page, ...rows, perMm, xPx, yPx, widthPx, heightPx: rows.height * perMm + TIMES_PX, mvPx: look.gain * perMm };
}

/** The same, narrower where the paper would be higher than the screen. */
function fitted(ecg, show, look, widthPx) {
  const lay = layOut(ecg, show, look, widthPx), room = roomFor(AROUND_PX);
  return lay.heightPx <= room ? lay : layOut(ecg, show, look, Math.max((widthPx * room) / lay.heightPx, 320));
}

const xOf = (strip, sample) => strip.leftPx + (sample - strip.begin) * strip.stepPx;

/** Grid lines every millimetre and every five; each column counts its own from the start of its record time. */
function drawPaper(ctx, scene, colours, ratio) {
  const { lay, ecg, look } = scene;
  const left = lay.xPx(0), right = lay.xPx(lay.width), bottom = lay.yPx(lay.height);
  const crisp = (px) => (Math.floor(px * ratio) + 0.5) / ratio;
  ctx.fillStyle = colours.sheet;
  ctx.fillRect(left, 0, right - left, bottom);
  const starts = lay.strips.filter((strip) => strip.row === 0);
  for (const [name, mm] of Object.entries(LINES)) {
    ctx.globalAlpha = Math.min(look.grid_mm[name] * lay.perMm * ratio, 1); // a line thinner than a pixel is paler
    ctx.beginPath();
    for (let y = 0; y <= lay.height + 1e-6; y += mm) {
      ctx.moveTo(left, crisp(lay.yPx(y)));
      ctx.lineTo(right, crisp(lay.yPx(y)));
    }
    upright(ctx, left, lay.xPx(lay.gutter), lay.xPx(0), mm * lay.perMm, bottom, crisp);
    for (const [i, strip] of starts.entries()) {
      const step = (mm / look.speed) * ecg.fs * strip.stepPx; // a square is 40 ms wide however far one zooms
      const origin = xOf(strip, scene.show.zoom > 1 ? -ecg.first : strip.begin);
      upright(ctx, strip.leftPx, starts[i + 1]?.leftPx ?? right, origin, step, bottom, crisp);
    }
    ctx.lineWidth = 1 / ratio;
    ctx.strokeStyle = colours[name];
    ctx.stroke();
  }
  ctx.globalAlpha = 1;
}

function upright(ctx, fromPx, toPx, originPx, stepPx, bottomPx, crisp) {
  for (let n = Math.ceil((fromPx - originPx) / stepPx - 1e-6); originPx + n * stepPx < toPx - 1e-6; n++) {
    ctx.moveTo(crisp(originPx + n * stepPx), 0);
    ctx.lineTo(crisp(originPx + n * stepPx), bottomPx);
  }
}

/** Calibration pulses, signals and seconds: all that does not change with the relevance. */
function drawInk(ctx, scene) {
  const { lay, look } = scene;
  ctx.lineJoin = "round";
  ctx.lineWidth = Math.max(look.signal_mm * lay.perMm, 1);
  ctx.strokeStyle = look.ink;
  for (const base of lay.base) drawPulse(ctx, scene, lay.yPx(base));
  for (const strip of lay.strips) drawSignal(ctx, scene, strip);
  if (lay.sequential) drawCuts(ctx, scene);
  drawSeconds(ctx, scene);
}

function drawNames(ctx, { lay, ecg, show, look }) {
  for (const strip of lay.strips) {
    const near = nameHeight(ecg, show, look, strip, strip.begin, lay.perMm) * lay.perMm;
    const y = Math.max(strip.basePx - near, strip.topPx + NAME_PX - 2), x = strip.leftPx + 4;
    write(ctx, look.leads[strip.lead], x, y, `bold ${NAME_PX}px`, look.ink, look);
    if (show.normalise === "lead" && ecg.quantised) {
      const beside = x + ctx.measureText(look.leads[strip.lead]).width + 6;
      write(ctx, `±${number(ecg.maxima[strip.lead])}`, beside, y, `${SMALL_PX}px`, look.grey, look);
    }
  }
}

function drawPulse(ctx, { lay, look, show }, base) {
  const x = (mm) => lay.xPx(mm), high = base - look.pulse_mv * lay.mvPx, wide = look.pulse_seconds * look.speed;
  ctx.beginPath();
  if (show.zoom > 1) { // its width would be wrong now; its height is right
    ctx.moveTo(x(2.5 + wide / 2), base);
    ctx.lineTo(x(2.5 + wide / 2), high);
  } else {
    for (const [mm, y] of [[1, base], [2.5, base], [2.5, high], [2.5 + wide, high], [2.5 + wide, base], [4 + wide, base]]) {
      ctx.lineTo(x(mm), y);
    }
  }
  ctx.stroke();
}

/** A line through the samples; one that lies within a third of a pixel of the last point drawn is left out. */
function drawSignal(ctx, { lay, ecg }, strip) {
  ctx.beginPath();
  let pen = false, fromX = 0, fromY = 0, skipped = null; // up, where the signal has a gap
  for (let i = strip.begin; i < strip.end; i++) {
    const mv = ecg.mv[strip.lead * ecg.samples + i], x = xOf(strip, i), y = strip.basePx - mv * lay.mvPx;
    if (mv !== mv) {
      if (skipped) ctx.lineTo(...skipped);
      [pen, skipped] = [false, null];
      continue;
    }
    if (pen && Math.abs(y - fromY) < 0.33 && x - fromX < 1.5 && i + 1 < strip.end) {
      skipped = [x, y];
      continue;
    }
    if (!pen) ctx.moveTo(x, y);
    else {
      if (skipped && Math.abs(y - skipped[1]) > 1) ctx.lineTo(...skipped); // where a steep part begins
      ctx.lineTo(x, y);
    }
    [pen, fromX, fromY, skipped] = [true, x, y, null];
  }
  ctx.stroke();
}

/** A dashed line where the next lead takes over in time. */
function drawCuts(ctx, { lay, look }) {
  ctx.save();
  ctx.strokeStyle = look.grey;
  ctx.lineWidth = 1;
  ctx.setLineDash([4, 3]);
  ctx.beginPath();
  for (const strip of lay.strips.filter((one) => one.column > 0)) {
    ctx.moveTo(strip.leftPx, strip.topPx);
    ctx.lineTo(strip.leftPx, strip.bottomPx);
  }
  ctx.stroke();
  ctx.restore();
}

function drawSeconds(ctx, scene) {
  const { lay, ecg, look } = scene, last = Math.max(...lay.strips.map((strip) => strip.row));
  let written = -Infinity;
  for (const strip of lay.strips.filter((one) => one.row === last)) {
    const begin = (ecg.first + strip.begin) / ecg.fs, end = (ecg.first + strip.end) / ecg.fs;
    const steps = end - begin >= 2 ? [1, 2, 5, 10] : [0.05, 0.1, 0.2, 0.5, 1], second = strip.stepPx * ecg.fs;
    const step = steps.find((one) => one * second >= 45) ?? steps.at(-1);
    for (let n = Math.ceil(begin / step - 1e-9); n * step <= end + 1e-9; n++) {
      const x = strip.leftPx + (n * step - begin) * second;
      if (x - written < 28) continue;
      ctx.textAlign = "center";
      write(ctx, `${Number((n * step).toFixed(3))} s`, x, lay.yPx(lay.height) + SMALL_PX + 3, `${SMALL_PX}px`, look.grey, look);
      ctx.textAlign = "left";
      written = x;
    }
  }
}

function write(ctx, text, x, y, font, colour, look) {
  ctx.font = `${font} "${look.font}", Verdana, sans-serif`;
  ctx.lineJoin = "round";
  ctx.lineWidth = 3;
  ctx.strokeStyle = "white";
  ctx.strokeText(text, x, y);
  ctx.fillStyle = colour;
  ctx.fillText(text, x, y);
}

/** Relevance as a band of colour behind the signal, one column for each pixel of the screen. */
function drawBand(ctx, scene, strip, values) {
  const columns = Math.max(Math.floor(strip.widePx * scene.ratio), 1), pooled = poolSignedMax(values, columns);
  const line = new ImageData(pooled.length, 1), brush = scene.brush;
  for (let c = 0; c < pooled.length; c++) {
    const at = colourAt(pooled[c], scene.show, scene.look);
    for (let i = 0; i < 4; i++) line.data[4 * c + i] = scene.table[at + i];
  }
  brush.canvas.width = pooled.length;
  brush.putImageData(line, 0, 0);
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(brush.canvas, strip.leftPx - strip.stepPx / 2, strip.topPx, strip.widePx, strip.bottomPx - strip.topPx);
}

/** [begin, end) of `count` pieces of a strip with each one's value, the strongest last; the faintest are left out. */
function pieces(strip, values, density, look) {
  const count = Math.min(Math.max(Math.floor((strip.widePx * density) / look.pixels_per_mm), 1), values.length);
  const edge = (c) => Math.floor((c * values.length) / count);
  return Array.from(poolSignedMax(values, count), (value, c) => ({ value, begin: edge(c), end: edge(c + 1) }))
    .filter((piece) => Math.abs(piece.value) > look.faint)
    .sort((a, b) => Math.abs(a.value) - Math.abs(b.value));
}

function point(scene, strip, i) {
  return [xOf(strip, i), strip.basePx - scene.ecg.mv[strip.lead * scene.ecg.samples + i] * scene.lay.mvPx];
}

/** Relevance as a coloured outline along the signal. */
function drawHalo(ctx, scene, strip, values) {
  ctx.lineWidth = scene.look.halo_mm * scene.lay.perMm;
  ctx.lineJoin = "round";
  for (const piece of pieces(strip, values, scene.look.per_halo, scene.look)) {
    ctx.strokeStyle = css(scene.table, colourAt(piece.value, scene.show, scene.look), true);
    ctx.beginPath();
    const end = Math.min(piece.end + 2, values.length); // into its neighbours, so that joins close sharp bends
    for (let i = Math.max(piece.begin - 1, 0); i < end; i++) ctx.lineTo(...point(scene, strip, strip.begin + i));
    ctx.stroke();
  }
}

/** Relevance as dots on the signal: area and colour grow with its magnitude. */
function drawBubbles(ctx, scene, strip, values) {
  for (const piece of pieces(strip, values, scene.look.per_bubble, scene.look)) {
    let at = piece.begin;
    for (let i = at; i < piece.end; i++) if (Math.abs(values[i]) > Math.abs(values[at])) at = i;
    const radius = (scene.look.bubble_mm / 2) * scene.lay.perMm * Math.sqrt(Math.abs(values[at]));
    ctx.fillStyle = css(scene.table, colourAt(values[at], scene.show, scene.look), false);
    ctx.beginPath();
    ctx.arc(...point(scene, strip, strip.begin + at), radius, 0, 2 * Math.PI);
    ctx.fill();
  }
}

const DRAW = { band: drawBand, halo: drawHalo, bubbles: drawBubbles };

function drawRelevance(ctx, scene) {
  for (const strip of scene.lay.strips) {
    const values = normalised(scene.ecg, scene.show, strip.lead, strip.begin, strip.end);
    ctx.save();
    ctx.beginPath();
    ctx.rect(strip.leftPx - strip.stepPx, 0, strip.widePx + 2 * strip.stepPx, scene.lay.heightPx);
    ctx.clip();
    DRAW[scene.show.overlay](ctx, scene, strip, values);
    ctx.restore();
  }
}

/** The sentence of the legend, as leadwise.plotting.relevance.Scale describes it. */
function describe({ ecg, show, look }) {
  const most = Math.max(...ecg.maxima), least = Math.min(...ecg.maxima), name = (max) => look.leads[ecg.maxima.indexOf(max)];
  const lead = ecg.maxima.indexOf(most), values = ecg.quantised.subarray(lead * ecg.samples, (lead + 1) * ecg.samples);
  const peak = values.findIndex((value) => Math.abs(value) === LARGEST); // -1 where it lies outside the window
  const when = peak < 0 ? "" : `, ${((ecg.first + peak) / ecg.fs).toFixed(2)} s`;
  const ends = show.normalise === "record" ? `max |R| = ${number(most)} (${name(most)}${when})`
    : `${say("± its max |R|")}: ${number(least)} (${name(least)})${say(" to ")}${number(most)} (${name(most)})`;
  const per = show.normalise === "record" ? say("normalised per record") : say("normalised per lead");
  const unit = `${show.label}, ${per}: ${most > 0 ? ends : say("all values are zero")}`;
  const bent = show.power === look.power ? "" : say("colours by {power}", { power: `|R|^${number(show.power)}` });
  const cut = show.threshold > 0 ? say("threshold {cut} % of max", { cut: number(100 * show.threshold) }) : "";
  const sign = { signed: "", positive: say("positive R only"), negative: say("negative R only") }[show.sign];
  return [unit, bent, [cut, sign].filter(Boolean).join(", ")].filter(Boolean).join("; ");
}

function facts({ ecg, show, look, lay }) {
  const [begin, end] = visible(ecg, show).map((sample) => number((ecg.first + sample) / ecg.fs));
  const speed = `${number(look.speed * (ecg.samples / (visible(ecg, show)[1] - visible(ecg, show)[0])))} mm/s  ·  ${look.gain} mm/mV`;
  const time = `${begin}–${end}\u00a0s` + (lay.sequential ? `, ${say("columns follow each other in time")}` : "");
  return [speed, show.record_id, time].filter(Boolean).join("  ·  ");
}

/** The picture in words, for those who cannot see it. */
function inWords(scene) {
  const { ecg, show, look } = scene, all = show.leads.length === look.leads.length;
  const leads = all ? say("twelve leads") : say("leads {names}", { names: show.leads.join(", ") });
  const start = `${show.title || say("ECG")}: ${say("{leads} on ECG paper", { leads })}, ${facts(scene)}.`;
  if (!ecg.quantised) return start;
  const share = look.leads.map((name, lead) => {
    let sum = 0;
    for (let i = lead * ecg.samples; i < (lead + 1) * ecg.samples; i++) sum += Math.abs(ecg.quantised[i]);
    return { name, sum: sum * ecg.maxima[lead] };
  });
  const total = share.reduce((sum, one) => sum + one.sum, 0);
  if (total === 0) return `${start} ${say("The relevance is zero everywhere.")}`;
  const top = share.sort((a, b) => b.sum - a.sum).slice(0, 3).map((one) => `${one.name} ${percent(one.sum / total)}`);
  const style = { band: say("band"), halo: say("halo"), bubbles: say("bubbles") }[show.overlay];
  return `${start} ${say("Relevance as {style}; leads with most of its magnitude: {top}.", { style, top: top.join(", ") })}`;
}

/** What is known of one sample of one lead: lead, time, millivolts, relevance. */
function sampleInWords({ ecg, look }, lead, i) {
  const mv = ecg.mv[lead * ecg.samples + i], time = ((ecg.first + i) / ecg.fs).toFixed(3);
  const words = `${look.leads[lead]}  ·  ${time} s  ·  ${Number.isNaN(mv) ? say("no signal") : `${mv.toFixed(3)} mV`}`.replace("-", "−");
  if (!ecg.quantised) return words;
  const value = (ecg.quantised[lead * ecg.samples + i] / LARGEST) * ecg.maxima[lead], most = Math.max(...ecg.maxima);
  return `${words}  ·  R = ${number(value)}${most > 0 ? ` (${say("{share} of max", { share: percent(Math.abs(value) / most) })})` : ""}`;
}

/** The strip and the sample under a point of the sheet, or null. */
function under(scene, x, y) {
  const strip = scene.lay.strips.find((one) => x >= one.leftPx && x < one.leftPx + one.widePx && y >= one.topPx && y <= one.bottomPx);
  if (!strip) return null;
  return { strip, sample: clamp(Math.round(strip.begin + (x - strip.leftPx) / strip.stepPx), strip.begin, strip.end - 1) };
}

/** @type {() => [string, string, string, (view: ECGView) => void][]} */
const buttonsNow = () => [
  ["pan", "◀", say("Earlier (left arrow)"), (view) => view.pan(-0.25)],
  ["pan", "▶", say("Later (right arrow)"), (view) => view.pan(0.25)],
  ["zoom", "−", say("Zoom out (minus)"), (view) => view.zoomBy(1 / 1.5)],
  ["zoom", "+", say("Zoom in (plus)"), (view) => view.zoomBy(1.5)],
  ["fit", say("fit"), say("Show the whole time (0)"), (view) => view.fit()],
  ["calipers", say("calipers"), say("Measure ms and mV (C)"), (view) => view.toggleCalipers()],
];
const KEYS = {
  ArrowLeft: (view) => view.pan(-0.1), ArrowRight: (view) => view.pan(0.1), "+": (view) => view.zoomBy(1.25),
  "=": (view) => view.zoomBy(1.25), "-": (view) => view.zoomBy(0.8), "0": (view) => view.fit(),
  c: (view) => view.toggleCalipers(), C: (view) => view.toggleCalipers(),
};

/** One view of the model: the page around the canvases, and what mouse, fingers and keys do to it. */
class ECGView extends View {
  constructor(model, host) {
    super(model);
    this.look = model.get("look");
    this.table = unpack(model.get("colours"), Uint8Array);
    this.layers = Object.fromEntries(["paper", "ink", "names"].map((name) => [name, document.createElement("canvas")]));
    this.drawn = {};
    this.brush = document.createElement("canvas").getContext("2d");
    this.brush.canvas.height = 1;
    this.build(host);
    this.listen();
    this.ecg = readECG(model);
  }

  build(host) {
    this.title = element("div", "leadwise-title");
    const buttons = buttonsNow().map(([, sign, help, act]) => {
      const button = element("button", "leadwise-button", { type: "button", title: help, "aria-label": help }, [sign]);
      button.addEventListener("click", () => act(this));
      return button;
    });
    this.caliperButton = buttons.at(-1);
    const bar = element("div", "leadwise-buttons", { role: "toolbar", "aria-label": say("View") }, buttons);
    this.sheet = element("canvas", "leadwise-sheet", { "aria-hidden": "true" });
    this.over = element("canvas", "leadwise-over", { "aria-hidden": "true" });
    this.handles = ["A", "B"].map((name) => element("button", "leadwise-handle", { type: "button", hidden: "" }, [name]));
    this.stage = element("div", "leadwise-stage", { tabindex: 0, role: "application", "aria-roledescription": say("ECG") }, [
      this.sheet, this.over, ...this.handles,
    ]);
    this.readout = element("div", "leadwise-readout", { role: "status" });
    this.facts = element("div", "leadwise-facts");
    this.legend = new Legend();
    const foot = element("div", "leadwise-foot", {}, [this.facts, this.legend.root]);
    // Lumino's attribute: JupyterLab leaves keys alone here, instead of moving to the next cell.
    const attributes = { "data-lm-suppress-shortcuts": "true" };
    this.root = element("div", "leadwise-ecg", attributes, [element("div", "leadwise-head", {}, [this.title, bar]), this.stage, this.readout, foot]);
    this.root.style.color = this.look.ink;
    this.root.style.fontFamily = `"${this.look.font}", Verdana, sans-serif`;
    this.facts.style.color = this.look.grey;
    host.append(this.root);
  }

  listen() {
    this.on(DATA, () => { this.stale = true; });
    this.on([...DISPLAY, ...VIEW, ...WORDS]);
    this.stage.addEventListener("pointermove", (event) => this.hover(event));
    this.stage.addEventListener("pointerleave", () => this.point(null));
    this.stage.addEventListener("pointerdown", (event) => this.drag(event));
    this.stage.addEventListener("dblclick", () => this.fit());
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.stage.addEventListener("keydown", (event) => this.key(event));
    for (const handle of this.handles) {
      handle.addEventListener("pointerdown", (event) => this.dragHandle(event, handle));
      handle.addEventListener("keydown", (event) => this.keyHandle(event, handle));
    }
  }

  drawNow() {
    const widthPx = this.root.clientWidth;
    if (this.stale) this.ecg = readECG(this.model, this.ecg);
    this.stale = false;
    if (!widthPx || !this.ecg.samples) return;
    const ratio = window.devicePixelRatio || 1, show = readShow(this.model), { ecg, look, table, brush } = this;
    this.scene = { ecg, show, look, table, brush, ratio, lay: fitted(ecg, show, look, widthPx) };
    this.keepMarks();
    const { lay } = this.scene;
    this.drawLayers();
    const ctx = sized(this.sheet, lay.widthPx, lay.heightPx, ratio);
    for (const canvas of [this.sheet, this.over]) canvas.style.height = `${lay.heightPx}px`;
    this.stage.style.width = `${lay.widthPx}px`;
    const blit = (layer) => ctx.drawImage(layer, 0, 0, layer.width / ratio, layer.height / ratio);
    blit(this.layers.paper);
    if (ecg.quantised) drawRelevance(ctx, this.scene);
    blit(this.layers.ink);
    blit(this.layers.names);
    this.drawWords();
    this.drawOver();
  }

  /** What the pointer is on, and the calipers, stay with their lead and sample where these are still there. */
  keepMarks() {
    const { lay, ecg } = this.scene, { strip, sample } = this.at ?? {};
    const same = lay.strips.find((one) => one.lead === strip?.lead && sample >= one.begin && sample < one.end);
    this.at = same ? { strip: same, sample } : null;
    for (const one of this.calipers?.at ?? []) one.sample = clamp(one.sample, 0, ecg.samples - 1);
  }

  /** Draw again what lies below and above the relevance, where it has changed. */
  drawLayers() {
    const { lay, show, ratio, ecg } = this.scene, layer = (name) => sized(this.layers[name], lay.widthPx, lay.heightPx, ratio);
    const view = [show.zoom, show.left, show.columns, show.sequential, ...show.leads];
    const page = [ecg.mv, ecg.first, ecg.fs, !ecg.quantised, lay.widthPx, lay.heightPx, ratio, ...lay.base, ...view];
    if (this.changed("page", page)) {
      drawPaper(layer("paper"), this.scene, this.look.paper[ecg.quantised ? "pale" : "plain"], ratio);
      drawInk(layer("ink"), this.scene);
    }
    const maxima = show.normalise === "lead" && ecg.quantised ? ecg.maxima : [];
    if (this.changed("names", [...page, ...maxima])) drawNames(layer("names"), this.scene);
  }

  /** Whether these values are others than the last ones of that name. */
  changed(name, now) {
    const before = this.drawn[name];
    this.drawn[name] = now;
    return before?.length !== now.length || now.some((value, i) => value !== before[i]);
  }

  drawWords() {
    const { ecg, show } = this.scene;
    this.title.textContent = this.title.title = show.title;
    this.facts.textContent = facts(this.scene);
    this.legend.root.hidden = !ecg.quantised;
    const help = say("Arrow keys pan, plus and minus zoom, 0 shows all, C shows calipers.");
    this.stage.setAttribute("aria-label", [this.model.get("previous"), inWords(this.scene), help].filter(Boolean).join(" "));
    if (!ecg.quantised) return;
    const most = Math.max(...ecg.maxima), end = show.normalise === "record" ? number(most) : "max";
    const colour = (value) => css(this.table, colourAt(value, show, this.look), false);
    this.legend.draw(describe(this.scene), most > 0 ? end : null, show, colour, this.look.grey);
  }

  /** Mark what the pointer is on, and the calipers. */
  drawOver() {
    const { lay, ratio, look } = this.scene, ctx = sized(this.over, lay.widthPx, lay.heightPx, ratio);
    if (this.at) {
      ctx.strokeStyle = ctx.fillStyle = look.grey;
      ctx.lineWidth = 1;
      const { strip, sample } = this.at, [x, y] = point(this.scene, strip, sample);
      ctx.beginPath();
      for (const one of lay.strips.filter((other) => sample >= other.begin && sample < other.end)) {
        ctx.moveTo(xOf(one, sample), one.topPx);
        ctx.lineTo(xOf(one, sample), one.bottomPx);
      }
      ctx.stroke();
      ctx.beginPath();
      ctx.arc(x, y, 3.5, 0, 2 * Math.PI);
      ctx.fill();
    }
    this.drawCalipers(ctx);
    this.say();
  }

  drawCalipers(ctx) {
    const strip = this.calipers && this.scene.lay.strips.find((one) => one.lead === this.calipers.lead);
    for (const [i, handle] of this.handles.entries()) {
      const one = strip && this.calipers.at[i], x = strip && xOf(strip, one.sample);
      handle.hidden = !strip || x < strip.leftPx - 0.5 || x > strip.leftPx + strip.widePx + 0.5;
      if (handle.hidden) continue;
      const y = strip.basePx - one.mv * this.scene.lay.mvPx;
      handle.style.transform = `translate(${x - HANDLE_PX / 2}px, ${y + (i ? 6 : -6 - HANDLE_PX)}px)`;
      handle.setAttribute("aria-label", say("Caliper {name}: {place}. Arrow keys move it, Shift moves it ten times as far.", { name: "AB"[i], place: this.caliperInWords(i) }));
      ctx.strokeStyle = this.look.caliper;
      ctx.lineWidth = 1.5;
      ctx.beginPath();
      ctx.moveTo(x, strip.topPx);
      ctx.lineTo(x, strip.bottomPx);
      ctx.moveTo(Math.max(x - 40, strip.leftPx), y);
      ctx.lineTo(Math.min(x + 40, strip.leftPx + strip.widePx), y);
      ctx.stroke();
    }
  }

  caliperInWords(i) {
    const { sample, mv } = this.calipers.at[i], time = (this.ecg.first + sample) / this.ecg.fs;
    return `${this.look.leads[this.calipers.lead]}, ${time.toFixed(3)} s, ${number(mv)} mV`;
  }

  /** Say what is under the pointer, and what lies between the calipers. */
  say() {
    const words = this.at ? [sampleInWords(this.scene, this.at.strip.lead, this.at.sample)] : [];
    if (this.calipers) {
      const [a, b] = this.calipers.at, ms = (1000 * Math.abs(b.sample - a.sample)) / this.ecg.fs;
      const rate = ms >= 200 ? ` (${say("{rate} a minute", { rate: Math.round(60000 / ms) })})` : "";
      const mv = (b.mv - a.mv).toFixed(2).replace("-", "−");
      words.unshift(`${say("A to B in {lead}", { lead: this.look.leads[this.calipers.lead] })}: ${Math.round(ms)} ms${rate}  ·  ${mv} mV`);
    }
    this.readout.textContent = words.join("     ") || say("Point at the ECG: lead, time, mV, relevance");
  }

  pixel(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  hover(event) {
    if (this.scene && !this.dragging) this.point(under(this.scene, ...this.pixel(event)));
  }

  point(at) {
    this.at = at;
    if (this.scene) this.drawOver();
  }

  key(event) {
    const act = event.target === this.stage && !event.ctrlKey && !event.metaKey && !event.altKey && KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act(this);
  }

  wheel(event) {
    if (!this.scene || !(event.ctrlKey || event.altKey)) return; // the wheel alone scrolls the notebook
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY / 300), under(this.scene, ...this.pixel(event)));
  }

  /** Zoom in time by a factor; what is at `at`, else the middle, stays in its place. */
  zoomBy(factor, at = null) {
    const { ecg, show } = this.scene, [first, last] = visible(ecg, show), count = last - first;
    const zoom = clamp(show.zoom * factor, 1, Math.min(MOST_ZOOM, ecg.samples / LEAST_SAMPLES));
    const share = at ? (at.sample - first) / count : 0.5;
    this.lookAt(zoom, first + share * (count - ecg.samples / zoom));
  }

  pan(share) {
    const [first, last] = visible(this.ecg, this.scene.show);
    this.lookAt(this.scene.show.zoom, first + share * (last - first));
  }

  fit() {
    this.lookAt(1, 0);
  }

  lookAt(zoom, first) {
    const { ecg } = this, most = ecg.samples - Math.max(ecg.samples / zoom, LEAST_SAMPLES);
    this.model.set("zoom", zoom);
    this.model.set("left", (ecg.first + Math.round(clamp(first, 0, most))) / ecg.fs);
    clearTimeout(this.saving); // the kernel hears where it ended, not of every step
    this.saving = setTimeout(() => this.model.save_changes(), 250);
  }

  drag(event) {
    if (event.target.closest("button") || event.button !== 0 || !this.scene) return;
    const strip = this.scene.lay.strips[0], first = visible(this.ecg, this.scene.show)[0], from = event.clientX;
    this.follow(event, this.stage, (move) => {
      this.lookAt(this.scene.show.zoom, first - (move.clientX - from) / strip.stepPx);
    });
  }

  follow(event, target, move) {
    target.setPointerCapture(event.pointerId);
    this.dragging = true;
    const end = () => {
      this.dragging = false;
      target.removeEventListener("pointermove", move);
      for (const name of ["pointerup", "pointercancel"]) target.removeEventListener(name, end);
    };
    target.addEventListener("pointermove", move);
    for (const name of ["pointerup", "pointercancel"]) target.addEventListener(name, end);
  }

  /** Show two calipers a third and two thirds along the first lead, or hide them. */
  toggleCalipers() {
    const strip = this.scene.lay.strips[0], at = (share) => {
      const sample = Math.round(strip.begin + share * (strip.end - strip.begin)), mv = this.ecg.mv[strip.lead * this.ecg.samples + sample];
      return { sample, mv: Number.isNaN(mv) ? 0 : mv };
    };
    this.calipers = this.calipers ? null : { lead: strip.lead, at: [at(1 / 3), at(2 / 3)] };
    this.caliperButton.setAttribute("aria-pressed", String(Boolean(this.calipers)));
    this.drawOver();
  }

  /** Move a caliper with the pointer, in time and millivolts; dragged into another lead it takes its twin along. */
  dragHandle(event, handle) {
    event.stopPropagation();
    const { lay } = this.scene, one = this.calipers.at[this.handles.indexOf(handle)], [fromX, fromY] = this.pixel(event);
    const home = lay.strips.find((strip) => strip.lead === this.calipers.lead);
    const dx = xOf(home, one.sample) - fromX, dy = home.basePx - one.mv * lay.mvPx - fromY;
    this.follow(event, handle, (move) => {
      const [x, y] = this.pixel(move).map((px, i) => px + [dx, dy][i]);
      const strip = under(this.scene, x, y)?.strip ?? lay.strips.find((other) => other.lead === this.calipers.lead);
      this.calipers.lead = strip.lead;
      one.sample = clamp(Math.round(strip.begin + (x - strip.leftPx) / strip.stepPx), strip.begin, strip.end - 1);
      one.mv = (strip.basePx - clamp(y, strip.topPx, strip.bottomPx)) / lay.mvPx;
      this.drawOver();
    });
  }

  keyHandle(event, handle) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 0.01], ArrowDown: [0, -0.01] }[event.key];
    if (!steps) return;
    event.preventDefault();
    event.stopPropagation();
    const one = this.calipers.at[this.handles.indexOf(handle)], far = event.shiftKey ? 10 : 1;
    one.sample = clamp(one.sample + far * steps[0], 0, this.ecg.samples - 1);
    one.mv += far * steps[1];
    this.drawOver();
  }
}

export default shows(ECGView);

import { clamp, element, LARGEST, Legend, number, percent, place, roomFor, say, shows, SIGNS, sized, unpack, View } from "./shared.js";

