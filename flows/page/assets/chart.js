// A chart over time that Vega draws: amounts, times, the specification, zoom and cursor by pointer and keys.
const data = JSON.parse(document.getElementById("data").textContent);
const say = (key, values = {}) =>
  data.words[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in node && name !== "list" && name !== "style") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
};
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

// Amounts: four digits, decimal units, as on the rest of the page.
const UNITS = {
  bytes: ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB"],
  bits: ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", "Pbit/s", "Ebit/s"],
};
const amount = (value, kind, digits = 4) => {
  const units = UNITS[kind];
  let power = 0;
  let rest = value;
  while (rest >= 999.95 && power < units.length - 1) { rest /= 1000; power += 1; }
  const decimals = power ? Math.max(digits - String(Math.floor(Math.max(rest, 1))).length, 0) : 0;
  return `${rest.toFixed(decimals)} ${units[power]}`;
};
const short = (value, kind) => {
  if (value === 0) return "0";
  const [number, unit] = amount(value, kind).split(" ");
  return `${Number(Number(number).toPrecision(3))} ${unit}`;
};

// Times: instants in milliseconds, told in the business time zone whatever the browser's is.
const clock = new Intl.DateTimeFormat("en-CA", {
  timeZone: data.zone, year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});
const parts = (at) => Object.fromEntries(clock.formatToParts(at).map((p) => [p.type, p.value]));
const stamp = (at) => {
  const p = parts(at);
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}`;
};
const tickLabel = (at) => {
  const p = parts(at);
  return p.hour === "00" && p.minute === "00" ? `${p.month}-${p.day}` : `${p.hour}:${p.minute}`;
};
const HOUR = 3600e3;
const DAY = 24 * HOUR;
const whole = [data.midnights[0], data.midnights[data.midnights.length - 1]];
const ticks = ([from, to], width) => {
  const room = Math.max(Math.floor(width / 70), 2);
  const midnights = data.midnights.filter((at) => at >= from && at <= to);
  if (to - from > 2.5 * DAY) {
    const every = Math.ceil(midnights.length / room);
    return midnights.filter((_, place) => place % every === 0);
  }
  const step = [1, 2, 3, 6, 12].find((hours) => (to - from) / (hours * HOUR) <= room) ?? 24;
  const found = [];
  for (const midnight of [whole[0], ...midnights]) {
    for (let at = midnight; at < midnight + DAY; at += step * HOUR) {
      if (at >= from && at <= to) found.push(at);
    }
  }
  return [...new Set(found)].sort((a, b) => a - b);
};
// The last place whose start is at or before an instant; -1 where there is none.
const placeOf = (starts, at) => {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= at) low = middle + 1; else high = middle;
  }
  return low - 1;
};

const spec = (kind, width, height) => {
  const soft = ink("--soft");
  const line = ink("--line");
  const font = getComputedStyle(document.body).fontFamily;
  const x = (field) => ({ scale: "x", field });
  const y = (field) => ({ scale: "y", field });
  // Text that stays readable over what it crosses: its outline first, in the panel's colour.
  const outlined = (from, fill, place) => [[ink("--panel"), 4], [fill, 0]].map(([colour, wide]) => ({
    type: "text", aria: false, from, encode: { update: {
      ...place, text: { field: "label" }, fill: { value: colour }, font: { value: font }, fontSize: { value: 12 },
      fontWeight: { value: 600 }, stroke: { value: colour }, strokeWidth: { value: wide }, strokeJoin: { value: "round" } } },
  }));
  return {
    $schema: "https://vega.github.io/schema/vega/v6.json",
    width, height, autosize: "none", padding: { left: 76, right: 26, top: 14, bottom: 26 },
    signals: [
      { name: "shown", value: whole }, { name: "most", value: 1 }, { name: "ticks", value: [] },
      { name: "pointed", value: null }, { name: "drag", value: null },
    ],
    data: ["bands", "bars", "areas", "rules", "points"].map((name) => ({ name, values: [] })),
    scales: [
      { name: "x", type: "linear", domain: { signal: "shown" }, range: "width", zero: false, nice: false },
      { name: "y", type: "linear", domain: { signal: "[0, most]" }, range: "height", nice: 5 },
    ],
    axes: [
      {
        orient: "left", scale: "y", grid: true, tickCount: 5, domain: false, ticks: false, labelPadding: 8,
        gridColor: line, labelColor: soft, labelFont: font, labelFontSize: 12, aria: false,
        encode: { labels: { update: { text: { signal: `short(datum.value, '${kind}')` } } } },
      },
      {
        orient: "bottom", scale: "x", values: { signal: "ticks" }, domainColor: line, tickColor: line,
        labelColor: soft, labelFont: font, labelFontSize: 12, labelOverlap: true, labelFlush: false, aria: false,
        encode: { labels: { update: { text: { signal: "tickLabel(datum.value)" } } } },
      },
    ],
    marks: [{
      type: "group", clip: true,
      encode: { update: { width: { signal: "width" }, height: { signal: "height" } } },
      marks: [
        { type: "rect", aria: false, from: { data: "bands" }, encode: { update: {
          x: x("from"), x2: x("to"), y: { value: 0 }, y2: { signal: "height" },
          fill: { value: ink("--partial") }, fillOpacity: { value: 0.22 } } } },
        { type: "rect", aria: false, from: { data: "bars" }, encode: { update: {
          x: { ...x("from"), offset: 0.5 }, x2: { ...x("to"), offset: -0.5 }, y: y("low"), y2: y("high"),
          fill: { field: "fill" } } } },
        { type: "group", from: { facet: { name: "area", data: "areas", groupby: "key" } }, marks: [
          { type: "area", aria: false, from: { data: "area" }, encode: { update: {
            x: x("at"), y: y("high"), y2: y("low"), defined: { field: "known" },
            fill: { field: "fill" }, fillOpacity: { field: "opacity" },
            stroke: { field: "stroke" }, strokeWidth: { value: 1.2 } } } }] },
        { type: "rule", aria: false, from: { data: "rules" }, encode: { update: {
          x: x("from"), x2: x("to"), y: y("value"), stroke: { value: ink("--bad") },
          strokeDash: { value: [6, 4] }, strokeWidth: { value: 1.6 } } } },
        ...outlined({ data: "rules" }, ink("--bad"), {
          x: { signal: "clamp(scale('x', datum.from), 0, width) + 4" }, y: { ...y("value"), offset: -7 },
          // A stretch too short for its words goes without them: half a number is a wrong one.
          opacity: { signal: "clamp(scale('x', datum.to), 0, width) - clamp(scale('x', datum.from), 0, width) < 8 * length(datum.label) ? 0 : 1" },
        }),
        { type: "symbol", aria: false, from: { data: "points" }, encode: { update: {
          x: x("at"), y: y("value"), size: { value: 80 }, fill: { value: ink("--text") },
          stroke: { value: ink("--panel") }, strokeWidth: { value: 2 } } } },
        ...outlined({ data: "points" }, ink("--text"), {
          x: { ...x("at"), offset: { signal: "scale('x', datum.at) > width * 0.8 ? -10 : 10" } },
          y: { ...y("value"), offset: 1 }, baseline: { value: "middle" },
          align: { signal: "scale('x', datum.at) > width * 0.8 ? 'right' : 'left'" },
        }),
        { type: "rect", aria: false, encode: { update: {
          x: { signal: "drag ? scale('x', drag[0]) : 0" }, x2: { signal: "drag ? scale('x', drag[1]) : 0" },
          y: { value: 0 }, y2: { signal: "height" }, fill: { value: ink("--accent") },
          fillOpacity: { signal: "drag ? 0.18 : 0" } } } },
        { type: "rule", aria: false, encode: { update: {
          x: { signal: "pointed === null ? -9 : scale('x', pointed)" }, y: { value: 0 }, y2: { signal: "height" },
          stroke: { value: ink("--text") }, strokeOpacity: { signal: "pointed === null ? 0 : 0.55" } } } },
      ],
    }],
  };
};

// A chart over time: zoom by dragging, buttons and keys; a cursor by pointer and keys.
class TimeChart {
  // source: { kind, layers(shown, width), describe(at), starts(shown), extra }
  constructor(host, source) {
    this.host = host;
    this.source = source;
    this.shown = whole;
    this.cursor = null;
    this.tip = make("div", { className: "tip", hidden: true });
    this.live = make("p", { className: "sr", role: "status" });
    this.plot = make("div", { className: "plot", tabIndex: 0 });
    this.plot.setAttribute("role", "group");
    this.plot.setAttribute("aria-label", host.dataset.label);
    this.label = make("span", { className: "shown" });
    host.append(this.controls(), this.plot, this.live);
    this.ready = this.build().then(() => this.listen());
  }

  controls() {
    const button = (key, act, sign) =>
      make("button", { type: "button", title: say(key), ariaLabel: say(key), onclick: act, textContent: sign });
    const zooms = make("span", { className: "group" },
      button("left", () => this.move(-0.5), "◀"), button("in", () => this.zoom(0.5), "+"),
      button("out", () => this.zoom(2), "−"), button("right", () => this.move(0.5), "▶"));
    this.all = make("button", { type: "button", onclick: () => this.show(whole), textContent: say("reset") });
    const bar = make("div", { className: "controls", role: "group" }, ...(this.source.extra ?? []),
      make("span", { className: "gap" }), this.label, zooms, this.all);
    bar.setAttribute("aria-label", say("controls"));
    return bar;
  }

  // Once at the start, and again for another width or theme; the newest call wins.
  async build() {
    this.turn = (this.turn ?? 0) + 1;
    const { turn } = this;
    const width = Math.max(this.host.clientWidth - 102, 160);
    const made = await vegaEmbed(make("div"), spec(this.source.kind, width, 280), {
      mode: "vega", renderer: "svg", ast: true, actions: false, hover: false, tooltip: false,
      defaultStyle: false, expressionFunctions: { short, tickLabel },
    });
    if (turn !== this.turn) { made.finalize(); return; }
    this.made?.finalize();
    this.made = made;
    this.view = made.view;
    this.draw();
    this.plot.replaceChildren(this.view.container(), this.tip);
    this.plot.querySelector("svg").setAttribute("aria-hidden", "true");
  }

  draw() {
    const view = this.view;
    const width = view.width();
    const layers = this.source.layers(this.shown, width);
    const high = [...layers.bars, ...layers.areas].reduce((most, row) => Math.max(most, row.high || 0), 0);
    const rules = layers.rules.reduce((most, row) => Math.max(most, row.value), high);
    for (const name of ["bands", "bars", "areas", "rules", "points"]) view.data(name, layers[name]);
    view.signal("shown", this.shown).signal("most", rules * 1.06 || 1);
    view.signal("ticks", ticks(this.shown, width)).signal("pointed", this.cursor);
    view.run();
    this.label.textContent = say("shown", { start: stamp(this.shown[0]), end: stamp(this.shown[1]) });
    this.all.disabled = this.shown[0] === whole[0] && this.shown[1] === whole[1];
    this.plot.dataset.from = this.shown[0];
    this.plot.dataset.to = this.shown[1];
  }

  show([from, to]) {
    const least = 2 * HOUR;
    const length = Math.min(Math.max(to - from, least), whole[1] - whole[0]);
    const start = Math.min(Math.max(from, whole[0]), whole[1] - length);
    this.shown = [start, start + length];
    this.point(null);
    this.source.zoomed?.(length);
    this.draw();
    this.live.textContent = this.label.textContent;
  }

  zoom(factor) {
    const [from, to] = this.shown;
    const middle = this.cursor ?? (from + to) / 2;
    this.show([middle - (middle - from) * factor, middle + (to - middle) * factor]);
  }

  move(part) {
    const [from, to] = this.shown;
    this.show([from + (to - from) * part, to + (to - from) * part]);
  }

  // Put the cursor at an instant, or take it away.
  point(at, speak = false) {
    const told = at === null ? null : this.source.describe(at, this.shown, this.view.width());
    this.cursor = told?.at ?? null;
    this.view.signal("pointed", this.cursor).run();
    this.tip.hidden = !told;
    if (!told) return;
    this.tip.replaceChildren(make("strong", { textContent: told.title }), make("table", {},
      ...told.rows.map((row) => make("tr", {},
        make("td", {}, row.fill ? make("i", { style: `background:${row.fill}` }) : ""),
        make("td", { textContent: row.name }), make("td", { textContent: row.text })))));
    const x = 76 + this.view.scale("x")(this.cursor);
    const left = x > this.plot.clientWidth / 2 ? x - this.tip.offsetWidth - 14 : x + 14;
    this.tip.style.left = `${Math.max(left, 0)}px`;
    this.tip.style.top = "18px";
    if (speak) {
      this.live.textContent = [told.title, ...told.rows.map((r) => `${r.name} ${r.text}`)].join(", ");
    }
  }

  at(event) {
    const x = event.clientX - this.plot.getBoundingClientRect().left - 76;
    return this.view.scale("x").invert(Math.min(Math.max(x, 0), this.view.width()));
  }

  listen() {
    const plot = this.plot;
    let from = null;
    plot.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && event.pointerType !== "touch") {
        from = this.at(event);
        plot.setPointerCapture(event.pointerId);
      }
    });
    plot.addEventListener("pointermove", (event) => {
      const at = this.at(event);
      if (from === null) { this.point(at); return; }
      this.point(null);
      this.view.signal("drag", [Math.min(from, at), Math.max(from, at)]).run();
    });
    const end = (event) => {
      if (from === null) return;
      const range = [from, this.at(event)].sort((a, b) => a - b);
      from = null;
      this.view.signal("drag", null).run();
      const wide = (range[1] - range[0]) / (this.shown[1] - this.shown[0]) * this.view.width();
      if (event.type === "pointerup" && wide > 8) this.show(range);
    };
    plot.addEventListener("pointerup", end);
    plot.addEventListener("pointercancel", end);
    plot.addEventListener("pointerleave", () => { if (from === null) this.point(null); });
    plot.addEventListener("dblclick", () => this.show(whole));
    plot.addEventListener("blur", () => this.point(null));
    plot.addEventListener("keydown", (event) => {
      const act = this.keys()[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act(event);
    });
  }

  keys() {
    const step = (by) => () => {
      const starts = this.source.starts(this.shown, this.view.width());
      const place = this.cursor === null
        ? (by > 0 ? 0 : starts.length - 1)
        : Math.min(Math.max(placeOf(starts, this.cursor) + by, 0), starts.length - 1);
      if (starts.length) this.point(starts[place], true);
    };
    return {
      ArrowRight: step(1), ArrowLeft: step(-1), PageDown: step(7), PageUp: step(-7),
      "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2),
      0: () => this.show(whole), Escape: () => this.point(null),
      Home: () => this.move(-0.5), End: () => this.move(0.5),
    };
  }
}

const inside = (starts, ends, [from, to]) => {
  const found = [];
  for (let n = Math.max(placeOf(starts, from), 0); n < starts.length && starts[n] < to; n += 1) {
    if (ends(n) > from) found.push(n);
  }
  return found;
};
