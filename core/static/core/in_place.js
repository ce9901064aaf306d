/* Sends a form with data-in-place without leaving its page.

   The answer is this page again: each region whose HTML differs is replaced, its messages are told
   in the status line, and what was typed, the focus and the scroll position stay. Any other answer,
   such as the page that asks to log in, is gone to. Without this script the form is sent as usual. */
"use strict";

(() => {
    const state = document.getElementById("in-place-state");

    const show = (page) => {
        for (const region of document.querySelectorAll("[data-region][id]")) {
            const fresh = page.getElementById(region.id);
            if (fresh && fresh.innerHTML !== region.innerHTML) {
                region.replaceChildren(...fresh.childNodes);
            }
        }
        const said = [...page.querySelectorAll(".messagelist li")].map((line) => line.textContent.trim());
        state.textContent = said.join(" ");
    };

    document.addEventListener("submit", async (event) => {
        const form = event.target;
        if (!("inPlace" in form.dataset)) {
            return;
        }
        event.preventDefault();
        const button = event.submitter;
        const region = form.closest("[data-region]");
        button.disabled = true; // a second click would be a second entry in the audit log
        try {
            const answer = await fetch(form.action, {
                method: "POST",
                body: new FormData(form),
                credentials: "same-origin",
                signal: AbortSignal.timeout(20000),
            });
            const isHere = new URL(answer.url).pathname === location.pathname;
            if (!answer.ok || !isHere) {
                location.assign(answer.redirected ? answer.url : location.href);
                return;
            }
            show(new DOMParser().parseFromString(await answer.text(), "text/html"));
            if (region && document.activeElement === document.body) {
                region.tabIndex = -1; // the button that had the focus is gone
                region.focus({ preventScroll: true });
            }
        } catch {
            state.textContent = "The connection is interrupted. Try again.";
        } finally {
            button.disabled = false;
        }
    });
})();
