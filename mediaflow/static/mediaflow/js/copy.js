// [data-copy="text"] puts the text on the clipboard. On plain http (a NAS by its name) browsers offer
// only the old way, so it is the fallback.
(() => {
  "use strict";
  function copyOldWay(text) {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "vh";
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    return isCopied;
  }

  async function copy(text) {
    if (!navigator.clipboard) return copyOldWay(text);
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyOldWay(text);
    }
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const isCopied = await copy(button.dataset.copy);
    button.focus();
    const detail = isCopied ? { level: "ok", text: "Copied." } : { level: "bad", text: "The browser did not allow copying." };
    document.dispatchEvent(new CustomEvent("mf:toast", { detail }));
  });
})();
