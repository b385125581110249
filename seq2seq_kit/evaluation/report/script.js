
"use strict";
(() => {
  const data = (id) => JSON.parse(document.getElementById(id).textContent);

  /** An element with properties and children; texts are only ever text. */
  const make = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };

  // --- Attention: a grid, drawn when it is opened ----------------------------------------------------------------
  const attentions = data("attention-data");

  const drawAttention = (details) => {
    if (details.querySelector("table")) return;
    const map = attentions[details.dataset.key];
    const status = make("p", { className: "status muted", textContent: "Point at a cell, or move with the arrow keys." });
    status.setAttribute("aria-live", "polite");
    const heads = map.source.map((token) => make("th", { textContent: token, dir: "auto", scope: "col" }));
    const body = make("tbody");
    const cells = [];
    let marked = [];

    const show = (row, column) => {
      marked.forEach((head) => head.classList.remove("on"));
      marked = [heads[column], body.rows[row].cells[0]];
      marked.forEach((head) => head.classList.add("on"));
      status.textContent = cells[row][column].title;
    };
    const focus = (row, column) => {
      cells.flat().forEach((cell) => { cell.tabIndex = -1; });
      cells[row][column].tabIndex = 0;
      cells[row][column].focus();
    };

    map.target.forEach((target, row) => {
      const sure = map.probabilities[row];
      const head = make("th", { textContent: target, dir: "auto", scope: "row" });
      if (sure !== undefined) head.title = `${target}: probability ${sure}`;
      const line = make("tr", {}, head);
      cells.push(map.source.map((source, column) => {
        const place = 2 * (row * map.source.length + column);
        const percent = parseInt(map.weights.slice(place, place + 2), 36) / 10;
        const cell = make("td", { title: `${source} → ${target}: ${percent.toFixed(1)}%`, tabIndex: row + column ? -1 : 0 });
        cell.setAttribute("aria-label", cell.title);
        cell.style.backgroundColor = `rgba(var(--weight), ${(0.06 + 0.94 * percent / 100).toFixed(3)})`;
        cell.addEventListener("mouseenter", () => show(row, column));
        cell.addEventListener("focus", () => show(row, column));
        cell.addEventListener("click", () => focus(row, column));
        line.append(cell);
        return cell;
      }));
      body.append(line);
    });

    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    body.addEventListener("keydown", (event) => {
      const row = cells.findIndex((line) => line.includes(event.target));
      if (row < 0 || !(event.key in moves)) return;
      const column = cells[row].indexOf(event.target);
      const [down, right] = moves[event.key];
      const next = cells[row + down]?.[column + right];
      if (next) focus(row + down, column + right);
      event.preventDefault();
    });

    const table = make("table", { className: "heat", dir: "ltr" }, make("thead", {}, make("tr", {}, make("td"), ...heads)), body);
    details.append(status, make("div", { className: "wide" }, table));
    if (map.cut) details.append(make("p", { className: "muted", textContent: "Further tokens are not drawn." }));
  };

  document.querySelectorAll("details.attention").forEach((details) => {
    details.addEventListener("toggle", () => { if (details.open) drawAttention(details); });
  });

  // --- A link to an example opens all that is in it --------------------------------------------------------------
  const openLinked = () => {
    const article = document.getElementById(location.hash.slice(1));
    if (!article || article.tagName !== "ARTICLE") return;
    article.querySelectorAll("details").forEach((details) => { details.open = true; });
    article.querySelectorAll("details.attention").forEach(drawAttention);
    article.scrollIntoView();
  };
  addEventListener("hashchange", openLinked);

  // --- The table of all examples: search, sort, one page at a time -----------------------------------------------
  const { runs, metric, rows } = data("table-data");
  const PAGE = 50;
  const several = runs.length > 1;
  const columns = [
    { label: "number", of: (row) => row[0], figure: true },
    { label: "source", of: (row) => row[1] },
    { label: "reference", of: (row) => row[2] },
  ];
  runs.forEach((run, i) => {
    columns.push({ label: several ? run : "output", of: (row) => row[3 + i][0] });
    if (metric) columns.push({ label: metric, of: (row) => row[3 + i][1], figure: true });
    columns.push({ label: "score", of: (row) => row[3 + i][2], figure: true });
    if (several && metric && i) {
      columns.push({
        label: "difference",
        of: (row) => row[3 + i][1] === null || row[3][1] === null ? null : row[3 + i][1] - row[3][1],
        figure: true,
      });
    }
  });
  const view = { found: rows, page: 0, sorted: 0, falling: false };

  const haystack = rows.map(() => null);
  const textOf = (row) => {
    const place = row[0] - 1;
    haystack[place] ??= [row[1], row[2], ...row.slice(3).map((answer) => answer[0])].join("\n").toLowerCase();
    return haystack[place];
  };
  const collator = new Intl.Collator(undefined, { numeric: true });
  const compare = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    const order = typeof a === "string" ? collator.compare(a, b) : a - b;
    return view.falling ? -order : order;
  };

  const search = make("input", { type: "search", placeholder: "Search in all texts" });
  search.setAttribute("aria-label", "Search in all texts");
  const previous = make("button", { type: "button", textContent: "Previous" });
  const next = make("button", { type: "button", textContent: "Next" });
  const where = make("span", { className: "muted" });
  where.setAttribute("aria-live", "polite");
  const body = make("tbody");
  const heads = columns.map((column, i) => {
    const button = make("button", { type: "button", textContent: column.label });
    button.addEventListener("click", () => {
      view.falling = view.sorted === i ? !view.falling : false;
      view.sorted = i;
      arrange();
    });
    return make("th", { scope: "col", className: column.figure ? "figure" : "" }, button);
  });

  const draw = () => {
    const start = view.page * PAGE;
    const shown = view.found.slice(start, start + PAGE);
    body.replaceChildren(...shown.map((row) => make("tr", {}, ...columns.map((column, i) => {
      const value = column.of(row);
      const cell = make("td", { className: column.figure ? "figure" : "", dir: column.figure ? "" : "auto" });
      cell.dataset.label = column.label;
      if (i === 0 && document.getElementById(`example-${value}`)) {
        cell.append(make("a", { href: `#example-${value}`, textContent: value }));
      } else {
        cell.textContent = i === 0 || typeof value === "string" ? value : value === null ? "" : value.toFixed(2).replace("-", "−");
      }
      return cell;
    }))));
    const end = start + shown.length;
    where.textContent = view.found.length ? `${start + 1} to ${end} of ${view.found.length}` : "none found";
    previous.disabled = start === 0;
    next.disabled = end >= view.found.length;
    heads.forEach((head, i) => {
      head.setAttribute("aria-sort", i !== view.sorted ? "none" : view.falling ? "descending" : "ascending");
      head.firstChild.textContent = columns[i].label + (i !== view.sorted ? "" : view.falling ? " ▼" : " ▲");
    });
  };
  const arrange = () => {
    const wanted = search.value.trim().toLowerCase();
    const of = columns[view.sorted].of;
    view.found = rows.filter((row) => !wanted || textOf(row).includes(wanted)).sort((a, b) => compare(of(a), of(b)));
    view.page = 0;
    draw();
  };
  search.addEventListener("input", arrange);
  previous.addEventListener("click", () => { view.page -= 1; draw(); });
  next.addEventListener("click", () => { view.page += 1; draw(); });

  const table = make("table", { className: "examples" }, make("thead", {}, make("tr", {}, ...heads)), body);
  document.getElementById("table").append(
    make("div", { className: "tools" }, search, previous, next, where), make("div", { className: "wide" }, table));
  arrange();
  openLinked();
})();
