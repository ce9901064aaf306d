/* Keeps a page up to date without reloading it: that of an application, or of a bulk decision.

   Polls about once a second with the ETag of what is shown; 304 means that nothing changed. Only
   regions whose HTML differs are replaced, the log only grows, and focus, open details and scroll
   positions stay. A failed poll is repeated, later each time; a hidden tab polls every 15 seconds;
   a page that cannot change any more is not polled. */
"use strict";

(() => {
    const root = document.querySelector("[data-live-url]");
    if (!root || root.dataset.live !== "on") {
        return;
    }
    const SOON = 1000;
    const QUIET = 3000; // after a minute in which nothing happened
    const HIDDEN = 15000;
    const LONGEST = 30000;
    const QUIET_AFTER = 60; // polls

    const url = root.dataset.liveUrl;
    const state = document.getElementById("live-state");
    const log = document.getElementById("application-log");
    let etag = null;
    let failures = 0;
    let unchanged = 0;
    let timer = null;
    let asking = false;

    const say = (text) => {
        if (state.textContent !== text) {
            state.textContent = text;
        }
    };

    const wait = () => {
        if (failures) {
            return Math.min(SOON * 2 ** failures, LONGEST);
        }
        if (document.hidden) {
            return HIDDEN;
        }
        return unchanged > QUIET_AFTER ? QUIET : SOON;
    };

    const schedule = () => {
        clearTimeout(timer);
        timer = setTimeout(poll, wait());
    };

    const replace = (old, fresh) => {
        if (old.innerHTML === fresh.innerHTML) {
            return;
        }
        const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
        const open = [...old.querySelectorAll("details[open][id]")].map((found) => found.id);
        old.replaceChildren(...fresh.childNodes);
        for (const id of open) {
            document.getElementById(id)?.setAttribute("open", "");
        }
        if (focused) {
            const again = document.getElementById(focused) ?? old.querySelector("a, summary");
            again?.focus({ preventScroll: true });
        }
    };

    const grow = (log, fresh) => {
        const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
        for (const line of [...fresh.children]) {
            if (!document.getElementById(line.id)) {
                line.classList.add("event-new");
                log.append(line);
            }
        }
        if (atEnd) {
            log.scrollTop = log.scrollHeight;
        }
    };

    const show = (html) => {
        const page = new DOMParser().parseFromString(html, "text/html");
        const fresh = page.getElementById(root.id);
        if (!fresh) {
            return false; // something else: a page that asks to log in
        }
        for (const region of root.querySelectorAll("[data-region]")) {
            const other = page.getElementById(region.id);
            if (other) {
                replace(region, other);
            }
        }
        if (log) {
            grow(log, page.getElementById("application-log"));
        }
        root.dataset.live = fresh.dataset.live;
        return true;
    };

    const poll = async () => {
        if (asking) {
            return;
        }
        asking = true;
        try {
            const headers = { "X-Requested-With": "fetch" };
            if (etag) {
                headers["If-None-Match"] = etag;
            }
            const answer = await fetch(url, {
                headers,
                cache: "no-store",
                credentials: "same-origin",
                signal: AbortSignal.timeout(10000),
            });
            if (answer.status === 304) {
                unchanged += 1;
            } else if (answer.ok) {
                if (answer.redirected || !show(await answer.text())) {
                    say("You are logged out. Reload this page to go on.");
                    return;
                }
                etag = answer.headers.get("ETag");
                unchanged = 0;
            } else if (answer.status === 403 || answer.status === 404) {
                say("This can no longer be shown to you.");
                return;
            } else {
                throw new Error(`HTTP ${answer.status}`);
            }
            failures = 0;
            say("");
        } catch {
            failures += 1;
            say("The connection is interrupted. Trying again.");
        } finally {
            asking = false;
        }
        if (root.dataset.live === "on") {
            schedule();
        }
    };

    document.addEventListener("visibilitychange", () => {
        if (!document.hidden && timer !== null && root.dataset.live === "on") {
            clearTimeout(timer);
            poll();
        }
    });
    if (log) {
        log.scrollTop = log.scrollHeight;
    }
    schedule();
})();
