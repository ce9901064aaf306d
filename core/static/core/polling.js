/* The one poll of a page: it keeps the badge, and what else on the page can change, up to date.

   An application or a bulk decision is asked for about once a second with the ETag of what is
   shown; 304 means that nothing changed. Only regions whose HTML differs are replaced, the log only
   grows; focus, open details, scroll positions and what somebody types stay. Badge and bell come in
   headers of the same answer, every 15 seconds. A page without such a part asks for these alone; a
   list also whether its rows changed, and then offers to show them.

   Where nothing changes, in a hidden tab and after failures it asks less often. It ends where the
   person is logged out or may not see the page any more. */
"use strict";

(() => {
    const root = document.querySelector("[data-live-url]");
    const badge = document.getElementById("open-tasks-badge");
    const bell = document.getElementById("bell-link");
    const list = document.getElementById("list-changed");
    const SECOND = 1000;
    const COUNTS_EVERY = 15 * SECOND;
    const LONGEST = 300 * SECOND;
    const LIVE_LONGEST = 30 * SECOND;

    const isLive = () => root !== null && root.dataset.live === "on";
    const isList = () => list !== null && "listShown" in list.dataset;
    const hasParts = () => isLive() || badge !== null || bell !== null || isList();
    if (!hasParts()) {
        return;
    }

    const state = document.getElementById("live-state");
    const log = document.getElementById("application-log");
    const title = document.title;
    let etag = root?.dataset.liveEtag ?? null;
    let waiting = badge ? Number(badge.dataset.waiting) : 0;
    let unread = bell ? Number(bell.dataset.unread) : 0;
    let countsAt = performance.now(); // the page was drawn with them
    let failures = 0;
    let changedAt = performance.now();
    let timer = null;
    let asking = false;
    let over = false;

    const say = (text) => {
        if (state && state.textContent !== text) {
            state.textContent = text;
        }
    };

    // --- How soon to ask again -------------------------------------------------------------

    const usual = () => {
        const quiet = performance.now() - changedAt;
        if (isLive()) {
            if (document.hidden) {
                return 15 * SECOND;
            }
            return quiet > 600 * SECOND ? 10 * SECOND : quiet > 60 * SECOND ? 3 * SECOND : SECOND;
        }
        return document.hidden || quiet > 600 * SECOND ? 60 * SECOND : COUNTS_EVERY;
    };

    const schedule = () => {
        const longest = isLive() ? LIVE_LONGEST : LONGEST;
        const wait = failures ? Math.min(usual() * 2 ** failures, longest) : usual();
        clearTimeout(timer);
        timer = setTimeout(poll, wait);
    };

    // --- Regions -----------------------------------------------------------------------------

    // A form's token is another one in each answer; the one that is shown is as good.
    const html = (region) => region.innerHTML.replace(/(csrfmiddlewaretoken" value=")[^"]*/g, "$1");

    const isTypedInto = (region) =>
        [...region.querySelectorAll("input:not([type=hidden]), textarea")].some(
            (field) =>
                field === document.activeElement ||
                field.value !== field.defaultValue ||
                field.checked !== field.defaultChecked,
        );

    const replace = (old, fresh) => {
        if (html(old) === html(fresh)) {
            return true;
        }
        if (isTypedInto(old)) {
            return false;
        }
        const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
        const open = [...old.querySelectorAll("details[open][id]")].map((found) => found.id);
        old.replaceChildren(...fresh.childNodes);
        for (const id of open) {
            document.getElementById(id)?.setAttribute("open", "");
        }
        if (focused) {
            const again = document.getElementById(focused) ?? old.querySelector("a, button, summary");
            again?.focus({ preventScroll: true });
        }
        return true;
    };

    const grow = (fresh) => {
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

    /* Shows what was sent; false where it is something else, such as a page that asks to log in. */
    const show = (text, tag) => {
        const page = new DOMParser().parseFromString(text, "text/html");
        const fresh = page.getElementById(root.id);
        if (!fresh) {
            return false;
        }
        let isWhole = true;
        for (const region of root.querySelectorAll("[data-region]")) {
            const other = page.getElementById(region.id);
            if (other) {
                isWhole = replace(region, other) && isWhole;
            }
        }
        if (log) {
            grow(page.getElementById("application-log"));
        }
        root.dataset.live = fresh.dataset.live;
        etag = isWhole ? tag : null; // what was left is sent again
        return true;
    };

    // --- Badge and list ----------------------------------------------------------------------

    const offer = () => {
        if (list && !list.firstChild) {
            const link = document.createElement("a");
            link.href = location.href;
            link.textContent = "Show it";
            const notice = document.createElement("p");
            notice.className = "notice";
            notice.append("Something on this page changed since it was read. ", link);
            list.append(notice);
        }
    };

    const showBadge = (found) => {
        waiting = found.waiting;
        document.getElementById("open-tasks-figure").textContent = found.shown;
        document.getElementById("open-tasks-sentence").textContent = found.sentence;
        badge.classList.toggle("open-tasks-none", waiting === 0);
        nameTab(found.shown);
        if (list && "withBadge" in list.dataset) {
            offer();
        }
    };

    const showBell = (found) => {
        unread = found.unread;
        const figure = document.getElementById("bell-figure");
        figure.textContent = found.shown;
        figure.hidden = unread === 0;
        document.getElementById("bell-sentence").textContent = found.sentence;
        bell.title = found.sentence;
        bell.classList.toggle("bell-none", unread === 0);
    };

    const nameTab = (shown) => {
        document.title = waiting === 0 ? title : `(${shown}) ${title}`;
    };

    // --- The poll ----------------------------------------------------------------------------

    const url = () => {
        if (isLive()) {
            return root.dataset.liveUrl;
        }
        return isList() ? location.pathname + location.search : (badge ?? bell).dataset.url;
    };

    const headers = () => {
        const asks = { "X-Requested-With": "fetch" };
        if (isLive() && etag) {
            asks["If-None-Match"] = etag;
        }
        if (!isLive() && isList()) {
            asks["List-Shown"] = list.dataset.listShown;
        } else if (!isLive()) {
            asks["If-None-Match"] = `"${waiting}"`;
        }
        if (performance.now() - countsAt >= COUNTS_EVERY - SECOND) {
            if (badge) {
                asks["Badge-Shown"] = String(waiting);
            }
            if (bell) {
                asks["Bell-Shown"] = String(unread);
            }
        }
        return asks;
    };

    const end = (text) => {
        over = true;
        say(text);
    };

    const take = async (answer, asked) => {
        let isNew = false;
        if ("Badge-Shown" in asked || "Bell-Shown" in asked) {
            countsAt = performance.now();
        }
        if (answer.headers.has("Bell")) {
            showBell(JSON.parse(answer.headers.get("Bell")));
            isNew = true;
        }
        if (answer.headers.has("Badge")) {
            showBadge(JSON.parse(answer.headers.get("Badge")));
            isNew = true;
        }
        if (answer.headers.has("List-Changed")) {
            offer();
            delete list.dataset.listShown; // it is known: it is not asked again
        }
        if (answer.status === 200 && isLive()) {
            if (!show(await answer.text(), answer.headers.get("ETag"))) {
                end("You are logged out. Reload this page to go on.");
            }
            isNew = true;
        }
        if (isNew) {
            changedAt = performance.now();
        }
    };

    const poll = async () => {
        if (asking || over || !hasParts()) {
            return;
        }
        asking = true;
        const asked = headers();
        try {
            const answer = await fetch(url(), {
                headers: asked,
                cache: "no-store",
                credentials: "same-origin",
                redirect: "manual",
                signal: AbortSignal.timeout(10000),
            });
            if (answer.type === "opaqueredirect") {
                end("You are logged out. Reload this page to go on.");
            } else if (answer.status === 403 || answer.status === 404) {
                end("This can no longer be shown to you.");
            } else if (answer.ok || answer.status === 304) {
                await take(answer, asked);
                failures = 0;
                if (!over) {
                    say("");
                }
            } else {
                throw new Error(`HTTP ${answer.status}`);
            }
        } catch {
            failures += 1;
            say("The connection is interrupted. Trying again.");
        } finally {
            asking = false;
        }
        if (!over && hasParts()) {
            schedule();
        }
    };

    document.addEventListener("visibilitychange", () => {
        if (!document.hidden && timer !== null) {
            clearTimeout(timer);
            countsAt = -Infinity; // it may have been away for hours
            poll();
        }
    });
    if (log) {
        log.scrollTop = log.scrollHeight;
    }
    if (badge) {
        nameTab(document.getElementById("open-tasks-figure").textContent);
    }
    schedule();
})();
