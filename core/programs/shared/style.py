"""The style sheet of report.html."""

CSS = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #16202c;
  --muted: #55626f; --line: #dde2e8; --accent: #1668c7; --contrast: #c2410c;
  --note: #fff5d6; --note-ink: #5c4300; }
@media (prefers-color-scheme: dark) { :root { --page: #10151b; --card: #18202a;
  --ink: #e7ecf1; --muted: #9dabb9; --line: #2f3a46; --accent: #62a8f5; --contrast: #f59a62;
  --note: #3a2f10; --note-ink: #f6dd96; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.02em; }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 .25rem; overflow-wrap: anywhere; }
header h2, nav h2, h2.overview { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
h3 { font-size: 1rem; margin: 2rem 0 .6rem; }
p { margin: .25rem 0 .75rem; max-width: 70ch; }
.muted, footer { color: var(--muted); }
.note { background: var(--note); color: var(--note-ink); padding: .7rem 1rem;
  border-radius: .6rem; max-width: none; }
.hint { color: var(--muted); border-left: 3px solid var(--line); padding-left: .8rem; }
blockquote { margin: .6rem 0 0; padding: .2rem 0 .2rem 1rem; border-left: 3px solid var(--accent);
  white-space: pre-wrap; overflow-wrap: anywhere; max-height: 12rem; overflow: auto; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .9rem;
  padding: 1.5rem; margin-top: 1.5rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr));
  gap: 1rem; margin: 0; }
.figures + p { margin-top: 1.25rem; }
.figures div { background: var(--card); border: 1px solid var(--line); border-radius: .9rem;
  padding: .9rem 1.1rem; }
dt { color: var(--muted); font-size: .875rem; }
dd { margin: 0; font-size: 1.6rem; font-weight: 650; letter-spacing: -.01em;
  font-variant-numeric: tabular-nums; }
ul { margin: 0; padding-left: 1.15rem; }
li { margin: .3rem 0; overflow-wrap: anywhere; }
li::marker { color: var(--accent); }
nav ul { columns: 20rem; }
nav li { break-inside: avoid; }
a { color: var(--accent); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr));
  gap: 1.75rem 2rem; }
figure { margin: 0; min-width: 0; break-inside: avoid; }
figcaption { font-weight: 600; font-size: .9375rem; margin-bottom: .4rem;
  overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; max-width: 36rem; font-family: inherit;
  stroke-linejoin: round; }
svg text { fill: currentColor; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .6rem; }
h2 + .scroll { margin-top: .9rem; }
.scroll:focus-visible { outline: 2px solid var(--accent); }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
th, td { padding: .5rem .65rem; text-align: left; vertical-align: top; white-space: nowrap;
  border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--muted); font-weight: 600; }
tbody th { font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.wide { white-space: normal; min-width: 14rem; overflow-wrap: anywhere; }
.empty { color: var(--muted); }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .875em; }
pre { margin: 0; padding: .7rem .9rem; line-height: 1.5; }
.error, .warning, .note-level { font-size: .8125rem; padding: .1rem .5rem; border-radius: 1rem; margin-right: .3rem;
  border: 1px solid currentColor; }
.error { color: var(--contrast); }
.warning { color: var(--accent); }
.note-level { color: var(--muted); }
footer { margin-top: 2rem; font-size: .875rem; }
@media (max-width: 40rem) { main { padding: 1.5rem .9rem 3rem; } section { padding: 1.1rem; }
  .figures { grid-template-columns: 1fr 1fr; gap: .7rem; }
  .figures div:last-child:nth-child(odd) { grid-column: 1 / -1; } dd { font-size: 1.35rem; } }
@media print { body { background: none; font-size: 10pt; } main { max-width: none; padding: 0; }
  section { border: 0; padding: 0; } blockquote { max-height: none; }
  .scroll { overflow: hidden; } th, td { padding: .25rem .4rem; }
  td:not(.number), th { white-space: normal; }
  h2, h3 { break-after: avoid; } tr { break-inside: avoid; }
  .charts { grid-template-columns: 1fr 1fr; } }
"""
