// Ticked rows in a <form data-select-table>: range by Shift-click, the whole page, or all that match.
// Rows are checkboxes [data-row] with data-bytes and, if known, data-low, data-expected, data-high (saved bytes).
// The hidden input [data-select-mode] becomes "all" when everything that matches is meant.
(() => {
  "use strict";
  const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];
  const chosen = new WeakMap();  // form -> Set of row values, so that a replaced row keeps its tick
  let lastRow = null;

  const step = (unit) => UNITS.indexOf(unit);

  function size(bytes) {
    let value = bytes;
    let power = 0;
    const digits = () => (power < 2 || value >= 100 ? 0 : power >= 4 && value < 10 ? 2 : 1);
    while (power + 1 < UNITS.length && Number(value.toFixed(digits())) >= 1000) {
      value /= 1000;
      power += 1;
    }
    return [value.toFixed(digits()).replace(/(\.\d)0$/, "$1"), UNITS[power]];
  }

  function sizeRange(low, high) {
    const [first, unit] = size(low);
    const [last, lastUnit] = size(high);
    if (unit !== lastUnit) return `${first} ${unit}–${last} ${lastUnit}`;
    const isWhole = step(unit) < 4 && Number(first) >= 10;
    return isWhole ? `${Math.round(first)}–${Math.round(last)}` : `${first}–${last}`;
  }

  function writeSize(element, bytes) {
    const [figure, unit] = size(bytes);
    const number = document.createElement("b");
    number.textContent = figure;
    const small = document.createElement("span");
    small.className = "u";
    small.textContent = unit;
    element.replaceChildren(number, small);
  }

  const rowsOf = (form) => [...form.querySelectorAll("[data-row]")];
  const setOf = (form) => chosen.get(form) || chosen.set(form, new Set()).get(form);
  const sum = (rows, key) => rows.reduce((total, row) => total + Number(row.dataset[key] || 0), 0);
  const plural = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

  function setMode(form, isAll) {
    form.classList.toggle("is-all", isAll);
    const mode = form.querySelector("[data-select-mode]");
    if (mode) mode.value = isAll ? "all" : "";
  }

  function drawRange(bar, total, low, expected, high) {
    const share = (part) => `${Math.min(100, (100 * part) / (total || 1)).toFixed(2)}%`;
    const [, sure, maybe] = bar.querySelectorAll("rect");
    sure.setAttribute("width", share(low));
    maybe.setAttribute("x", share(low));
    maybe.setAttribute("width", share(Math.max(high - low, 0)));
    const tick = bar.querySelector("line");
    tick.setAttribute("x1", share(expected));
    tick.setAttribute("x2", share(expected));
  }

  // What the server reckoned for everything that matches (library/_summary.html), once it has come.
  const figures = () => [document.querySelector("#lib-summary[data-bytes]")].filter(Boolean);

  function drawSavings(bar, rows, bytes, isAll) {
    // For "all that match" the page's own rows are too little: the figures beside the list, or nothing.
    const known = (isAll ? figures() : rows).filter((each) => each.dataset.expected);
    const isHidden = !known.length;
    const save = bar.querySelector("[data-bulk-save]");
    const range = bar.querySelector("[data-bulk-range]");
    if (save) save.hidden = isHidden;
    if (range) range.toggleAttribute("hidden", isHidden);
    if (isHidden || !save || !range) return;
    const [low, expected, high] = ["low", "expected", "high"].map((key) => sum(known, key));
    writeSize(bar.querySelector("[data-bulk-expected]"), expected);
    bar.querySelector("[data-bulk-range-text]").textContent = `(${sizeRange(low, high)})`;
    drawRange(range, bytes, low, expected, high);
  }

  function draw(form) {
    const rows = rowsOf(form);
    const ticked = rows.filter((row) => row.checked);
    const isAll = form.classList.contains("is-all");
    const head = form.querySelector("[data-select-page]");
    if (head) {
      head.checked = rows.length > 0 && ticked.length === rows.length;
      head.indeterminate = ticked.length > 0 && !head.checked;
    }
    const bar = form.querySelector("[data-bulk]");
    if (!bar) return;
    const { noun, verb, total, totalBytes, totalText } = bar.dataset;
    const count = isAll ? Number(total) : ticked.length;
    const bytes = isAll ? Number(totalBytes) || sum(figures(), "bytes") : sum(ticked, "bytes");
    bar.querySelector("[data-bulk-count]").textContent = isAll && totalText ? totalText : count.toLocaleString("en");
    const sizeText = bar.querySelector("[data-bulk-bytes]");
    writeSize(sizeText, bytes);
    sizeText.hidden = isAll && !bytes;
    drawSavings(bar, ticked, bytes, isAll);
    const button = bar.querySelector("[data-bulk-verb]");
    button.textContent = isAll && totalText ? `${verb} ${totalText} ${noun}s` : `${verb} ${plural(count, noun)}`;
    const all = bar.querySelector("[data-select-all]");
    if (all) all.hidden = isAll || Number(total) <= ticked.length;
  }

  function tick(form, row, isOn) {
    row.checked = isOn;
    const set = setOf(form);
    if (isOn) set.add(row.value);
    else set.delete(row.value);
  }

  function clear(form) {
    rowsOf(form).forEach((row) => tick(form, row, false));
    setOf(form).clear();
    setMode(form, false);
    draw(form);
  }

  function clickRow(form, row, isRange) {
    const rows = rowsOf(form);
    setMode(form, false);
    const from = rows.indexOf(lastRow);
    if (isRange && from >= 0) {
      const to = rows.indexOf(row);
      rows.slice(Math.min(from, to), Math.max(from, to) + 1).forEach((each) => tick(form, each, row.checked));
    } else tick(form, row, row.checked);
    lastRow = row;
    draw(form);
  }

  document.addEventListener("click", (event) => {
    const form = event.target.closest("[data-select-table]");
    if (!form) return;
    if (event.target.matches("[data-row]")) clickRow(form, event.target, event.shiftKey);
    else if (event.target.matches("[data-select-page]")) {
      setMode(form, false);
      rowsOf(form).forEach((row) => tick(form, row, event.target.checked));
      draw(form);
    } else if (event.target.closest("[data-select-all]")) {
      rowsOf(form).forEach((row) => tick(form, row, true));
      setMode(form, true);
      draw(form);
    } else if (event.target.closest("[data-select-clear]")) clear(form);
  });

  document.addEventListener("mf:clear-selection", () => document.querySelectorAll("[data-select-table]").forEach(clear));

  // After a swap: rows that were replaced get their tick back, rows that left are forgotten.
  function settle() {
    document.querySelectorAll("[data-select-table]").forEach((form) => {
      const set = setOf(form);
      const rows = rowsOf(form);
      const present = new Set(rows.map((row) => row.value));
      rows.forEach((row) => { row.checked = set.has(row.value); });
      [...set].forEach((value) => { if (!present.has(value)) set.delete(value); });
      if (!set.size) setMode(form, false);
      draw(form);
    });
  }
  document.addEventListener("htmx:afterSettle", settle);

  // What was sent is done with: the next page starts empty, also after the back button.
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("[data-select-table]").forEach((form) => {
      rowsOf(form).filter((row) => row.checked).forEach((row) => setOf(form).add(row.value));
      setMode(form, false);
      draw(form);
    });
  });
})();
