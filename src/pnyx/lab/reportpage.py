"""The parts of the report page that are the same for every history: style, script, frame."""

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --ground: #fbfaf7; --ink: #22252a; --faint: #6d7178;
  --line: #dcd9d0; --row: #f1efe8; --ok: #4f83cc; --fail: #9aa0a8; --info: #d9a441;
  --bad: #cf3f3f; --point: #1d2f4d; --band: #cf3f3f22; --good: #2f8f5b; }
@media (prefers-color-scheme: dark) { :root { --ground: #16181c; --ink: #e6e4df;
  --faint: #969ba4; --line: #33373e; --row: #1d2025; --ok: #5b8fd9; --fail: #626873;
  --info: #c99534; --bad: #f0605d; --point: #f4f1e8; --band: #f0605d2b; --good: #56c48b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
header, section { max-width: 1400px; margin: 0 auto; padding: 1rem 1.5rem 0; }
h1 { font-size: 1.35rem; margin: 0; } h2 { font-size: 1rem; margin: 1rem 0 .3rem; }
p { margin: .3rem 0; } .faint { color: var(--faint); font-size: .85rem; }
.verdict { display: inline-block; padding: .1rem .6rem; border-radius: 1rem; color: #fff;
  font-size: .95rem; vertical-align: .1rem; margin-left: .5rem; background: var(--info); }
.verdict.linearizable { background: var(--good); } .verdict.not { background: var(--bad); }
.why { border-left: 4px solid var(--bad); padding: .4rem .9rem; margin: .8rem 0 0;
  background: var(--row); overflow-wrap: anywhere; }
#axis { max-width: 1400px; margin: .8rem auto; padding: 0 1.5rem; }
#chart { width: 100%; display: block; border: 1px solid var(--line); border-radius: 6px;
  cursor: grab; touch-action: none; user-select: none; }
#chart text { fill: var(--faint); font-size: 11px; }
#chart .bar { rx: 2px; } .ok { fill: var(--ok); } .fail { fill: var(--fail); }
.info { fill: var(--info); fill-opacity: .55; } .dim { opacity: .28; }
#chart .part { stroke: var(--bad); stroke-width: 1.5; opacity: 1; }
#chart .named { fill: var(--bad); fill-opacity: 1; opacity: 1; }
#chart .label { fill: #fff; font-size: 10px; pointer-events: none; }
.point { stroke: var(--point); stroke-width: 2; } .band { fill: var(--band); }
.stripe { fill: var(--row); } .grid { stroke: var(--line); }
#tip { position: fixed; display: none; max-width: 34rem; padding: .5rem .7rem; z-index: 2;
  background: var(--ink); color: var(--ground); border-radius: 6px; font-size: 13px;
  pointer-events: none; overflow-wrap: anywhere; white-space: pre-wrap; }
