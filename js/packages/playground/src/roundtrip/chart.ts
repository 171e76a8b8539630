/** The live plot of round trips: each one, and the lines of p50 and p95. */
import uPlot from "uplot";
import { marksAround, position, thinned } from "./scale.js";
import type { Sample, Summary } from "./stats.js";

/** Labelled marks on the vertical axis. */
const MAX_MARKS = 8;

interface Colors {
  readonly ink: string;
  readonly grid: string;
  readonly line: string;
  readonly high: string;
}

export class RoundTripChart {
  readonly #host: HTMLElement;
  #plot: uPlot | null = null;
  #samples: readonly Sample[] = [];
  #summary: Summary = { p50_ms: null, p95_ms: null, last_ms: null };

  constructor(host: HTMLElement) {
    this.#host = host;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(host);
  }

  show(samples: readonly Sample[], summary: Summary): void {
    this.#samples = samples;
    this.#summary = summary;
    if (this.#plot) this.#plot.setData(this.#data());
    else if (samples.length > 0) this.#build();
  }

  /** Draw again in the colours of the theme. */
  recolor(): void {
    if (this.#plot) this.#build();
  }

  #build(): void {
    this.#plot?.destroy();
    this.#plot = new uPlot(this.#options(themeColors(this.#host)), this.#data(), this.#host);
  }

  #data(): uPlot.AlignedData {
    return [
      this.#samples.map((each) => each.at_s),
      this.#samples.map((each) => position(each.took_ms)),
    ];
  }

  /** The marks of the vertical axis, in milliseconds. */
  #marks(): number[] {
    const times = this.#samples.map((each) => each.took_ms);
    return marksAround(Math.min(...times), Math.max(...times));
  }

  #size(): { width: number; height: number } {
    return { width: this.#host.clientWidth, height: this.#host.clientHeight };
  }

  #options(colors: Colors): uPlot.Options {
    return {
      ...this.#size(),
      padding: [10, 44, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false }, y: { range: () => this.#range() } },
      axes: [this.#timeAxis(colors), this.#levelAxis(colors)],
      series: [
        {},
        {
          stroke: `color-mix(in oklab, ${colors.line} 45%, transparent)`,
          width: 1,
          points: { show: true, size: 4.5, fill: colors.line, stroke: colors.line, width: 0 },
        },
      ],
      hooks: { draw: [(plot) => this.#drawSummary(plot, colors)] },
    };
  }

  #range(): [number, number] {
    const marks = this.#marks();
    return [position(marks[0] ?? 1), position(marks.at(-1) ?? 10)];
  }

  #timeAxis(colors: Colors): uPlot.Axis {
    const values = (_plot: uPlot, seconds: number[]): string[] => seconds.map((s) => `${s} s`);
    return { ...axis(colors), space: 70, size: 26, values };
  }

  #levelAxis(colors: Colors): uPlot.Axis {
    return {
      ...axis(colors),
      size: 56,
      splits: () => thinned(this.#marks(), MAX_MARKS).map(position),
      values: (_plot, levels) =>
        levels.map((level) => `${Number((10 ** level).toPrecision(1))} ms`),
    };
  }

  #drawSummary(plot: uPlot, colors: Colors): void {
    const { p50_ms, p95_ms } = this.#summary;
    const p95_y = p95_ms === null ? null : levelLine(plot, "p95", p95_ms, colors.high, null);
    if (p50_ms !== null) levelLine(plot, "p50", p50_ms, colors.ink, p95_y);
  }
}

/** What both axes have in common. */
function axis(colors: Colors): uPlot.Axis {
  return {
    stroke: colors.ink,
    font: `11px ${getComputedStyle(document.body).fontFamily}`,
    grid: { stroke: colors.grid, width: 1 },
    ticks: { show: false },
  };
}

/** Draw a dashed line across, named at its right end, clear of another label; returns the label's y. */
function levelLine(
  plot: uPlot,
  name: string,
  value: number,
  color: string,
  other_y: number | null,
): number {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  const y = plot.valToPos(position(value), "y", true);
  const isCrowded = other_y !== null && y - other_y < 13 * ratio;
  const label_y = isCrowded ? other_y + 13 * ratio : y;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = color;
  ctx.lineWidth = ratio;
  ctx.setLineDash([4 * ratio, 4 * ratio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.font = `600 ${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  ctx.fillText(name, bbox.left + bbox.width + 8 * ratio, label_y);
  ctx.restore();
  return label_y;
}

/** Canvas knows no CSS variables: let the browser resolve them, `light-dark()` included. */
function themeColors(host: HTMLElement): Colors {
  const probe = document.createElement("span");
  host.append(probe);
  const resolve = (name: string): string => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const colors = {
    ink: resolve("--ink-3"),
    grid: resolve("--line"),
    line: resolve("--kernel"),
    high: resolve("--page"),
  };
  probe.remove();
  return colors;
}
