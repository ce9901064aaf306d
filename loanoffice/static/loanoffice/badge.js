/* Updates the header badge and the tab's title with the number of tasks that wait for this person.

   Polls every 15 seconds, every minute in a hidden tab, and later each time while the server does
   not answer; announces the number to a screen reader only when it changed. */
"use strict";

(() => {
    const badge = document.getElementById("open-tasks-badge");
    if (!badge) {
        return;
    }
    const EVERY = 15000;
    const HIDDEN = 60000;
    const LONGEST = 300000;

    const figure = document.getElementById("open-tasks-figure");
    const sentence = document.getElementById("open-tasks-sentence");
    const title = document.title;
    let etag = `"${badge.dataset.waiting}"`;
    let failures = 0;
    let timer = null;
    let over = false; // logged out: nothing is asked any more

    const show = (waiting, shown, text) => {
        figure.textContent = shown;
        badge.classList.toggle("open-tasks-none", waiting === 0);
        if (sentence.textContent !== text) {
            sentence.textContent = text;
        }
        document.title = waiting === 0 ? title : `(${shown}) ${title}`;
    };

    const schedule = () => {
        const usual = document.hidden ? HIDDEN : EVERY;
        timer = setTimeout(poll, Math.min(usual * 2 ** failures, LONGEST));
    };

    const poll = async () => {
        clearTimeout(timer);
        try {
            const answer = await fetch(badge.dataset.url, {
                headers: { "X-Requested-With": "fetch", "If-None-Match": etag },
                cache: "no-store",
                credentials: "same-origin",
                redirect: "manual",
                signal: AbortSignal.timeout(10000),
            });
            if (answer.type === "opaqueredirect" || answer.status === 403) {
                over = true; // the page will say so when it is used
                return;
            }
            if (answer.ok) {
                const found = await answer.json();
                show(found.waiting, found.shown, found.sentence);
                etag = answer.headers.get("ETag");
            } else if (answer.status !== 304) {
                throw new Error(`HTTP ${answer.status}`);
            }
            failures = 0;
        } catch {
            failures += 1;
        }
        schedule();
    };

    document.addEventListener("visibilitychange", () => {
        if (!document.hidden && !over) {
            poll();
        }
    });
    show(Number(badge.dataset.waiting), figure.textContent, sentence.textContent);
    schedule();
})();