.key .ok { background: var(--ok); } .key .info { background: var(--info); }
.key .fail { background: var(--fail); } .key .mark { background: var(--point); width: 2px; }
.key .named { background: var(--bad); }
.key span { display: inline-block; width: .9em; height: .9em; border-radius: 2px;
  margin: 0 .35em 0 1em; vertical-align: -.1em; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
td, th { text-align: left; padding: .25rem .6rem .25rem 0; border-top: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; } tr.named td:first-child { color: var(--bad);
  font-weight: 600; } footer { padding: 2rem 1.5rem; }
"""

SCRIPT: Final = """
'use strict';
const all = JSON.parse(document.getElementById('operations').textContent);
const NS = 'http://www.w3.org/2000/svg', LEFT = 84, TOP = 26, MOST = 4000;
const rowHeight = Math.max(7, Math.min(24, 900 / all.rows.length));
const chart = document.getElementById('chart'), tip = document.getElementById('tip');
const height = TOP + rowHeight * all.rows.length + 6;
chart.setAttribute('height', height);
let from = all.view[0], to = all.view[1], width = 0;
const make = (parent, name, fields, text) => {
  const made = document.createElementNS(NS, name);
  for (const field in fields) made.setAttribute(field, fields[field]);
  if (text !== undefined) made.textContent = text;
  parent.appendChild(made);
  return made;
};
const at = x => LEFT + (x - from) / (to - from) * (width - LEFT);
const clamp = x => Math.max(LEFT - 4, Math.min(width + 4, x));
const step = span => {
  const rough = span / 8, power = Math.pow(10, Math.floor(Math.log10(rough)));
  return Math.max(1, [1, 2, 5, 10].find(one => one * power >= rough) * power);
};
const shown = x => !all.timed ? '#' + Math.round(x) :
  to - from > 2e6 ? (x / 1e6).toFixed(2) + ' s' : (x / 1e3).toFixed(2) + ' ms';
const hint = (made, text) => {
  made.addEventListener('pointermove', event => {
    tip.textContent = text;
    tip.style.display = 'block';
    tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + 'px';
    tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + 'px';
  });
  made.addEventListener('pointerleave', () => { tip.style.display = 'none'; });
};
const draw = () => {
  width = chart.clientWidth || 1200;
  chart.setAttribute('viewBox', `0 0 ${width} ${height}`);
  chart.replaceChildren();
  all.rows.forEach((name, row) => {
    const y = TOP + row * rowHeight;
    if (row % 2 === 0) make(chart, 'rect',
      { x: 0, y, width, height: rowHeight, class: 'stripe' });
    if (rowHeight > 10 || row % 3 === 0) make(chart, 'text',
      { x: 6, y: y + rowHeight / 2 + 4 }, 'client ' + name);
  });
  const by = step(to - from);
  for (let x = Math.ceil(from / by) * by; x <= to; x += by) {
    make(chart, 'line', { x1: at(x), x2: at(x), y1: TOP - 6, y2: height, class: 'grid' });
    make(chart, 'text', { x: at(x) + 3, y: 13 }, shown(x));
  }
  for (const [label, begins, ends, nodes] of all.bands) {
    if (ends < from || begins > to) continue;
    const x = clamp(at(begins));
    hint(make(chart, 'rect', { x, y: TOP, width: Math.max(2, clamp(at(ends)) - x),
      height: height - TOP, class: 'band' }), label + (nodes ? ' of ' + nodes : ''));
    make(chart, 'text', { x: x + 3, y: TOP - 2 }, label);
  }
  let count = 0;
  for (const one of all.operations) {
    if (one.until < from || one.from > to) continue;
    if (++count > MOST) break;
    const x = clamp(at(one.from)), ends = clamp(at(one.until));
    const y = TOP + one.row * rowHeight + 1;
    const look = ['bar', one.outcome, one.part ? 'part' : '', one.named ? 'named' : '',
      all.failed && !one.part ? 'dim' : ''].join(' ');
    const wide = Math.max(1.5, ends - x);
    hint(make(chart, 'rect', { x, y, width: wide, height: rowHeight - 2, class: look }), one.text);
    if (rowHeight > 12 && wide > 46) make(chart, 'text',
      { x: x + 4, y: y + rowHeight / 2 + 3, class: 'label' },
      one.label.slice(0, Math.floor(wide / 6.2)));
  }
  for (const one of all.operations) {
    if (one.point === null || one.point < from || one.point > to) continue;
    const y = TOP + one.row * rowHeight;
    make(chart, 'line', { x1: at(one.point), x2: at(one.point), y1: y, y2: y + rowHeight,
      class: 'point' });
  }
};
const move = (low, high) => {
  const least = all.timed ? 10 : 2, whole = all.end - all.begin;
  const span = Math.min(Math.max(high - low, least), whole);
  from = Math.min(Math.max(low, all.begin), all.end - span);
  to = from + span;
  requestAnimationFrame(draw);
};
chart.addEventListener('wheel', event => {
  event.preventDefault();
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    const by = (event.deltaX || event.deltaY) / width * (to - from);
    return move(from + by, to + by);
  }
  const x = event.clientX - chart.getBoundingClientRect().left;
  const here = from + Math.max(0, x - LEFT) / (width - LEFT) * (to - from);
  const factor = Math.exp(event.deltaY * 0.0015);
  move(here - (here - from) * factor, here + (to - here) * factor);
}, { passive: false });
let grip = null;
chart.addEventListener('pointerdown', event => { grip = [event.clientX, from, to]; });
addEventListener('pointerup', () => { grip = null; });
addEventListener('pointermove', event => {
  if (!grip) return;
  const by = (grip[0] - event.clientX) / (width - LEFT) * (grip[2] - grip[1]);
  move(grip[1] + by, grip[2] + by);
});
chart.addEventListener('dblclick', () => move(all.begin, all.end));
document.getElementById('whole').addEventListener('click', () => move(all.begin, all.end));
addEventListener('resize', draw);
draw();
"""

FRAME: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: {word}</title><style>{style}</style></head><body>
<header><h1>{title} <span class="verdict {class_}">{word}</span></h1>
<p class="faint">{summary}</p>{why}
<p class="faint key"><span class="ok"></span>answered<span class="info"></span>outcome unknown
<span class="fail"></span>failed, without effect{key} &nbsp; scroll to zoom, drag to move, point for
details, <button id="whole" type="button">show all</button></p></header>
<div id="axis"><svg id="chart" role="img" aria-label="operations of the clients on a time axis">
</svg></div><div id="tip"></div>{part}
<footer class="faint">Made by pnyx lab check.</footer>
<script type="application/json" id="operations">{operations}</script>
<script>{script}</script></body></html>
"""
