/* Counts the ticked rows of a form and adds up their amounts by currency, on its button and beside it.

   The boxes "All of these" tick a group. Without this script the button says "the ticked
   applications", and the server decides those all the same. */
"use strict";

(() => {
    const button = document.querySelector("button[data-verb]");
    const sum = document.getElementById("ticked-sum");
    if (!button || !sum) {
        return;
    }
    const boxes = [...document.querySelectorAll("input[name=row][data-amount]")];
    const groups = [...document.querySelectorAll("input[data-tick-all]")];

    const grouped = (digits) => digits.replace(/\B(?=(\d{3})+$)/g, ",");

    const money = (cents) => {
        const digits = cents.toString().padStart(3, "0");
        return `${grouped(digits.slice(0, -2))}.${digits.slice(-2)}`;
    };

    const show = () => {
        const ticked = boxes.filter((box) => box.checked);
        const sums = new Map();
        for (const { dataset } of ticked) {
            const cents = BigInt(dataset.amount.replace(".", ""));
            sums.set(dataset.currency, (sums.get(dataset.currency) ?? 0n) + cents);
        }
        const count = grouped(String(ticked.length));
        button.textContent = `${button.dataset.verb} ${count} application${ticked.length === 1 ? "" : "s"}`;
        button.disabled = ticked.length === 0;
        const amounts = [...sums].sort().map(([currency, cents]) => `${money(cents)} ${currency}`);
        sum.textContent = `${count} ticked${amounts.length ? `: ${amounts.join(", ")}` : ""}`;
        for (const all of groups) {
            const own = boxes.filter((box) => box.closest(`#${all.dataset.tickAll}`));
            const number = own.filter((box) => box.checked).length;
            all.checked = number === own.length;
            all.indeterminate = number > 0 && number < own.length;
        }
    };

    for (const all of groups) {
        all.closest("[hidden]").hidden = false;
        all.addEventListener("change", () => {
            for (const box of boxes.filter((one) => one.closest(`#${all.dataset.tickAll}`))) {
                box.checked = all.checked;
            }
            show();
        });
    }
    document.addEventListener("change", (event) => event.target.matches("input[name=row]") && show());
    window.addEventListener("pageshow", show); // Back may have kept other ticks
    show();
})();
