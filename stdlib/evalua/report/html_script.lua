-- The script of the HTML report: tables of items that are drawn as they are scrolled to, with filter, sort and detail.
--
-- Everything that came from outside is set as textContent, never as markup. Rows are arrays, as html.lua writes them.

return [==[
(function () {
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const PAGE = 100, DIFF_WORDS = 3000;

function make(name, attributes, text) {
  const node = document.createElement(name);
  for (const key in attributes || {}) node.setAttribute(key, attributes[key]);
  if (text !== undefined && text !== null) node.textContent = text;
  return node;
}

function number(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  return Math.abs(value) >= 1000 ? value.toFixed(1) : Math.abs(value) >= 0.01 ? value.toFixed(2) : value.toPrecision(2);
}

function time(value) {
  if (value === null || value === undefined) return "";
  if (value < 1) return Math.round(value * 1000) + " us";
  if (value < 1000) return (value < 10 ? value.toFixed(1) : Math.round(value)) + " ms";
  return (value / 1000).toFixed(1) + " s";
}

function oneLine(value) { return value ? value.slice(0, 300).replace(/\n/g, " \u23ce ") : ""; }

// Words that differ: common ends first, then the longest common subsequence of what is between.
function diff(before, after, into) {
  const a = before.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) || [];
  const b = after.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) || [];
  let start = 0, endA = a.length, endB = b.length;
  while (start < endA && start < endB && a[start] === b[start]) start++;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) { endA--; endB--; }
  function put(name, words) {
    if (words.length) into.append(name ? make(name, {}, words.join("")) : words.join(""));
  }
  put(null, a.slice(0, start));
  const x = a.slice(start, endA), y = b.slice(start, endB);
  if (x.length * y.length > DIFF_WORDS * DIFF_WORDS / 4) {
    put("del", x); put("ins", y);
  } else {
    const width = y.length + 1, length = new Uint32Array((x.length + 1) * width);
    for (let i = x.length - 1; i >= 0; i--) for (let j = y.length - 1; j >= 0; j--) {
      length[i * width + j] = x[i] === y[j] ? length[(i + 1) * width + j + 1] + 1
        : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
    }
    let i = 0, j = 0, kind = null, run = [];
    const add = (name, word) => { if (name !== kind) { put(kind, run); run = []; kind = name; } run.push(word); };
    while (i < x.length || j < y.length) {
      if (i < x.length && j < y.length && x[i] === y[j]) { add(null, x[i]); i++; j++; }
      else if (j >= y.length || (i < x.length && length[(i + 1) * width + j] >= length[i * width + j + 1])) {
        add("del", x[i]); i++;
      } else { add("ins", y[j]); j++; }
    }
    put(kind, run);
  }
  put(null, a.slice(endA));
}

function entry(list, name, value) {
  if (value === null || value === undefined || value === "") return null;
  list.append(make("dt", {}, name));
  const cell = make("dd"), text = make("pre", {}, typeof value === "string" ? value : "");
  cell.append(text); list.append(cell);
  return text;
}

// A run's row: 0 item, 1 status, 2 passed, 3 latency, 4 scores, 5 input, 6 ground truth, 7 output, 8 problem, 9 notes,
// 10 how many of its trials passed, 11 trials: [status, passed, latency, scores, output, problem].
function runColumns(set) {
  const columns = [
    { title: "item", kind: "item", value: r => r[0] },
    { title: "status", kind: "status", value: r => r[1] === "ok" ? (r[2] === 0 ? "not passed" : "ok") : r[1],
      tone: r => r[1] !== "ok" ? "bad" : r[2] === 0 ? "warn" : "" },
  ];
  if (set.rows.some(r => r[10] !== null)) {
    columns.push({ title: "passed", kind: "status", value: r => r[10] });
  }
  set.scorers.forEach((name, index) => columns.push({ title: name, kind: "score number" + (index > 0 ? " wide" : ""),
    value: r => r[4][index], show: r => number(r[4][index]) }));
  columns.push({ title: "latency", kind: "time number wide", value: r => r[3], show: r => time(r[3]) });
  columns.push({ title: "input", kind: "text wide", value: r => r[5], show: r => oneLine(r[5]) });
  if (set.rows.some(r => r[6] !== null)) {
    columns.push({ title: "ground truth", kind: "text wide", value: r => r[6], show: r => oneLine(r[6]) });
  }
  columns.push({ title: "output", kind: "text", value: r => r[8] && r[1] !== "ok" ? r[8] : r[7],
    show: r => oneLine(r[8] && r[1] !== "ok" ? r[8] : r[7]) });
  return columns;
}

function runDetail(set, r, list) {
  entry(list, "item", r[0]); entry(list, "problem", r[8]);
  set.scorers.forEach((name, index) => {
    const note = r[9] && r[9][index];
    if (r[4][index] !== null || note) entry(list, name, number(r[4][index]) + (note ? "  " + note : ""));
  });
  entry(list, "input", r[5]); entry(list, "ground truth", r[6]);
  if (!r[11]) { entry(list, "output", r[7]); entry(list, "latency", time(r[3])); return; }
  r[11].forEach((trial, index) => {
    const state = trial[0] !== "ok" ? trial[0] : trial[1] === 0 ? "not passed" : trial[1] === 1 ? "passed" : "ok";
    const scores = set.scorers.map((name, at) => trial[3][at] === null ? "" : name + " " + number(trial[3][at]));
    entry(list, "trial " + (index + 1), [state].concat(scores.filter(Boolean), time(trial[2])).join(", ") + "\n"
      + (trial[0] !== "ok" ? trial[5] || "" : trial[4] === null ? "" : trial[4]));
  });
}

// A pair's row: 0 item, 1 status before, 2 status now, 3 scores before, 4 scores now, 5 input, 6 ground truth,
// 7 output before, 8 output now, 9 change, 10 problem before, 11 problem now, 12 and 13 how many trials passed.
const CHANGES = ["", "fails now", "regressed", "better and worse", "improved", "runs again", "other output", "same",
  "item changed"];
const TONES = ["", "bad", "bad", "warn", "good", "good", "", "", "warn"];

// How far the scores of a pair fell, the greatest fall; negative where all rose.
function fall(set, r) {
  let most = -Infinity;
  set.higher.forEach((higher, index) => {
    const from = r[3][index], to = r[4][index];
    if (typeof from === "number" && typeof to === "number") most = Math.max(most, higher ? from - to : to - from);
  });
  return most;
}

function pairColumns(set) {
  const columns = [
    { title: "item", kind: "item", value: r => r[0] },
    { title: "change", kind: "change", show: r => CHANGES[r[9]],
      value: r => r[9] * 1e6 - Math.max(-1e5, Math.min(1e5, fall(set, r))), tone: r => TONES[r[9]] },
  ];
  set.scorers.forEach((name, index) => columns.push({ title: name, kind: "pair number" + (index > 0 ? " wide" : ""),
    value: r => typeof r[3][index] !== "number" || typeof r[4][index] !== "number" ? null : r[4][index] - r[3][index],
    show: r => r[3][index] === r[4][index] ? number(r[4][index])
      : (number(r[3][index]) || "-") + " \u2192 " + (number(r[4][index]) || "-") }));
  columns.push({ title: "input", kind: "text wide", value: r => r[5], show: r => oneLine(r[5]) });
  if (set.rows.some(r => r[7] !== null)) {
    columns.push({ title: "before", kind: "text wide", value: r => r[7], show: r => oneLine(r[7] || r[10]) });
  }
  columns.push({ title: "now", kind: "text", value: r => r[8], show: r => oneLine(r[11] || r[8]) });
  return columns;
}

function pairDetail(set, r, list) {
  entry(list, "item", r[0]);
  set.scorers.forEach((name, index) => entry(list, name,
    (number(r[3][index]) || "-") + " \u2192 " + (number(r[4][index]) || "-")));
  entry(list, "status", r[1] === r[2] ? r[2] : r[1] + " \u2192 " + r[2]);
  if (r[12] || r[13]) entry(list, "trials passed", (r[12] || "-") + " \u2192 " + (r[13] || "-"));
  entry(list, "problem before", r[10]); entry(list, "problem now", r[11]);
  entry(list, "input", r[5]); entry(list, "ground truth", r[6]);
  if (r[7] === null || r[8] === null || r[7] === r[8]) {
    if (r[7] !== r[8]) entry(list, "output before", r[7]);
    entry(list, r[7] === null || r[7] === r[8] ? "output" : "output now", r[8]);
    return;
  }
  const text = entry(list, "difference", " ");
  text.textContent = "";
  diff(r[7], r[8], text);
  entry(list, "before", r[7]); entry(list, "now", r[8]);
}

function items(place, set, columns, detail, choices, chosen, sortedBy) {
  let shown = [], drawn = 0, sortColumn = sortedBy, down = false;
  const tools = make("div", { class: "tools" });
  const search = make("input", { type: "search", placeholder: "filter: words of an item", "aria-label": "filter" });
  const choice = make("select", { "aria-label": "which items" });
  choices.forEach((c, index) => choice.append(make("option", { value: index }, c.title)));
  choice.value = chosen;
  const count = make("span", { class: "soft", role: "status" });
  tools.append(search, choice, count);
  const left = set.total - set.rows.length;
  const table = make("table", { class: "items" }), group = make("colgroup"), head = make("tr"), body = make("tbody");
  columns.forEach(column => {
    group.append(make("col", { class: column.kind }));
    const cell = make("th", { class: column.kind, scope: "col" });
    const button = make("button", { type: "button", title: "sort by " + column.title }, column.title);
    if (column === sortColumn) cell.setAttribute("aria-sort", "ascending");
    button.addEventListener("click", () => {
      down = sortColumn === column && !down;
      sortColumn = column;
      head.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
      cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      refresh();
    });
    cell.append(button); head.append(cell);
  });
  const top = make("thead"); top.append(head); table.append(group, top, body);
  const end = make("div", { class: "end" }), box = make("div", { class: "box" });
  box.append(table, end);
  place.append(tools, box);

  function toggle(line, r) {
    const open = line.nextSibling && line.nextSibling.className === "detail";
    line.setAttribute("aria-expanded", open ? "false" : "true");
    if (open) { line.nextSibling.remove(); return; }
    const width = Array.from(line.children).filter(cell => cell.offsetWidth > 0).length; // narrow pages hide some
    const more = make("tr", { class: "detail" }), cell = make("td", { colspan: width }), list = make("dl");
    detail(set, r, list);
    cell.append(list); more.append(cell); line.after(more);
  }
  function draw() {
    const part = document.createDocumentFragment(), stop = Math.min(shown.length, drawn + PAGE);
    for (; drawn < stop; drawn++) {
      const r = set.rows[shown[drawn]], line = make("tr", { class: "row", tabindex: "0", "aria-expanded": "false" });
      for (const column of columns) {
        const text = column.show ? column.show(r) : column.value(r);
        const tone = column.tone ? column.tone(r) : "";
        line.append(make("td", { class: column.kind + (tone ? " " + tone : "") }, text));
      }
      line.addEventListener("click", () => { if (!String(getSelection())) toggle(line, r); });
      line.addEventListener("keydown", event => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); toggle(line, r); }
      });
      part.append(line);
    }
    body.append(part);
  }
  function compare(a, b) {
    const x = sortColumn.value(set.rows[a]), y = sortColumn.value(set.rows[b]);
    const noX = x === null || x === undefined || x === "", noY = y === null || y === undefined || y === "";
    if (noX || noY) return noX && noY ? a - b : noX ? 1 : -1;
    if (typeof x !== typeof y) return typeof x < typeof y ? -1 : 1;
    const order = x < y ? -1 : x > y ? 1 : 0;
    return order === 0 ? a - b : down ? -order : order;
  }
  const folded = new Array(set.rows.length);
  function matches(index, words) {
    let text = folded[index];
    if (text === undefined) {
      text = set.rows[index].filter(v => typeof v === "string").join("\n").toLowerCase();
      folded[index] = text;
    }
    return words.every(word => text.includes(word));
  }
  function refresh() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean), wanted = choices[choice.value].test;
    shown = [];
    for (let index = 0; index < set.rows.length; index++) {
      if (wanted(set.rows[index]) && (words.length === 0 || matches(index, words))) shown.push(index);
    }
    if (sortColumn) shown.sort(compare);
    count.textContent = (shown.length === set.rows.length ? "" : shown.length + " of ") + set.rows.length + " items"
      + (left > 0 ? "; " + left + " of " + set.total + " are not in this page: those that matter least" : "");
    body.textContent = ""; drawn = 0; box.scrollTop = 0;
    draw();
  }
  let timer = null;
  search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(refresh, 120); });
  choice.addEventListener("change", refresh);
  new IntersectionObserver(entries => {
    if (entries[0].isIntersecting && drawn < shown.length) draw();
  }, { root: box, rootMargin: "800px" }).observe(end);
  refresh();
}

const all = { title: "all items", test: () => true };
data.runs.forEach((set, index) => items(document.getElementById("run-" + index), set, runColumns(set), runDetail, [all,
  { title: "failed or not passed", test: r => (r[1] !== "ok" && r[1] !== "skipped") || r[2] === 0 },
  { title: "failed", test: r => r[1] !== "ok" && r[1] !== "skipped" },
  { title: "passed", test: r => r[2] === 1 }], 0, null));
data.pairs.forEach((set, index) => {
  const choices = [all, { title: "worse", test: r => r[9] <= 3 },
    { title: "better", test: r => r[9] >= 3 && r[9] <= 5 }, { title: "changed scores", test: r => r[9] <= 5 },
    { title: "changed outputs", test: r => r[7] !== r[8] }, { title: "changed items", test: r => r[9] === 8 }];
  const columns = pairColumns(set);
  items(document.getElementById("pair-" + index), set, columns, pairDetail, choices,
    set.rows.some(choices[1].test) ? 1 : set.rows.some(choices[3].test) ? 3 : 0, columns[1]);
});
})();
]==]
