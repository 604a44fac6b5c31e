// Watches the pictures of an output area from inside the page, frame by frame, and the use of its controls.
(() => {
  const EVERY = 3; // pixels, both ways: a sample of this density is compared
  const STILL = 300; // ms without a change that end one
  const BARS = "progress, [role=progressbar], .widget-hprogress, .leadwise-progress";
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const channel = new MessageChannel();
  const busy = () => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status !== "idle";
  let area, selector, sum, barred, log;

  /** A checksum of a sample of the pictures' pixels; that of before while one of them is being loaded. */
  function look() {
    const pictures = [...area.querySelectorAll(selector)].filter((one) => one.checkVisibility());
    if (!pictures.length || pictures.some((one) => one.complete === false)) return sum;
    let total = 0;
    for (const picture of pictures) {
      const wide = Math.floor((picture.naturalWidth ?? picture.width) / EVERY);
      const high = Math.floor((picture.naturalHeight ?? picture.height) / EVERY);
      if (!wide || !high) continue;
      if (context.canvas.width < wide) context.canvas.width = wide;
      if (context.canvas.height < high) context.canvas.height = high;
      context.imageSmoothingEnabled = false; // takes pixels as they are
      context.clearRect(0, 0, wide, high);
      context.drawImage(picture, 0, 0, wide, high);
      total = (Math.imul(total, 31) + wide) | 0;
      for (const word of new Uint32Array(context.getImageData(0, 0, wide, high).data.buffer)) {
        total = (Math.imul(total, 31) + word) | 0;
      }
    }
    return total;
  }

  // A message sent while a frame is made comes when it has been painted.
  channel.port1.onmessage = () => {
    const now = performance.now(), seen = look();
    if (seen !== sum) log.changes.push(now);
    sum = seen;
    const bar = [...area.querySelectorAll(BARS)].some((one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true }));
    if (bar && !barred) log.bars.push(now);
    barred = bar;
    log.looks.push(performance.now() - now);
    requestAnimationFrame(() => channel.port2.postMessage(0));
  };
  for (const name of ["keydown", "change", "click", "pointerup", "pointermove"]) {
    addEventListener(name, () => log?.events.push([name, performance.now()]), true);
  }

  window.probe = {
    /** Watch the pictures that `chosen` selects within an element. */
    watch(element, chosen) {
      const running = area;
      [area, selector] = [element, chosen];
      this.begin();
      sum = look();
      if (!running) channel.port2.postMessage(0);
    },
    begin: () => { log = { events: [], changes: [], bars: [], looks: [] }; },
    read: () => log,
    sum: () => look(),
    /** Whether the last event has had all its effect, or `nothing` ms have shown that it has none. */
    quiet(nothing = 3000) {
      const now = performance.now(), event = log.events.at(-1)?.[1] ?? 0, change = log.changes.at(-1) ?? 0;
      if (barred || busy() || now - Math.max(event, change) < STILL) return false;
      return change > event || now - event > nothing;
    },
  };
})();
