// Results: Django's messages and the "mf:toast" event of an HX-Trigger header {level, text, undo_url}.
// A toast goes after 8 s unless someone is on it; a bad one stays until closed.
(() => {
  "use strict";
  const STAY_MS = 8000;
  const LEVELS = { error: "bad", bad: "bad", warning: "warn", warn: "warn" };
  const region = () => document.getElementById("toasts");

  function dismiss(toast) {
    toast.classList.add("is-leaving");
    window.setTimeout(() => toast.remove(), 220);
  }

  function expire(toast) {
    if (toast.classList.contains("toast-bad")) return;
    let timer = 0;
    const start = () => { timer = window.setTimeout(() => dismiss(toast), STAY_MS); };
    const stop = () => window.clearTimeout(timer);
    for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, stop);
    for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, start);
    start();
  }

  function undoButton(url, toast) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-ghost btn-s";
    button.textContent = "Undo";
    button.addEventListener("click", () => {
      htmx.ajax("POST", url, { source: document.body, swap: "none" });
      dismiss(toast);
    });
    return button;
  }

  function show({ level = "ok", text, undo_url: undoUrl }) {
    const template = document.getElementById(`toast-${LEVELS[level] || "ok"}`);
    if (!template || !region() || !text) return;
    const toast = template.content.firstElementChild.cloneNode(true);
    toast.querySelector("[data-toast-text]").textContent = text;
    if (undoUrl) toast.querySelector("[data-toast-close]").before(undoButton(undoUrl, toast));
    region().append(toast);
    expire(toast);
  }

  document.addEventListener("mf:toast", (event) => show(event.detail));

  document.addEventListener("click", (event) => {
    const close = event.target.closest("[data-toast-close]");
    if (close) dismiss(close.closest("[data-toast]"));
  });

  // What someone asked for failed and the server did not say why itself.
  document.addEventListener("htmx:responseError", (event) => {
    const { elt, xhr } = event.detail;
    if (elt.matches("[hx-trigger*='every']") || xhr.getResponseHeader("HX-Trigger")) return;
    const said = { 403: "You may not do that.", 404: "That is no longer there.", 409: "Someone else was faster; look again." };
    show({ level: "bad", text: said[xhr.status] || `The server could not do that (${xhr.status}). The log says why.` });
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (!event.detail.elt.matches("[hx-trigger*='every']")) {
      show({ level: "bad", text: "The server does not answer. Nothing was sent." });
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("#toasts > [data-toast]").forEach(expire);
  });
})();
