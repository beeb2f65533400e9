// Shows the chosen theme at once; the form's post tells the server, which writes it into every later page.
(() => {
  "use strict";
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-form] button[name='theme']");
    if (!button) return;
    const root = document.documentElement;
    if (button.value === "system") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", button.value);
    document.querySelectorAll("[data-theme-form] button[name='theme']").forEach((each) => {
      each.setAttribute("aria-pressed", String(each.value === button.value));
    });
  });
})();
