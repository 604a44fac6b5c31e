// Code in full, folded, with a button that copies it. It also looks after the explorer that it stands in: ipywidgets
// gives a slider no name and, where its stops are words, no truth to its value.

import { say, speak } from "./shared.js";

/** Tell a reader of a screen what a slider is called and where it stands, as those who see it can read. */
function tellSlider(handle) {
  const box = handle.closest(".widget-inline-hbox, .jupyter-widgets");
  const name = box?.querySelector(".widget-label")?.textContent, value = box?.querySelector(".widget-readout")?.textContent;
  for (const [attribute, text] of [["aria-label", name], ["aria-valuetext", value]]) {
    if (text && handle.getAttribute(attribute) !== text) handle.setAttribute(attribute, text);
  }
}

/** Mend what ipywidgets says of its controls within an explorer. */
function tidy(explorer) {
  for (const handle of explorer.querySelectorAll(".noUi-handle")) tellSlider(handle);
  for (const one of explorer.querySelectorAll('[title="null"]')) one.removeAttribute("title");
  for (const select of explorer.querySelectorAll("select")) {
    const chosen = select.multiple ? "" : select.selectedOptions[0]?.text ?? ""; // a narrow menu cuts it
    if (chosen && select.title !== chosen) select.title = chosen;
    if (select.hasAttribute("aria-label")) continue;
    select.setAttribute("aria-label", select.parentElement.querySelector(".widget-label")?.textContent || say("methods"));
  }
}

/** Keep an explorer tidy while it changes; returns what ends that. */
function keepTidy(el) {
  let explorer, waiting;
  const watch = new MutationObserver(() => { waiting ??= requestAnimationFrame(() => { waiting = undefined; tidy(explorer); }); });
  const begin = setInterval(() => { // a view is rendered before it is put into the page
    explorer = el.closest(".leadwise-explorer");
    if (!explorer) return;
    clearInterval(begin);
    tidy(explorer);
    explorer.addEventListener("change", () => tidy(explorer));
    watch.observe(explorer, { subtree: true, childList: true, attributes: true, attributeFilter: ["title", "aria-valuetext"] });
  }, 100);
  return () => { clearInterval(begin); watch.disconnect(); };
}

function render({ model, el }) {
  speak(model.get("phrases"));
  const code = document.createElement("pre"), button = document.createElement("button"), said = document.createElement("span");
  const folded = document.createElement("details"), summary = document.createElement("summary");
  button.type = "button";
  button.textContent = say("Copy the code");
  said.setAttribute("role", "status");
  summary.textContent = say("Python that makes this, complete");
  folded.append(summary, code);
  const write = () => { code.textContent = model.get("code"); said.textContent = ""; };
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(model.get("code"));
      said.textContent = say("copied");
    } catch { // no permission, or a page without https
      folded.open = true;
      getSelection().selectAllChildren(code);
      said.textContent = say("selected: copy it with Ctrl+C");
    }
  });
  el.classList.add("leadwise-code");
  el.replaceChildren(button, folded, said);
  model.on("change:code", write);
  write();
  const end = keepTidy(el);
  return () => { end(); model.off("change:code", write); };
}

export default { render };
