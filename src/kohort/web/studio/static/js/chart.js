// <e-chart>: draws the document in its <script type="application/json"> with ECharts, and shows it as a table on demand.
import { init } from "../vendor/echarts.js";
import { make } from "./page.js";

const DAY = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", timeZone: "UTC" });
const LONG_DAY = new Intl.DateTimeFormat("en", { weekday: "short", year: "numeric", month: "short", day: "numeric", timeZone: "UTC" });
const COUNT = new Intl.NumberFormat("en");
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

const count = (value) => (value === null || value === undefined ? "–" : COUNT.format(value));
const axisCount = (value) => (Math.abs(value) >= 100000 ? SHORT.format(Math.abs(value)) : COUNT.format(Math.abs(value)));
const day = (label, format) => format.format(new Date(`${label}T00:00:00Z`));

customElements.define("e-chart", class extends HTMLElement {
  connectedCallback() {
    if (!this.figures) this.arrange();
    this.draw = this.draw.bind(this);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", this.draw);
    document.addEventListener("theme-change", this.draw);
    this.watch = new ResizeObserver(() => this.chart?.resize());
    this.watch.observe(this.canvas);
    this.draw();
  }

  disconnectedCallback() {
    this.dark.removeEventListener("change", this.draw);
    document.removeEventListener("theme-change", this.draw);
    this.watch.disconnect();
    this.chart?.dispose();
    this.chart = null;
  }

  /** The parts: legend, drawing, and the button that swaps the drawing for a table. */
  arrange() {
    this.figures = JSON.parse(this.querySelector("script").textContent);
    const { sentence, series } = this.figures;
    this.canvas = make("div", { className: "chart-canvas" });
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", sentence);
    this.button = make("button", { className: "chart-swap", type: "button", textContent: "Show as table" });
    this.button.addEventListener("click", () => this.swap());
    const legend = make("ul", { className: "chart-legend" });
    if (series.length > 1) legend.append(...series.map(({ name, colour }) => make("li", { className: `chart-key chart-key-${colour}`, textContent: name })));
    this.append(make("div", { className: "chart-head" }, legend, this.button), this.canvas);
  }

  swap() {
    const asTable = !this.table;
    if (asTable) {
      this.table = this.asTable();
      this.canvas.after(this.table);
    } else {
      this.table.remove();
      this.table = null;
    }
    this.canvas.hidden = asTable;
    this.button.textContent = asTable ? "Show as chart" : "Show as table";
    if (!asTable) this.chart.resize();
  }

  /** The same figures as a table: the newest first, of days to come the next one. */
  asTable() {
    const { labels, series, sentence, ahead } = this.figures;
    const head = make("tr", {}, ...["Day", ...series.map((one) => one.name)].map((text, place) => make("th", { scope: "col", className: place ? "number" : "", textContent: text })));
    const rows = labels.map((label, place) => make("tr", {}, make("td", { textContent: label }), ...series.map((one) => make("td", { className: "number", textContent: count(one.values[place]) }))));
    if (!ahead) rows.reverse();
    const table = make("table", { className: "table" }, make("thead", {}, head), make("tbody", {}, ...rows));
    const box = make("div", { className: "chart-table", tabIndex: 0 }, table);
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", sentence);
    return box;
  }

  draw() {
    if (!this.isConnected) return;
    this.chart ??= init(this.canvas, null, { renderer: "canvas" });
    this.chart.setOption(this.options(colours(this)), true);
  }

  options(c) {
    const { kind, labels, series } = this.figures;
    const bars = kind === "bars";
    const text = { color: c.ink, fontFamily: c.font, fontSize: 12 };
    return {
      animation: false,
      textStyle: text,
      grid: { left: 4, right: 12, top: 10, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      tooltip: {
        trigger: "axis", renderMode: "richText", confine: true, transitionDuration: 0,
        backgroundColor: c.raised, borderColor: c.line, padding: [8, 10],
        textStyle: { ...text, color: c.strong }, axisPointer: { type: bars ? "shadow" : "line", lineStyle: { color: c.ink }, shadowStyle: { color: c.line, opacity: 0.4 } },
        formatter: (points) => [day(points[0].axisValue, LONG_DAY), ...points.map((point) => `${point.seriesName}: ${count(series[point.seriesIndex].values[point.dataIndex])}`)].join("\n"),
      },
      xAxis: {
        type: "category", data: labels, boundaryGap: bars, axisTick: { show: false }, axisLine: { lineStyle: { color: c.line }, onZero: !bars },
        axisLabel: { ...text, formatter: (label) => day(label, DAY), hideOverlap: true, showMinLabel: true, margin: 10 },
      },
      yAxis: { type: "value", scale: !bars, minInterval: 1, splitNumber: 5, splitLine: { lineStyle: { color: c.line } }, axisLabel: { ...text, formatter: axisCount } },
      series: series.map((one) => (bars ? barsOf(one, c) : lineOf(one, c, series.length === 1, labels.length))),
    };
  }
});

function lineOf(one, c, alone, length) {
  const color = c.lines[one.colour - 1];
  return {
    type: "line", name: one.name, data: one.values, symbol: length > 1 ? "none" : "circle", symbolSize: 6,
    lineStyle: { width: 2, color }, itemStyle: { color }, areaStyle: alone ? { color, opacity: 0.08 } : undefined, emphasis: { disabled: true },
  };
}

/** Bars of one stack. */
function barsOf(one, c) {
  return {
    type: "bar", name: one.name, stack: "moves", barMaxWidth: 18, barCategoryGap: "30%", data: one.below ? one.values.map((value) => (value ? -value : value)) : one.values,
    itemStyle: { color: c.lines[one.colour - 1] }, emphasis: { disabled: true },
  };
}

/** The tokens as they are in this theme: only a colour of an element says what light-dark() comes to. */
function colours(probe) {
  const of = (name) => {
    probe.style.color = `var(${name})`;
    const found = getComputedStyle(probe).color;
    probe.style.color = "";
    return found;
  };
  return {
    lines: [1, 2, 3, 4].map((number) => of(`--chart-${number}`)), line: of("--chart-grid"), ink: of("--chart-ink"),
    strong: of("--ink"), raised: of("--raised"), font: getComputedStyle(probe).fontFamily,
  };
}
