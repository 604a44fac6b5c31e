// A line of code and a button that copies it.

function render({ model, el }) {
  const code = document.createElement("code"), button = document.createElement("button"), said = document.createElement("span");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy the code");
  said.setAttribute("role", "status");
  const write = () => { code.textContent = model.get("code"); said.textContent = ""; };
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(model.get("code"));
      said.textContent = "copied";
    } catch { // no permission, or a page without https
      getSelection().selectAllChildren(code);
      said.textContent = "selected: copy it with Ctrl+C";
    }
  });
  el.classList.add("leadwise-code");
  el.replaceChildren(button, code, said);
  model.on("change:code", write);
  write();
  return () => model.off("change:code", write);
}

export default { render };
