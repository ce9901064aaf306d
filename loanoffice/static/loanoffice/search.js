/* Suggests applications while somebody types into the search in the header.

   Asks a moment after the last key and shows the answer to the newest question only. Up and Down
   choose, Enter opens what is chosen or sends the form, Escape closes; "/" goes to the field from
   anywhere else. Without an answer the form still works. */
"use strict";

(() => {
    const form = document.getElementById("header-search-form");
    if (!form) {
        return;
    }
    const PAUSE = 150; // milliseconds without a key
    const SHORTEST = 2;

    const field = document.getElementById("header-search-term");
    const list = document.getElementById("header-search-list");
    const state = document.getElementById("header-search-state");
    let timer = null;
    let asked = null;
    let chosen = -1;

    field.setAttribute("role", "combobox");
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", list.id);
    field.setAttribute("aria-expanded", "false");

    const options = () => [...list.querySelectorAll("[role=option]")];

    const close = () => {
        list.hidden = true;
        chosen = -1;
        field.setAttribute("aria-expanded", "false");
        field.removeAttribute("aria-activedescendant");
    };

    const choose = (number) => {
        const all = options();
        chosen = all.length ? (number + all.length) % all.length : -1;
        all.forEach((option, at) => option.setAttribute("aria-selected", String(at === chosen)));
        if (chosen >= 0) {
            field.setAttribute("aria-activedescendant", all[chosen].id);
            all[chosen].scrollIntoView({ block: "nearest" });
        }
    };

    const part = (text, name) => {
        const span = document.createElement("span");
        span.className = name;
        span.textContent = text;
        return span;
    };

    const show = ({ found, more }) => {
        list.replaceChildren(
            ...found.map((one, number) => {
                const option = document.createElement("a");
                option.id = `header-search-option-${number}`;
                option.href = one.url;
                option.tabIndex = -1;
                option.setAttribute("role", "option");
                option.setAttribute("aria-selected", "false");
                option.append(
                    part(one.name, "header-search-name"),
                    part(one.reference, "header-search-reference"),
                    part(`${one.amount}, ${one.status}`, "header-search-facts"),
                );
                return option;
            }),
        );
        chosen = -1;
        list.hidden = found.length === 0;
        field.setAttribute("aria-expanded", String(found.length > 0));
        field.removeAttribute("aria-activedescendant");
        state.textContent = found.length
            ? `${found.length}${more ? " and more" : ""} found. Choose with Up and Down.`
            : "Nothing found by reference or name.";
    };

    const ask = async () => {
        asked?.abort();
        if (field.value.trim().length < SHORTEST) {
            close();
            return;
        }
        const question = new AbortController();
        asked = question;
        try {
            const answer = await fetch(form.dataset.suggestions, {
                method: "POST",
                body: new FormData(form),
                credentials: "same-origin",
                redirect: "manual",
                signal: AbortSignal.any([question.signal, AbortSignal.timeout(5000)]),
            });
            if (answer.ok && asked === question) {
                show(await answer.json());
            }
        } catch {
            if (asked === question) {
                close(); // the form can still be sent
            }
        }
    };

    field.addEventListener("input", () => {
        clearTimeout(timer);
        timer = setTimeout(ask, PAUSE);
    });
    field.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && !list.hidden) {
            event.preventDefault();
            close();
        } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !list.hidden) {
            event.preventDefault();
            const last = chosen < 0 && event.key === "ArrowUp" ? 0 : chosen;
            choose(event.key === "ArrowDown" ? chosen + 1 : last - 1);
        } else if (event.key === "Enter" && chosen >= 0 && !list.hidden) {
            event.preventDefault();
            options()[chosen].click();
        }
    });
    form.addEventListener("submit", () => {
        clearTimeout(timer);
        asked?.abort();
        close();
    });
    form.addEventListener("focusout", (event) => {
        if (!form.contains(event.relatedTarget)) {
            close();
        }
    });
    // A press on an option must not take the focus away before it opens.
    list.addEventListener("mousedown", (event) => event.preventDefault());
    document.addEventListener("keydown", (event) => {
        const typing = event.target.closest("input, textarea, select, [contenteditable]");
        const held = event.ctrlKey || event.metaKey || event.altKey;
        if (event.key === "/" && !typing && !held && !event.defaultPrevented) {
            event.preventDefault();
            field.focus();
            field.select();
        }
    });
})();
