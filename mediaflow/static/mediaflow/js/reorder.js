// Rows of a list [data-reorder] dragged by their [data-grip], or moved by the arrow keys while the grip has focus.
// Posts {job, after, before} (ids of the row and its new neighbours, "" at the ends) to data-reorder-url.
(() => {
  "use strict";
  const KEY_PAUSE_MS = 500;
  let drag = null;
  let keyTimer = 0;

  const rowsOf = (list) => [...list.querySelectorAll(":scope > [data-id]")];

  function announce(text) {
    const live = document.getElementById("announcer");
    if (live) live.textContent = text;
  }

  function send(list, row) {
    const rows = rowsOf(list);
    const place = rows.indexOf(row);
    const idAt = (index) => rows[index]?.dataset.id || "";
    htmx.ajax("POST", list.dataset.reorderUrl, {
      source: document.body,
      swap: "none",
      values: { job: row.dataset.id, after: idAt(place - 1), before: idAt(place + 1) },
    });
    announce(`${row.dataset.label || "Row"}: place ${place + 1} of ${rows.length}`);
  }

  function start(event) {
    const grip = event.target.closest("[data-grip]");
    const list = grip?.closest("[data-reorder]");
    if (!list || event.button !== 0) return;
    const row = grip.closest("[data-id]");
    const line = document.createElement("li");
    line.className = "drop";
    line.setAttribute("aria-hidden", "true");
    drag = { list, row, line, startY: event.clientY, next: row.nextElementSibling, moved: false };
    grip.setPointerCapture(event.pointerId);
  }

  function move(event) {
    if (!drag) return;
    const { list, row, line, startY } = drag;
    if (!drag.moved && Math.abs(event.clientY - startY) < 4) return;
    if (!drag.moved) {
      drag.moved = true;
      list.classList.add("is-sorting");
      row.classList.add("is-drag");
    }
    // Through the object model: a style attribute in the markup would break the policy.
    row.style.setProperty("--dy", `${event.clientY - startY}px`);
    row.style.setProperty("--dx", "6px");
    const others = rowsOf(list).filter((each) => each !== row);
    const below = others.find((each) => {
      const box = each.getBoundingClientRect();
      return event.clientY < box.top + box.height / 2;
    });
    list.insertBefore(line, below || null);
  }

  function end(isDropped) {
    if (!drag) return;
    const { list, row, line, next, moved } = drag;
    drag = null;
    if (!moved) return;
    if (isDropped) list.insertBefore(row, line);
    line.remove();
    row.classList.remove("is-drag");
    row.removeAttribute("style");
    list.classList.remove("is-sorting");
    if (isDropped && row.nextElementSibling !== next) send(list, row);
  }

  function byKey(event) {
    if (event.key === "Escape" && drag) return end(false);
    const grip = event.target.closest?.("[data-grip]");
    const list = grip?.closest("[data-reorder]");
    if (!list || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    const row = grip.closest("[data-id]");
    const rows = rowsOf(list);
    const other = rows[rows.indexOf(row) + (event.key === "ArrowUp" ? -1 : 1)];
    if (!other) return;
    if (event.key === "ArrowUp") other.before(row);
    else other.after(row);
    grip.focus();
    row.scrollIntoView({ block: "nearest" });
    window.clearTimeout(keyTimer);
    keyTimer = window.setTimeout(() => send(list, row), KEY_PAUSE_MS);
  }

  document.addEventListener("pointerdown", start);
  document.addEventListener("pointermove", move);
  document.addEventListener("pointerup", () => end(true));
  document.addEventListener("pointercancel", () => end(false));
  document.addEventListener("keydown", byKey);
})();
