/* The badge in the header: how much waits on the person who looks, also in the tab's title.
   Asks seldom, more seldom in a hidden tab, and later each time while the office cannot be
   reached; says something to a screen reader only when the number changed. */
"use strict";

(() => {
    const badge = document.getElementById("queue-badge");
    if (!badge) {
        return;
    }
    const EVERY = 15000;
    const HIDDEN = 60000;
    const LONGEST = 300000;

    const figure = document.getElementById("queue-figure");
    const sentence = document.getElementById("queue-sentence");
    const title = document.title;
    let etag = `"${badge.dataset.waiting}"`;
    let failures = 0;
    let timer = null;
    let over = false; // logged out: nothing is asked any more

    const show = (waiting, shown, said) => {
        figure.textContent = shown;
        badge.classList.toggle("queue-none", waiting === 0);
        if (sentence.textContent !== said) {
            sentence.textContent = said;
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
