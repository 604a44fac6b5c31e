// What the views share. Python puts it in front of each view's module (leadwise.explorers.live.module).

export const LARGEST = 32767; // int16: relevance travels as fractions of its maximum
export const SIGNS = { signed: Math.abs, positive: (value) => value, negative: (value) => -value };

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** What is said in another language than English: English -> that. Python hands it over; empty, all is English. */
let phrases = {};
export const speak = (given) => { phrases = given ?? {}; };

/** A text in the language in use, its {placeholders} filled. Python finds the texts by this call: leadwise.explorers.live. */
export const say = (text, values = {}) => (phrases[text] ?? text).replace(/\{(\w+)\}/g, (_, name) => String(values[name]));

/** How high a picture may be, so that it fits a screen with what stands around it; never so low that nothing is seen. */
export function roomFor(aroundPx, leastPx = 320) {
  // A frame (Colab, VS Code) is as high as what it holds: there the screen says what fits.
  const highPx = window.self === window.top ? window.innerHeight : window.screen.availHeight - 200;
  return Math.max(highPx - aroundPx, leastPx);
}

/** A fraction as whole per cent, as leadwise.plotting.style.percent writes it: half goes to the even number. */
export function percent(fraction) {
  const low = Math.floor(100 * fraction), rest = 100 * fraction - low;
  const whole = rest === 0.5 ? low + (low % 2 === 0 ? 0 : 1) : Math.round(100 * fraction);
  return `${whole} %`.replace("-", "−");
}

/** Three significant digits with a true minus sign, as leadwise.plotting.style.number writes them. */
export function number(value) {
  const short = rounded(value), size = Math.abs(short);
  const text = size > 0 && (size < 1e-4 || size >= 1e6) ? short.toExponential().replace(/e([+-])(\d)$/, "e$10$2") : String(short);
  return text.replaceAll("-", "−");
}

/** A number to three significant digits; what lies in the middle goes to the even digit, as in Python. */
function rounded(value) {
  const [digits, power] = value.toExponential(50).split("e"), third = digits.indexOf(".") + 2;
  const even = Number(digits[third]) % 2 === 0, inTheMiddle = /^50*$/.test(digits.slice(third + 1));
  return even && inTheMiddle ? Number(`${digits.slice(0, third + 1)}e${power}`) : Number(value.toPrecision(3));
}

/** Where the colour of a value, -1 to 1, stands in a table of `steps` colours, RGBA. */
export const place = (value, steps) => 4 * clamp(Math.floor(((value + 1) / 2) * steps), 0, steps - 1);

/** Numbers out of a synced buffer. It is copied, for a message's buffers start at any byte. */
export function unpack(view, Kind) {
  return new Kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

export function element(tag, className, attributes = {}, children = []) {
  const made = document.createElement(tag);
  made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A canvas's context, blank, with `ratio` pixels of the screen in each CSS pixel. */
export function sized(canvas, widthPx, heightPx, ratio) {
  const wide = Math.round(widthPx * ratio), high = Math.round(heightPx * ratio);
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, widthPx, heightPx);
  return ctx;
}

/** A sentence above a bar of colours, with words at its ends and its middle. */
export class Legend {
  constructor() {
    this.sentence = element("div", "");
    this.bar = element("canvas", "leadwise-bar", { "aria-hidden": "true" });
    this.ends = ["−", "0", "+"].map((text) => element("span", "", {}, [text]));
    this.root = element("div", "leadwise-legend", {}, [this.sentence, this.bar, element("div", "leadwise-ends", {}, this.ends)]);
  }

  /** `end` stands at both ends; null where all values are zero. `colour`: from a value, -1 to 1, to CSS. */
  draw(sentence, end, show, colour, grey) {
    this.sentence.textContent = sentence;
    const words = end === null ? ["", "0", ""] : [`−${end}`, "0", `+${end}`];
    for (const [i, text] of words.entries()) this.ends[i].textContent = text;
    this.drawBar(show, colour, grey);
  }

  /** The bar, without what threshold and sign leave out of it. */
  drawBar(show, colour, grey) {
    const wide = this.bar.clientWidth, high = this.bar.clientHeight, ratio = window.devicePixelRatio || 1;
    const ctx = sized(this.bar, wide, high, ratio);
    for (let x = 0; x < wide; x += 1 / ratio) {
      const value = (2 * x) / wide - 1;
      if (SIGNS[show.sign](value) < show.threshold) continue;
      ctx.fillStyle = colour(value);
      ctx.fillRect(x, 0, 1 / ratio, high - 3);
    }
    ctx.strokeStyle = grey;
    ctx.lineWidth = 1;
    ctx.strokeRect(0.5, 0.5, wide - 1, high - 4);
    const cuts = Object.entries({ negative: 1, positive: -1 }).filter(([other]) => show.sign !== other).map(([, s]) => s * show.threshold);
    ctx.beginPath();
    for (const mark of [0, ...cuts]) {
      const x = Math.floor(((mark + 1) / 2) * wide) + 0.5;
      ctx.moveTo(x, 0);
      ctx.lineTo(x, high);
    }
    ctx.stroke();
  }
}

/** A view of a model. A subclass makes `root`, says by `on` which traits it draws, and implements `drawNow`. */
export class View {
  constructor(model) {
    this.model = model;
    speak(model.get("phrases"));
    /** @type {HTMLElement} */
    this.root = undefined;
    this.handlers = [];
    this.resized = new ResizeObserver(() => this.draw());
    this.chip = element("div", "leadwise-chip", { hidden: "" });
    this.on(["previous"]);
  }

  /** Say of an outdated picture, in grey, what it is: "previous recording". */
  markPrevious() {
    const previous = this.model.get("previous") ?? "";
    this.chip.textContent = previous;
    this.chip.hidden = !previous;
    this.root.classList.toggle("leadwise-previous", Boolean(previous));
    if (this.chip.parentElement !== this.root) this.root.append(this.chip);
    if (previous) this.root.style.setProperty("--chip", `${this.chip.offsetWidth + 8}px`); // room for it before a title
  }

  /** When one of these traits changes, call `first`, then draw. */
  on(names, first = () => {}) {
    const handler = () => { first(); this.draw(); };
    for (const event of names.map((name) => `change:${name}`)) {
      this.handlers.push([event, handler]);
      this.model.on(event, handler);
    }
  }

  drawNow() {
    throw new Error("a view says how it is drawn");
  }

  /** Draw at the next frame; however many traits change until then, once. */
  draw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = undefined;
      this.markPrevious();
      this.drawNow();
    });
  }

  close() {
    for (const [event, handler] of this.handlers) this.model.off(event, handler);
    this.resized.disconnect();
    cancelAnimationFrame(this.waiting);
  }
}

/** What anywidget asks of a module: a view in the page, and how to take it away again. */
export const shows = (Kind) => ({
  render({ model, el }) {
    const view = new Kind(model, el);
    view.resized.observe(view.root);
    view.draw();
    return () => view.close();
  },
});
