// `console/app.css`. A test holds the two together and, with RENEW_COPIES=1 in its environment, writes this file again.
extension ConsoleText {
  static let appCss = #"""
    /* Light unless told otherwise; every text has a contrast of 4.5 to 1 at least on what it stands on. */
    :root {
      --page: #f6f7f9; --card: #ffffff; --text: #16202c; --quiet: #55606e; --line: #d5dae1; --strong-line: #8b95a3;
      --accent: #14532d; --accent-text: #ffffff; --link: #0b4f8a; --focus: #b45309; --stripe: #f1f3f6; --code: #eef1f5;
      --run: #1d4ed8; --good: #17663a; --bad: #b01030; --undo: #6d28a8; --late: #8f4700; --wait: #0b6275;
      --run-soft: #e5edff; --good-soft: #e2f4e9; --bad-soft: #fdecef; --undo-soft: #f3e9fc; --late-soft: #fdf0df;
      --wait-soft: #e0f4f8; --quiet-soft: #edeff2; --danger: #a30d2d; --danger-text: #ffffff;
      color-scheme: light;
    }
    :root[data-theme="dark"] {
      --page: #11161d; --card: #19212b; --text: #e7ecf2; --quiet: #a3afbd; --line: #313c49; --strong-line: #66758a;
      --accent: #a7e3be; --accent-text: #0b2115; --link: #8cc4ff; --focus: #ffb454; --stripe: #1d2631; --code: #222d3a;
      --run: #93b8ff; --good: #7ed8a2; --bad: #ff94a6; --undo: #d3a8ff; --late: #ffc078; --wait: #76d7ea;
      --run-soft: #1c2c4d; --good-soft: #173426; --bad-soft: #43202a; --undo-soft: #33234a; --late-soft: #40301b;
      --wait-soft: #14363e; --quiet-soft: #27313d; --danger: #ff9aab; --danger-text: #35060f;
      color-scheme: dark;
    }
    @media (prefers-color-scheme: dark) {
      :root[data-theme="system"] {
        --page: #11161d; --card: #19212b; --text: #e7ecf2; --quiet: #a3afbd; --line: #313c49; --strong-line: #66758a;
        --accent: #a7e3be; --accent-text: #0b2115; --link: #8cc4ff; --focus: #ffb454; --stripe: #1d2631; --code: #222d3a;
        --run: #93b8ff; --good: #7ed8a2; --bad: #ff94a6; --undo: #d3a8ff; --late: #ffc078; --wait: #76d7ea;
        --run-soft: #1c2c4d; --good-soft: #173426; --bad-soft: #43202a; --undo-soft: #33234a; --late-soft: #40301b;
        --wait-soft: #14363e; --quiet-soft: #27313d; --danger: #ff9aab; --danger-text: #35060f;
        color-scheme: dark;
      }
    }
    * { box-sizing: border-box; }
    html { scrollbar-gutter: stable; }
    body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
    h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; overflow-wrap: anywhere; }
    h2 { font-size: 1.1rem; margin: 0 0 .6rem; }
    h3 { font-size: 1rem; margin: .9rem 0 .4rem; }
    p { margin: .4rem 0; }
    a { color: var(--link); }
    code, pre, kbd, .code { font: .87em/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
    code { overflow-wrap: anywhere; }
    pre { background: var(--code); padding: .7rem .8rem; border-radius: 6px; overflow: auto; max-height: 26rem; margin: .4rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
    kbd { border: 1px solid var(--strong-line); border-radius: 4px; padding: .05rem .4rem; background: var(--code); }
    :focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 3px; }
    main:focus { outline: none; }
    .sr { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
    .skip { position: absolute; left: -999px; }
    .skip:focus { left: 1rem; top: .5rem; z-index: 5; background: var(--card); padding: .4rem .8rem; }
    .num { font-variant-numeric: tabular-nums; }
    .quiet, .hint { color: var(--quiet); }
    .hint { font-size: .87rem; }
    .grow { flex: 1; }
    .clip { max-width: 16rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; display: inline-block; vertical-align: bottom; }
    .icon { flex: none; vertical-align: -.18em; }
    .cut { fill: none; stroke: var(--cut, #fff); }

    .top { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem 1.2rem; padding: .5rem 1.2rem; background: var(--card); border-bottom: 1px solid var(--line); position: sticky; top: 0; z-index: 3; }
    .brand { font-weight: 700; color: var(--text); text-decoration: none; font-size: 1.1rem; }
    .top nav { display: flex; gap: .2rem; }
    .top nav a { padding: .3rem .7rem; border-radius: 6px; text-decoration: none; color: var(--text); }
    .top nav a:hover { background: var(--quiet-soft); }
    .top nav a[aria-current] { background: var(--good-soft); color: var(--good); font-weight: 600; }
    .search { flex: 1 1 14rem; max-width: 30rem; }
    .search input { width: 100%; }
    .tools { display: flex; gap: .4rem; align-items: center; margin-left: auto; }
    .live { display: inline-flex; gap: .35rem; align-items: center; min-width: 8.2rem; font-size: .87rem; }
    .live-live { color: var(--good); }
    .live-lost { color: var(--bad); font-weight: 600; }
    .live-connecting { color: var(--quiet); }
    .live .cut { --cut: var(--card); }
    #user { max-width: 11rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }

    main { max-width: 90rem; margin: 0 auto; padding: 1.2rem; min-height: 100vh; }
    section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.1rem; margin: 0 0 1rem; min-width: 0; }
    .columns { display: grid; grid-template-columns: minmax(0, 1.6fr) minmax(0, 1fr); gap: 1rem; align-items: start; }
    section .columns { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
    .title-row { display: flex; flex-wrap: wrap; gap: .3rem 1rem; align-items: center; margin-bottom: .5rem; }
    .title-row h1 { margin: 0; }
    .placeholder { min-height: 4rem; }

    button, .button, input, select, textarea { font: inherit; color: var(--text); background: var(--card); border: 1px solid var(--strong-line); border-radius: 6px; padding: .35rem .7rem; }
    input[type="checkbox"] { width: 1.1rem; height: 1.1rem; margin: 0; vertical-align: middle; accent-color: var(--accent); }
    input[type="range"] { padding: 0; accent-color: var(--accent); border: none; background: none; min-height: 1.6rem; }
    input:not([type="checkbox"], [type="range"]), select { height: 2.25rem; }
    input::placeholder { color: var(--quiet); opacity: 1; }
    button, .button { cursor: pointer; text-decoration: none; display: inline-block; }
    button:hover:not(:disabled), .button:hover { background: var(--quiet-soft); }
    button:disabled { cursor: default; color: var(--quiet); border-color: var(--line); }
    .primary, .primary:hover:not(:disabled) { background: var(--accent); color: var(--accent-text); border-color: var(--accent); font-weight: 600; }
    .primary:disabled { background: var(--quiet-soft); border-color: var(--line); color: var(--quiet); }
    .danger { color: var(--danger); border-color: var(--danger); }
    .danger[type="submit"], .danger[type="submit"]:hover:not(:disabled) { background: var(--danger); color: var(--danger-text); font-weight: 600; }
    .plain { border-color: transparent; background: none; padding: .1rem .35rem; color: var(--link); }
    [aria-invalid="true"] { border: 2px solid var(--bad); }
    .actions { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; justify-content: flex-end; margin-top: .9rem; }
    .actions.left { justify-content: flex-start; margin: .5rem 0 1rem; }
    .card .actions.left { margin: .4rem 0 0; }

    .badge { display: inline-flex; gap: .35rem; align-items: center; padding: .08rem .55rem .08rem .4rem; border-radius: 99px; font-size: .87rem; font-weight: 600; white-space: nowrap; color: var(--tone); background: var(--soft); --cut: var(--soft); }
    .tone-run { --tone: var(--run); --soft: var(--run-soft); }
    .tone-good { --tone: var(--good); --soft: var(--good-soft); }
    .tone-bad { --tone: var(--bad); --soft: var(--bad-soft); }
    .tone-undo { --tone: var(--undo); --soft: var(--undo-soft); }
    .tone-late { --tone: var(--late); --soft: var(--late-soft); }
    .tone-wait { --tone: var(--wait); --soft: var(--wait-soft); }
    .tone-quiet { --tone: var(--quiet); --soft: var(--quiet-soft); }

    .needs { border-width: 2px; border-color: var(--strong-line); }
    .calm { color: var(--good); display: flex; gap: .5rem; align-items: center; min-height: 3rem; margin: 0; --cut: var(--card); }
    .group h3 { display: flex; gap: .6rem; align-items: baseline; color: var(--tone); margin: .3rem 0 .5rem; }
    .count { background: var(--soft); color: var(--tone); border-radius: 99px; padding: 0 .6rem; font-variant-numeric: tabular-nums; }
    .more { font-size: .87rem; font-weight: 400; margin-left: auto; }
    .cards { list-style: none; margin: 0 0 .8rem; padding: 0; display: grid; gap: .6rem; }
    .card { border: 1px solid var(--line); border-left: 5px solid var(--tone); border-radius: 8px; padding: .6rem .8rem; min-width: 0; }
    .card:focus-within { background: var(--stripe); }
    .card-head { display: flex; flex-wrap: wrap; gap: .3rem .8rem; align-items: center; }
    .card-link { font-weight: 600; }
    .why { margin: .4rem 0 0; overflow-wrap: anywhere; }
    .why.large { font-size: 1.1rem; margin: .4rem 0; max-width: 70rem; min-height: 1.6em; }
    .tiles { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .6rem; }
    .tiles.few { grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); }
    .tile { display: flex; flex-direction: column; align-items: flex-start; gap: .2rem; padding: .6rem .8rem; border: 1px solid var(--line); border-radius: 8px; text-decoration: none; color: var(--text); }
    .tile:hover { background: var(--stripe); }
    .tile-number { font-size: 1.6rem; font-weight: 700; font-variant-numeric: tabular-nums; line-height: 1.2; }
    .facts { display: grid; grid-template-columns: auto 1fr; gap: .2rem 1rem; margin: 0; }
    .facts dt { color: var(--quiet); }
    .facts dd { margin: 0; overflow-wrap: anywhere; }
    .facts.inline { display: flex; flex-wrap: wrap; gap: .1rem 1.4rem; margin-bottom: .8rem; }
    .facts.inline > div { display: flex; gap: .5rem; }
    .id { user-select: all; }

    .chips { display: flex; flex-wrap: wrap; gap: .4rem; margin-bottom: .8rem; align-items: center; min-height: 2.3rem; }
    .chip { border-radius: 99px; padding: .15rem .6rem .15rem .2rem; display: inline-flex; gap: .4rem; align-items: center; }
    .chip[aria-pressed="true"] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); background: var(--quiet-soft); }
    .facet-list { position: relative; }
    .facet-list[open] ul { position: absolute; z-index: 2; background: var(--card); border: 1px solid var(--strong-line); border-radius: 8px; padding: .4rem; margin: .2rem 0; list-style: none; min-width: 12rem; }
    .filters { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .8rem 1rem; margin-bottom: 1rem; }
    .row { display: flex; flex-wrap: wrap; gap: .6rem .9rem; align-items: end; }
    .row .field { flex: 1 1 11rem; margin: 0; }
    .row .checks, .row .buttons { flex: 0 0 auto; display: flex; gap: .8rem; align-items: center; }
    .check { display: inline-flex; gap: .4rem; align-items: center; }
    .field { margin: .7rem 0; min-width: 0; }
    .field > label:not(.check) { display: block; font-size: .87rem; color: var(--quiet); margin-bottom: .15rem; }
    .field > input:not([type="checkbox"]), .field > select, .field > textarea { width: 100%; }
    .field .hint { margin: .15rem 0 0; }
    fieldset { border: 1px solid var(--line); border-radius: 6px; }
    summary { cursor: pointer; padding: .25rem 0; }
    .views { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin-left: auto; }
    .view { display: inline-flex; align-items: center; background: var(--quiet-soft); border-radius: 6px; padding: .1rem .2rem .1rem .6rem; }
    .bar { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; background: var(--good-soft); border-radius: 8px; padding: .5rem .8rem; margin-bottom: .8rem; }
    .pager { display: flex; gap: .8rem; align-items: center; }
    .notice { background: var(--late-soft); color: var(--late); border-radius: 8px; padding: .5rem .8rem; --cut: var(--late-soft); }
    .problem { background: var(--bad-soft); color: var(--bad); border-radius: 8px; padding: .5rem .8rem; overflow-wrap: anywhere; }
    .problem .hint { color: var(--bad); }

    .bar-of { appearance: none; display: block; width: 100%; min-width: 6rem; height: .8rem; border: 1px solid var(--strong-line); border-radius: 99px; overflow: hidden; background: var(--quiet-soft); color: var(--good); }
    .bar-of::-webkit-progress-bar { background: var(--quiet-soft); }
    .bar-of::-webkit-progress-value { background: var(--good); }
    .bar-of::-moz-progress-bar { background: var(--good); }
    td .bar-of { width: 8rem; margin: .35rem 0 .2rem; }
    .counts { font-size: 1.1rem; font-variant-numeric: tabular-nums; }
    .running-line { display: flex; flex-wrap: wrap; gap: .2rem .5rem; align-items: center; }
    .running-line .bar-of { width: 10rem; }
    .wide-notice { flex-basis: 100%; margin: 0; }
    .row.narrow { max-width: 16rem; margin-bottom: .6rem; }
    .refusals, .plain-list { list-style: none; margin: .2rem 0; padding: 0; }
    .which { max-height: 14rem; overflow: auto; padding-left: 1.2rem; }
    .which li { padding: .12rem 0; overflow-wrap: anywhere; }
    dialog .row { align-items: start; }
    .scroll { overflow-x: auto; }
    table { border-collapse: collapse; width: 100%; }
    th, td { text-align: left; padding: .4rem .7rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
    thead th { color: var(--quiet); font-size: .87rem; font-weight: 600; white-space: nowrap; }
    tbody th { font-weight: 600; }
    th.num, td.num { text-align: right; white-space: nowrap; }
    td time, td a code { white-space: nowrap; }
    td .badge { margin-right: .3rem; }
    td .clip { display: block; }
    .code-cell { white-space: nowrap; }
    .reason { min-width: 12rem; overflow-wrap: anywhere; }
    tr[data-row]:focus-within, tr[data-row]:hover { background: var(--stripe); }

    .slider { display: flex; flex-wrap: wrap; gap: .4rem .8rem; align-items: center; margin-bottom: .8rem; }
    .slider input { flex: 1 1 14rem; max-width: 36rem; }
    .slider output { min-width: 17rem; font-variant-numeric: tabular-nums; }
    .drawing.past { background: repeating-linear-gradient(45deg, transparent 0 12px, var(--stripe) 12px 24px); }
    .graph, .gantt { display: block; }
    .graph { margin: 0 auto 0 0; }
    .box { fill: var(--soft); stroke: var(--tone); stroke-width: 1.5; }
    .blocked .box { stroke-width: 3; stroke-dasharray: 6 3; }
    .node { --cut: var(--soft); }
    .node[role="button"] { cursor: pointer; }
    .node[role="button"]:hover .box { stroke-width: 2.5; }
    .node:focus-visible { outline: none; }
    .node:focus-visible .box { stroke: var(--focus); stroke-width: 3.5; }
    .glyph { color: var(--tone); }
    .pivot { stroke: var(--tone); stroke-width: 2; }
    .node-name { font-weight: 600; fill: var(--text); }
    .node-state { font-size: 12px; fill: var(--tone); }
    .edge { stroke: var(--strong-line); stroke-width: 1.5; }
    .edge-done { stroke: var(--good); stroke-width: 2; }
    .edge-back { stroke: var(--undo); stroke-width: 2; stroke-dasharray: 6 4; }
    .arrow-plain { fill: var(--strong-line); }
    .arrow-done { fill: var(--good); }
    .arrow-back { fill: var(--undo); }
    .stripe { fill: var(--stripe); }
    .tick { stroke: var(--line); stroke-width: 1; }
    .tick-label, .row-name { font-size: 12px; fill: var(--quiet); }
    .row-name { fill: var(--text); }
    .span { --tone: var(--quiet); --soft: var(--quiet-soft); }
    .span rect { fill: var(--soft); stroke: var(--tone); stroke-width: 1.5; }
    .span text { font-size: 12px; font-weight: 700; fill: var(--tone); }
    .span.attempt.succeeded { --tone: var(--good); --soft: var(--good-soft); }
    .span.attempt.failed { --tone: var(--bad); --soft: var(--bad-soft); }
    .span.attempt.unknown { --tone: var(--late); --soft: var(--late-soft); }
    .span.attempt.running { --tone: var(--run); --soft: var(--run-soft); }
    .span.attempt.undo.succeeded { --tone: var(--undo); --soft: var(--undo-soft); }
    .span.wait, .span.delay, .span.answer { --tone: var(--wait); --soft: var(--wait-soft); }
    .span.backoff { --tone: var(--late); --soft: transparent; }
    .span.backoff rect { stroke-dasharray: 4 3; }
    .mark path { stroke: var(--text); stroke-width: 1; stroke-dasharray: 2 3; fill: none; }
    .mark .flag { fill: var(--text); stroke: none; }

    .acts { margin: 0; padding-left: 1.2rem; }
    .acts li { margin-bottom: .5rem; overflow-wrap: anywhere; }
    .acts q { display: block; border-left: 3px solid var(--strong-line); padding-left: .6rem; }
    .event { border-bottom: 1px solid var(--line); }
    .event summary { display: grid; grid-template-columns: 3rem 11rem 10rem 1fr auto; gap: .6rem; align-items: baseline; list-style: none; padding: .3rem 0; }
    .event summary::-webkit-details-marker { display: none; }
    .event summary:hover { background: var(--stripe); }
    .event.current { background: var(--late-soft); }
    .version { text-align: right; color: var(--quiet); }
    .event-type { font-weight: 600; overflow-wrap: anywhere; }
    .event-step, .event-more { overflow-wrap: anywhere; }

    dialog { border: 1px solid var(--strong-line); border-radius: 12px; padding: 1.1rem 1.3rem; background: var(--card); color: var(--text); width: min(38rem, calc(100vw - 1.5rem)); max-height: calc(100vh - 2rem); overflow: auto; }
    dialog.wide { width: min(56rem, calc(100vw - 1.5rem)); }
    dialog::backdrop { background: rgb(0 0 0 / .5); }
    .dialog-head { display: flex; justify-content: space-between; gap: 1rem; align-items: start; }
    .preview { margin: .3rem 0; padding-left: 1.2rem; }
    .keys { display: grid; grid-template-columns: auto 1fr; gap: .5rem 1rem; margin: 0; }
    .keys dd { margin: 0; }
    .history .event summary time { text-align: right; }

    @media (max-width: 700px) {
      .top { position: static; padding: .5rem .8rem; }
      .top nav a { padding: .3rem .5rem; }
      .search { order: 9; flex-basis: 100%; max-width: none; }
      .tools { flex-wrap: wrap; }
      .live { min-width: 0; }
      main { padding: .7rem; }
      section, .filters { padding: .8rem; }
      .columns, section .columns { grid-template-columns: minmax(0, 1fr); }
      .event summary { grid-template-columns: 2rem 1fr auto; }
      .event summary time { grid-area: 1 / 3; white-space: nowrap; }
      .event-step, .event-more { grid-column: 2 / 4; }
      .event-step:empty, .event-more:empty { display: none; }
      .slider output { min-width: 0; flex-basis: 100%; }
      .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
      .tile { padding: .5rem; }
      .tile .badge { padding-right: .35rem; font-size: .8rem; }
      .views { margin-left: 0; }
    }
    @media (prefers-reduced-motion: no-preference) { .tile, button { transition: background-color .12s; } }

    """#
}
