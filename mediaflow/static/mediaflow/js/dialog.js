// Asking first. A link with hx-target="#dialog" fills the modal; without JavaScript it opens the confirm page.
// A form inside that succeeds (2xx, not 422) closes it.
(() => {
  "use strict";
  const modal = () => document.getElementById("modal");

  function close() {
    const box = modal();
    if (!box?.open) return;
    box.close();
  }

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "dialog") return;
    if (document.getElementById("dialog").childElementCount && !modal().open) modal().showModal();
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt, xhr, requestConfig } = event.detail;
    if (requestConfig.verb !== "get" && elt.closest("#modal") && xhr.status >= 200 && xhr.status < 300) close();
  });

  document.addEventListener("click", (event) => {
    const box = modal();
    if (!box?.open) return;
    if (event.target === box || event.target.closest("[data-dialog-close]")) {
      event.preventDefault();
      close();
    }
  });

  document.addEventListener("mf:dialog-close", close);
  document.addEventListener("DOMContentLoaded", () => {
    // Emptied when closed, so that its fields cannot be found by a form or a reader.
    modal()?.addEventListener("close", () => document.getElementById("dialog").replaceChildren());
  });
})();
