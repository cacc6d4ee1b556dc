// All plots that the samples of a report suffice for, in the order in which they are read.
import {
  joinPlot,
  memoryPlot,
  type Plot,
  startPlot,
  sustainedPlot,
  throughputPlot,
} from "./plots.ts";
import { forestPlots, waterfallPlots } from "./rows.ts";
import type { Report } from "./schema.ts";

export function drawPlots(report: Report): Plot[] {
  const plots = [
    joinPlot,
    startPlot,
    waterfallPlots,
    forestPlots,
    throughputPlot,
    memoryPlot,
    sustainedPlot,
  ];
  return plots.flatMap((plot) => plot(report));
}
