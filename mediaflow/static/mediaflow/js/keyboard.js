// "/" goes to the search field; in a list marked data-list the arrows, Home and End move between rows
// (their [data-list-link]), Enter opens as links do, Space ticks the row; Esc clears the selection.
(() => {
  "use strict";
  const isTyping = (element) =>
    element.matches("input:not([type='checkbox']):not([type='radio']), textarea, select, [contenteditable]");
  const visible = (element) => element.getClientRects().length > 0;
  const linksOf = (list) => [...list.querySelectorAll("[data-list-link]")].filter(visible);

  function step(list, key) {
    const links = linksOf(list);
    if (!links.length) return;
    const row = document.activeElement.closest("tr, li");
    const here = links.findIndex((link) => link.closest("tr, li") === row);
    const goal = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: links.length - 1 }[key];
    const link = links[Math.min(Math.max(goal, 0), links.length - 1)];
    link.focus();
    link.scrollIntoView({ block: "nearest" });
  }

  function tickRow(event) {
    const box = document.activeElement.closest("tr, li")?.querySelector("[data-row]");
    if (!box || !document.activeElement.matches("[data-list-link]")) return;
    event.preventDefault();
    box.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: event.shiftKey }));
  }

  function focusSearch(event) {
    const field = document.querySelector("[data-search], input[type='search']");
    if (!field) return;
    event.preventDefault();
    field.focus();
    field.select();
  }

  function escape() {
    const open = document.querySelector("dialog[open], [popover]:popover-open");
    if (open) return;
    if (isTyping(document.activeElement)) document.activeElement.blur();
    else document.dispatchEvent(new CustomEvent("mf:clear-selection"));
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = document.activeElement;
    if (event.key === "Escape") return escape();
    if (event.key === "ArrowDown" && target.matches("[data-search], input[type='search']")) {
      const first = linksOf(document)[0];
      if (first) { event.preventDefault(); first.focus(); }
      return;
    }
    if (isTyping(target)) return;
    if (event.key === "/" && !document.querySelector("dialog[open]")) return focusSearch(event);
    const list = target.closest("[data-list]");
    if (!list || target.matches("[data-grip]")) return;
    if (event.key === " ") tickRow(event);
    else if (["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) {
      event.preventDefault();
      step(list, event.key);
    }
  });
})();
