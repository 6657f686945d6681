-- The style sheet of the HTML report: light and dark, from 320 px up. It names no other file.

return [==[
:root { color-scheme: light dark; --ground: #ffffff; --panel: #f6f7f9; --line: #d9dde3; --ink: #1b1f26;
  --soft: #5b6472; --accent: #2456c9; --bar: #7d9bdc; --good: #16692d; --bad: #c0232f; --warn: #8a6100;
  --good-back: #dcf5e2; --bad-back: #fde3e4; --warn-back: #fdf0cf; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171c; --panel: #1c2027; --line: #343a45; --ink: #e4e7ec;
  --soft: #9aa4b2; --accent: #84a9ff; --bar: #5474b8; --good: #5fd07f; --bad: #ff8088; --warn: #e9bd57;
  --good-back: #173822; --bad-back: #45191d; --warn-back: #3d3011; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 20px 24px 60px; max-width: 1500px; background: var(--ground); color: var(--ink);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
h1 { font-size: 22px; line-height: 1.25; margin: 0 0 2px; overflow-wrap: anywhere; }
h2 { font-size: 18px; line-height: 1.3; margin: 36px 0 2px; padding-top: 14px; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; }
h1 + h2 { margin-top: 10px; padding-top: 0; border-top: 0; }
h3 { font-size: 14px; margin: 22px 0 6px; }
p { margin: 4px 0; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.badge { display: inline-block; padding: 1px 9px; border-radius: 10px; font-size: 13px; font-weight: 600;
  vertical-align: 2px; white-space: nowrap; background: var(--panel); color: var(--soft); }
.badge.good { background: var(--good-back); color: var(--good); }
.badge.bad { background: var(--bad-back); color: var(--bad); }
.badge.warn { background: var(--warn-back); color: var(--warn); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; font-size: 12.5px; color: var(--soft); white-space: nowrap; }
p + .scroll { margin-top: 10px; }
td.number, th.number { text-align: right; padding-right: 18px; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
tbody th { font-size: inherit; color: inherit; }
th.name { font-weight: 600; white-space: normal; overflow-wrap: anywhere; min-width: 110px; }
td.mean { min-width: 200px; }
td.plain { white-space: nowrap; }
.facts { max-width: 1000px; } .facts.small { width: auto; }
ul.rules { list-style: none; margin: 4px 0; padding: 0; }
ul.rules li { padding: 3px 0; overflow-wrap: anywhere; }
.charts { display: flex; flex-wrap: wrap; gap: 18px 28px; }
figure { margin: 0; max-width: 100%; } figure.histogram { width: 270px; } figure.trend { width: 640px; }
figcaption { font-size: 12.5px; color: var(--soft); overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; }
svg rect { fill: var(--bar); } svg line { stroke: var(--line); }
svg text { fill: var(--soft); font-size: 11px; }
svg line.mark { stroke: var(--soft); stroke-dasharray: 2 2; } svg .interval { stroke: currentColor; stroke-width: 2; }
svg path { fill: none; stroke: var(--bar); stroke-width: 1.5; }
svg circle { fill: currentColor; } svg g { color: var(--accent); } svg g.bad { color: var(--bad); }
svg.difference { width: 120px; height: 16px; color: var(--soft); }
svg.difference.good { color: var(--good); } svg.difference.bad { color: var(--bad); }
svg.difference.warn { color: var(--warn); }
details { margin: 6px 0; } summary { cursor: pointer; color: var(--accent); }
.tools { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin: 8px 0; }
.box { max-height: 80vh; overflow-y: auto; overflow-x: hidden; border: 1px solid var(--line); border-radius: 6px; }
.box th { position: sticky; top: 0; background: var(--panel); z-index: 1; }
.box th:first-child, .box td:first-child { padding-left: 10px; }
input, select { font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--line);
  border-radius: 6px; padding: 4px 8px; min-width: 0; }
input { flex: 0 1 300px; }
table.items { table-layout: fixed; }
table.items th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer;
  text-align: inherit; max-width: 100%; overflow: hidden; text-overflow: ellipsis; }
table.items th button:hover { color: var(--accent); }
table.items th[aria-sort] button { color: var(--accent); }
table.items td { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 0; }
table.items tbody tr.row { cursor: pointer; }
table.items tbody tr.row:hover { background: var(--panel); }
table.items tr.row:focus-visible, .scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
col.item { width: 13%; } col.status { width: 96px; } col.change { width: 132px; } col.score { width: 86px; }
col.pair { width: 112px; } col.time { width: 84px; }
table.items td.good { color: var(--good); } table.items td.bad { color: var(--bad); }
table.items td.warn { color: var(--warn); }
tr.detail td { white-space: normal; background: var(--panel); padding: 10px 14px; }
.detail dl { margin: 0; display: grid; grid-template-columns: 110px minmax(0, 1fr); gap: 6px 14px; }
.detail dt { color: var(--soft); } .detail dd { margin: 0; min-width: 0; }
pre { margin: 0; font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
ins { background: var(--good-back); color: var(--good); text-decoration: none; }
del { background: var(--bad-back); color: var(--bad); }
.end { height: 1px; }
footer { margin-top: 40px; font-size: 12.5px; color: var(--soft); }
@media (max-width: 720px) {
  body { padding: 14px 12px 40px; }
  .wide { display: none; }
  col.item { width: 30%; } col.status { width: 88px; } col.change { width: 112px; } col.score { width: 62px; }
  col.pair { width: 88px; }
  th, td { padding-right: 8px; }
  input { flex: 1 1 140px; }
  figure.trend svg text { font-size: 17px; }
  td.number, th.number { padding-right: 12px; }
  .detail dl { grid-template-columns: minmax(0, 1fr); gap: 2px; } .detail dd { margin-bottom: 8px; }
  tr.detail td { padding: 10px 8px; }
}
@media print { .tools { display: none; } .box { max-height: none; } }
]==]
