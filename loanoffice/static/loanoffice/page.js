/* Small helps on every page; each page works without them.

   Filters and the menu close on Escape and on a click beside them; a form puts the cursor into the
   first field that is wrong, a new one into its first field; a button copies what is shown only once; a page
   that waits for something within seconds is read again. */
"use strict";

(() => {
    const OPENED = "details.choices[open], details.menu[open]";

    document.addEventListener("keydown", (event) => {
        const opened = document.querySelector(OPENED);
        if (event.key === "Escape" && opened) {
            opened.open = false;
            opened.querySelector("summary").focus();
        }
    });

    document.addEventListener("click", (event) => {
        for (const opened of document.querySelectorAll(OPENED)) {
            if (!opened.contains(event.target)) {
                opened.open = false;
            }
        }
    });

    const TYPED = ":is(input:not([type=hidden]), select, textarea)";
    const fresh = document.querySelector("[data-focus-form]");
    const first =
        document.querySelector(`#content ${TYPED}[aria-invalid="true"]`) ||
        (fresh && document.querySelector(`#${fresh.dataset.focusForm} ${TYPED}:enabled`));
    if (first) {
        first.focus();
    }

    // Browsers offer the clipboard to a page by https and to one of this computer only.
    for (const button of document.querySelectorAll("button[data-copy]")) {
        button.hidden = !navigator.clipboard;
        button.addEventListener("click", async () => {
            const shown = document.querySelector(button.dataset.copy);
            try {
                await navigator.clipboard.writeText(shown.innerText.trim());
                button.textContent = "Copied";
            } catch {
                window.getSelection().selectAllChildren(shown); // to be copied by the keyboard
                button.textContent = "Selected: copy it now";
            }
        });
    }

    // A page that shows what happens in a moment asks for itself again, and changes in place.
    const lookLater = () => {
        const soon = document.querySelector("[data-reload]");
        if (soon) {
            setTimeout(look, Number(soon.dataset.reload));
        }
    };
    const look = async () => {
        if (!document.hidden) {
            let text = "";
            try {
                text = await (await fetch(location.href, { redirect: "error" })).text();
            } catch {
                return; // signed out, offline or left: the link to look again stays
            }
            const html = new DOMParser().parseFromString(text, "text/html");
            const fresh = html.getElementById("content-main");
            if (fresh) {
                document.getElementById("content-main").replaceWith(fresh);
            }
        }
        lookLater();
    };
    lookLater();
})();
