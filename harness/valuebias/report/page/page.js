"use strict";
(() => {
  const root = document.documentElement;
  const wantsDark = matchMedia("(prefers-color-scheme: dark)");
  const theme = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : wantsDark.matches);
  const tell = () => theme.setAttribute("aria-pressed", String(isDark()));
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    tell();
  });
  wantsDark.addEventListener("change", tell);
  tell();
  theme.hidden = false;

  // A link to a verdict opens what it lies in, and takes the keyboard there.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let at = target.parentElement; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") at.open = true;
    }
    target.scrollIntoView();
    if (target.tabIndex === -1 && target.hasAttribute("tabindex")) target.focus({ preventScroll: true });
  };
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();

  // A printed page has nothing to click: everything is open on it.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });
  const wide = matchMedia("(min-width: 80rem)");
  const fold = () => { document.querySelector("#contents details").open = wide.matches; };
  wide.addEventListener("change", fold);
  fold();

  for (const controls of document.querySelectorAll(".controls")) {
    const groups = controls.parentElement.querySelectorAll("details.group");
    const set = (open) => () => groups.forEach((group) => { group.open = open; });
    controls.querySelector(".open-all").addEventListener("click", set(true));
    controls.querySelector(".close-all").addEventListener("click", set(false));
    controls.hidden = false;
  }

  const FIRST = 100;
  const NUMBER = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const COUNT = new Intl.NumberFormat("en");
  const rank = (value) => (value === null ? "" : NUMBER.format(value));
  const change = (value) => (value === null ? "" : (value < 0 ? "-" : "+") + NUMBER.format(Math.abs(value)));
  const minus = (a, b) => (a === null || b === null ? null : a - b);

  // [key, heading, how it is shown, sorts downwards first]
  const TEXTS = [["word", "Word"], ["family", "Family"], ["category", "Category"]];
  const ONE = [
    ["positive", "Rank, positive", rank, false],
    ["negative", "Rank, negative", rank, false],
    ["difference", "Negative − positive", change, true],
  ];
  const ALL = [
    ["positive", "Mean rank, positive", rank, false],
    ["negative", "Mean rank, negative", rank, false],
    ["difference", "Negative − positive", change, true],
    ["spread", "Spread over models, positive", rank, true],
    ["spreadNegative", "Spread over models, negative", rank, true],
  ];

  const over = (columns, valence, at) => columns.map((c) => c[valence][at]).filter((x) => x !== null);
  const mean = (values) => (values.length ? values.reduce((a, b) => a + b, 0) / values.length : null);
  const spread = (values) => (values.length > 1 ? Math.max(...values) - Math.min(...values) : null);

  for (const part of document.querySelectorAll(".words")) {
    const data = JSON.parse(part.querySelector(".words-data").textContent);
    const find = (name) => part.querySelector(name);
    const [model, category, text] = [".words-model", ".words-category", ".words-text"].map(find);
    const [table, count, more] = [".words-table", ".words-count", ".words-all"].map(find);
    const head = table.tHead.rows[0];
    const body = table.tBodies[0];
    let rows = [];
    let columns = [];
    let order = { key: "positive", down: false };
    let everything = false;

    const measure = () => {
      const one = model.value === "all" ? null : data.columns[Number(model.value)];
      columns = [...TEXTS, ...(one ? ONE : ALL)];
      if (!columns.some(([key]) => key === order.key)) order = { key: "positive", down: false };
      rows = data.rows.map((row, at) => {
        const positive = one ? one.positive[at] : mean(over(data.columns, "positive", at));
        const negative = one ? one.negative[at] : mean(over(data.columns, "negative", at));
        return {
          word: row.word, family: row.family, categories: row.categories,
          category: row.categories.join(", "), positive, negative,
          difference: minus(negative, positive),
          spread: one ? null : spread(over(data.columns, "positive", at)),
          spreadNegative: one ? null : spread(over(data.columns, "negative", at)),
          search: [row.word, row.family].join("\n").toLowerCase(),
        };
      });
    };

    const compare = (a, b) => {
      const [x, y] = [a[order.key], b[order.key]];
      if (x === null || y === null) return (x === null) - (y === null); // the unknown come last
      const found = x < y ? -1 : x > y ? 1 : 0;
      return (order.down ? -found : found) || (a.word < b.word ? -1 : a.word > b.word ? 1 : 0);
    };

    const heading = ([key, label, , down]) => {
      const cell = document.createElement("th");
      cell.scope = "col";
      if (!TEXTS.some(([name]) => name === key)) cell.className = "n";
      cell.dataset.key = key;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.addEventListener("click", () => {
        order = { key, down: order.key === key ? !order.down : Boolean(down) };
        show();
      });
      cell.append(button);
      return cell;
    };

    const line = (row) => {
      const line = document.createElement("tr");
      line.dataset.word = row.word;
      for (const [key, , shown] of columns) {
        const cell = document.createElement(key === "word" ? "th" : "td");
        if (key === "word") cell.scope = "row";
        if (shown) {
          cell.className = "n";
          cell.dataset[key] = row[key] === null ? "" : String(row[key]);
          cell.textContent = shown(row[key]);
        } else {
          const isolated = document.createElement("bdi");
          isolated.textContent = row[key];
          cell.append(isolated);
        }
        line.append(cell);
      }
      return line;
    };

    const show = () => {
      const wanted = text.value.trim().toLowerCase();
      const found = rows
        .filter((row) => !category.value || row.categories.includes(category.value))
        .filter((row) => row.search.includes(wanted))
        .sort(compare);
      const shown = everything ? found : found.slice(0, FIRST);
      for (const cell of head.cells) {
        if (cell.dataset.key === order.key) cell.setAttribute("aria-sort", order.down ? "descending" : "ascending");
        else cell.removeAttribute("aria-sort");
      }
      body.replaceChildren(...shown.map(line));
      more.hidden = shown.length === found.length;
      more.textContent = `Show all ${COUNT.format(found.length)}`;
      count.textContent = found.length === 0 ? "No word matches."
        : `Showing ${COUNT.format(shown.length)} of ${COUNT.format(found.length)} words`
          + (found.length < rows.length ? ` (${COUNT.format(rows.length)} in all)` : "") + ".";
    };

    const begin = () => {
      measure();
      head.replaceChildren(...columns.map(heading));
      show();
    };
    model.addEventListener("change", begin);
    category.addEventListener("change", show);
    text.addEventListener("input", show);
    more.addEventListener("click", () => {
      const next = body.rows.length;
      everything = true;
      show();
      const cell = body.rows[next] && body.rows[next].cells[0];
      if (cell) { // the button is gone: the keyboard goes on where the new rows begin
        cell.tabIndex = -1;
        cell.focus({ preventScroll: true });
      }
    });
    find(".filters").hidden = false;
    table.parentElement.hidden = false;
    begin();
  }
})();
