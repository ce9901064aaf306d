/* Keys of a list, for whoever works through it: j and k go to the next and the previous row, a, d and s
   follow that row's links to approve, to decline and to send back, ? shows the keys. The key / is that
   of the header's search, on every page.

   The focus itself moves, to the first link of the row: Enter opens it, and a screen reader reads
   it. Nothing is sent by a key. Keys do nothing in a field, with Ctrl, Alt or Meta, or while a
   dialog is open; each person can switch them off in the dialog (WCAG 2.1.4), which this browser
   remembers. */
"use strict";

(() => {
    const list = document.getElementById("result_list");
    const dialog = document.getElementById("list-keys");
    if (!dialog) {
        return;
    }
    const KEPT = "list-keys";
    const open = document.getElementById("list-keys-open");
    const onOff = document.getElementById("list-keys-on");
    const search = document.getElementById("header-search-term");

    const firstLinks = () => [...(list?.querySelectorAll("tbody th a") ?? [])];
    const rowOf = (element) => element?.closest("#result_list tbody tr");

    const move = (by) => {
        const links = firstLinks();
        const row = rowOf(document.activeElement);
        const at = links.findIndex((link) => rowOf(link) === row);
        const next = at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1);
        links[next]?.focus();
        rowOf(links[next])?.scrollIntoView({ block: "nearest" });
    };

    const follow = (key) => rowOf(document.activeElement)?.querySelector(`[data-key="${key}"]`)?.click();

    const show = () => {
        onOff.checked = localStorage.getItem(KEPT) !== "off";
        dialog.showModal();
    };

    const ACTIONS = {
        j: () => move(1),
        k: () => move(-1),
        a: () => follow("a"),
        d: () => follow("d"),
        s: () => follow("s"),
        "?": show,
    };

    const isField = (element) =>
        element.isContentEditable || element.matches("textarea, select, input:not([type=checkbox])");

    document.addEventListener("keydown", (event) => {
        const action = ACTIONS[event.key];
        const other = event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented;
        if (!action || other || dialog.open || isField(event.target)) {
            return;
        }
        if (event.key !== "?" && localStorage.getItem(KEPT) === "off") {
            return;
        }
        event.preventDefault();
        action();
    });

    onOff.addEventListener("change", () => localStorage.setItem(KEPT, onOff.checked ? "on" : "off"));
    document.getElementById("list-keys-search").hidden = !search;
    open.hidden = false;
    open.addEventListener("click", show);
})();
