// Polled fragments (hx-trigger with "every"): silent while the tab is hidden, backing off while the server
// does not answer, never swapping what someone is dragging. Trigger filters would need eval, so this is a script.
(() => {
  "use strict";
  const POLLED = "[hx-trigger*='every']";
  const REFRESHABLE = "[hx-trigger*='refresh']";
  const TIMEOUT_MS = 10000;
  const BACKOFF_MAX_MS = 60000;
  const FIRST_POLL_JITTER_MS = 800;
  const failing = new Map();  // element -> {count, silentUntil}; one broken fragment does not slow the others
  let lastUpdate = new Date();

  const isPoll = (event) =>
    event.detail.elt.matches(POLLED) && !event.detail.requestConfig.triggeringEvent;
  const clock = (moment) =>
    moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });

  function refreshAll() {
    document.querySelectorAll(REFRESHABLE).forEach((element) => htmx.trigger(element, "refresh"));
  }

  function showConnection() {
    const line = document.getElementById("connection");
    if (!line) return;
    for (const element of failing.keys()) if (!element.isConnected) failing.delete(element);
    const isLost = [...failing.values()].some(({ count }) => count >= 2);
    line.hidden = !isLost;
    if (isLost) line.textContent = `Connection lost, last update ${clock(lastUpdate)}. Trying again.`;
  }

  function pollFailed(element) {
    const count = (failing.get(element)?.count || 0) + 1;
    const pause = Math.min(2000 * 2 ** count, BACKOFF_MAX_MS) * (0.8 + Math.random() * 0.4);
    failing.set(element, { count, silentUntil: Date.now() + pause });
    showConnection();
  }

  function pollAnswered(element) {
    lastUpdate = new Date();
    if (failing.delete(element)) showConnection();
  }

  document.addEventListener("htmx:configRequest", (event) => {
    const { elt, triggeringEvent } = event.detail;
    if (elt.matches(POLLED) && !triggeringEvent) event.detail.timeout = TIMEOUT_MS;
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!isPoll(event)) return;
    const { elt } = event.detail;
    const isDragged = elt.closest(".is-sorting") || elt.querySelector(".is-sorting");
    const isSilent = Date.now() < (failing.get(elt)?.silentUntil || 0);
    if (document.hidden || isSilent || isDragged) event.preventDefault();
    event.detail.requestConfig.askedFor = event.detail.target.id;
  });

  // Meanwhile the page around it may have made another part of the element: that is not to be overwritten.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { requestConfig, target } = event.detail;
    if (requestConfig.askedFor && target.id !== requestConfig.askedFor) event.detail.shouldSwap = false;
  });

  // A poll that meets an expired session gets the login page: go there instead of swapping it in.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.requestConfig.headers["HX-Boosted"]) return;
    if (/^\s*<!doctype html/i.test(event.detail.serverResponse || "") && event.detail.target !== document.body) {
      event.detail.shouldSwap = false;
      if (event.detail.xhr.status < 400) window.location.reload();
    }
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt, xhr, requestConfig } = event.detail;
    if (elt.matches(POLLED)) {
      if (xhr.status >= 200 && xhr.status < 400) pollAnswered(elt);
      else if (xhr.status === 0 || xhr.status >= 500) pollFailed(elt);
      return;
    }
    // Whatever someone just did, the live parts show it now rather than at their next beat.
    if (requestConfig.verb !== "get" && xhr.status < 300) window.setTimeout(refreshAll, 150);
  });

  // What a long operation has changed shows as soon as it ends: the page around it is asked anew. Not
  // while somebody drags, has a popover open or has typed or ticked what is not sent yet.
  const isDirty = (field) =>
    field.type === "checkbox" || field.type === "radio"
      ? field.checked !== field.defaultChecked
      : field.matches("select")
        ? [...field.options].some((option) => option.selected !== option.defaultSelected) && field.value !== field.options[0]?.value
        : field.value !== field.defaultValue;
  const isInUse = () =>
    document.querySelector(".is-sorting, .col :popover-open") !== null ||
    [...document.querySelectorAll(".col :is(input, select, textarea):not([data-row], [data-select-page])")].some(isDirty);

  document.addEventListener("mf:operation-ended", () => {
    if (isInUse()) return;
    htmx.ajax("GET", window.location.href, {
      target: ".col", select: ".col", swap: "morph:outerHTML", headers: { "HX-Boosted": "true" },
    });
  });

  // An answer that is no such page (an error, say) would leave nothing in its place.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { requestConfig, target, serverResponse } = event.detail;
    if (requestConfig.headers["HX-Boosted"] && target.matches(".col") && !/class="col"/.test(serverResponse)) {
      event.detail.shouldSwap = false;
    }
  });

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refreshAll();
  });
  window.addEventListener("online", refreshAll);

  // Twenty tabs restored at once should not ask in the same instant.
  const openedAt = Date.now();
  const jitter = Math.random() * FIRST_POLL_JITTER_MS;
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (isPoll(event) && Date.now() - openedAt < jitter) {
      event.preventDefault();
      window.setTimeout(() => htmx.trigger(event.detail.elt, "refresh"), jitter);
    }
  });

  // Morphing keeps what a person set: ticks, opened details, the field being typed in.
  Idiomorph.defaults.ignoreActiveValue = true;
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) => {
    if (name === "checked" && element.matches("[data-row], [data-select-page]")) return false;
    if (name === "open" && element.matches("details, dialog")) return false;
    return true;
  };
})();
