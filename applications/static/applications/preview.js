/* Opens a document in a dialog of the page, in a frame that is made on the click and removed when the
   dialog closes: each time is one entry in the audit log, and a page that is only read leaves none.

   A frame with an image is sandboxed; browsers show a PDF in no sandboxed frame, and those that show
   none at all follow the link as usual, as does a page without this script: to a tab of its own. */
"use strict";

(() => {
    const dialog = document.getElementById("preview");
    if (!dialog) {
        return;
    }

    document.addEventListener("click", (event) => {
        const link = event.target.closest("a[data-preview]");
        const isPdf = link?.dataset.preview === "application/pdf";
        const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
        if (!link || elsewhere || (isPdf && !navigator.pdfViewerEnabled)) {
            return;
        }
        event.preventDefault();
        const frame = document.createElement("iframe");
        frame.title = link.dataset.name;
        if (!isPdf) {
            frame.setAttribute("sandbox", "");
        }
        // Without the list of its pages, and as wide as the frame.
        frame.src = isPdf ? `${link.href}#navpanes=0&view=FitH` : link.href;
        document.getElementById("preview-name").textContent = link.dataset.name;
        document.getElementById("preview-tab").href = link.href;
        dialog.append(frame);
        dialog.showModal();
    });

    dialog.addEventListener("close", () => dialog.querySelector("iframe").remove());
})();
