// [data-compare]: the range moves the line between the picture before and the one after. Delegated, so that
// pictures swapped in later work as well; the value is kept while one goes through the pictures.
(() => {
  "use strict";
  let percent = 50;

  function apply(range) {
    const view = range.closest("[data-compare]");
    percent = Number(range.value);
    view.style.setProperty("--cut", `${percent}%`);
    range.setAttribute("aria-valuetext", `${percent} % before`);
  }

  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-compare] input[type=range]")) apply(event.target);
  });

  document.addEventListener("htmx:load", (event) => {
    const range = event.detail.elt.querySelector?.("[data-compare] input[type=range]");
    if (!range) return;
    range.value = String(percent);
    apply(range);
  });
})();
