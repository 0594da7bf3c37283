"use strict";
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const one = (selector) => document.querySelector(selector);
  all(".needs-script").forEach((element) => { element.hidden = false; });

  // light and dark
  const theme = one("#theme");
  const remembered = () => { try { return localStorage.getItem("dedup-theme"); } catch { return null; } };
  const wantsDark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = remembered();
  const paint = () => {
    const dark = chosen ? chosen === "dark" : wantsDark.matches;
    if (chosen) document.documentElement.dataset.theme = chosen;
    theme.setAttribute("aria-pressed", String(dark));
  };
  theme.addEventListener("click", () => {
    chosen = theme.getAttribute("aria-pressed") === "true" ? "light" : "dark";
    try { localStorage.setItem("dedup-theme", chosen); } catch { /* a file may have no storage */ }
    paint();
  });
  wantsDark.addEventListener("change", paint);
  paint();

  // tables that sort by any column
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    const number = Number(text.replace(/,/g, ""));
    return cell.classList.contains("n") ? number : text;
  };
  all("table.sortable").forEach((table) => {
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const first = head.classList.contains("n") ? "descending" : "ascending";
        const second = first === "ascending" ? "descending" : "ascending";
        const order = head.getAttribute("aria-sort") === first ? second : first;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const rows = Array.from(table.tBodies[0].rows).map((row) => [valueOf(row, column), row]);
        rows.sort(([a], [b]) =>
          sign * (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true })));
        table.tBodies[0].append(...rows.map(([, row]) => row));
      });
    });
  });

  // the evidence: filters, and as many as one can look at
  const cards = all("#cards > .card");
  if (!cards.length) return;
  const STEP = 25;
  const [find, kind, low, high] = ["#find", "#kind", "#low", "#high"].map(one);
  const more = one("#more");
  const texts = new Map();
  const textOf = (card) => {
    if (!texts.has(card)) texts.set(card, card.textContent.toLowerCase());
    return texts.get(card);
  };
  const bound = (input, empty) => (input.value === "" || Number.isNaN(Number(input.value)) ? empty : Number(input.value));
  let limit = STEP;
  const show = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const from = bound(low, 0);
    const to = bound(high, 1);
    const narrowed = from > 0 || to < 1;
    let matching = 0;
    for (const card of cards) {
      const similarity = card.dataset.similarity;
      const fits = (!kind || !kind.value || card.dataset.kind === kind.value)
        && (similarity === undefined ? !narrowed : similarity >= from && similarity <= to)
        && words.every((word) => textOf(card).includes(word));
      matching += fits;
      card.hidden = !fits || matching > limit;
    }
    const shown = Math.min(matching, limit);
    one("#shown").textContent = `${shown} of ${matching} shown` + (matching < cards.length ? `, ${cards.length} in all` : "");
    more.hidden = matching <= limit;
  };
  const again = () => { limit = STEP; show(); };
  let waiting;
  find.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(again, 120); });
  [kind, low, high].filter(Boolean).forEach((input) => input.addEventListener("input", again));
  one("#filters").addEventListener("submit", (event) => event.preventDefault());
  one("#clear").addEventListener("click", () => {
    find.value = ""; if (kind) kind.value = ""; low.value = 0; high.value = 1; again(); find.focus();
  });
  more.addEventListener("click", () => {
    const next = cards.filter((card) => card.hidden);
    limit += STEP; show();
    const first = next.find((card) => !card.hidden);
    if (first) first.querySelector("summary").focus();
  });

  // a link to a card opens it, whatever the filters say
  const visit = () => {
    if (!/^#e\d+$/.test(location.hash)) return;
    const card = one(location.hash);
    if (!card) return;
    card.hidden = false; card.open = true; card.scrollIntoView(); card.querySelector("summary").focus();
  };
  addEventListener("hashchange", visit);
  show();
  if (location.hash) visit(); else if (cards[0]) cards[0].open = true;
})();
