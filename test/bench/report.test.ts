// Tables, plots, the page and the comparison of two results.

import { describe, expect, test } from "bun:test";
import { compareReports, printChanges } from "../../bench/report/compare.ts";
import { withFigures } from "../../bench/report/figures.ts";
import { drawPlots } from "../../bench/report/draw.ts";
import { printPage } from "../../bench/report/page.ts";
import { parseReport } from "../../bench/report/schema.ts";
import { printBench } from "../../bench/report/terminal.ts";
import { benchOf, cellOf, joinBench, launchBench, reportOf, up } from "./report-fixture.ts";

const report = reportOf([launchBench(), joinBench(100)]);

test("the table shows medians with bars, and tells failures and absences", () => {
  expect(printBench(report, launchBench())).toBe(
    `launch: what about launch (isolated)

up · 2 containers · launch                            p50 µs       95 %   p90   p99  CPU µs  n  ratio (95 %)
peapod                      ██▍                          200    190–210   208   210          3  2.00 × floor (2.00–2.00)
floor                       █▎                           100   95.0–105   104   105          3
peapod (source)             ████████████████████████    2000  1900–2100  2080  2098          3
crun                        ████████████                1000   950–1050  1040  1049          3  0.50 × peapod (source) (0.50–0.50); 5.00 × call of peapod (5.00–5.00)

crun: failed in round 3: it <broke> (2 containers, launch)
runc: absent: not installed (2 containers, launch)

4 rounds, 1 of them disturbed and left out; 90 ms stolen by the hypervisor; load 0.1 before and 0.4 after; seed 1`,
  );
});

describe("plots", () => {
  const plots = drawPlots(report);

  test("are there for what was measured, and only for that", () => {
    expect(plots.map(({ name }) => name)).toEqual([
      "join",
      "start",
      "waterfall-peapod",
      "ratio-floor",
      "ratio-command",
      "ratio-call",
    ]);
    expect(drawPlots({ ...reportOf([]), waterfalls: [] })).toEqual([]);
  });

  test("are well-formed, without a number that is none", async () => {
    for (const { name, svg } of plots) {
      const odd = /NaN|undefined|Infinity|&(?!(amp|lt|gt|quot);)/.exec(svg)?.[0];
      expect([name, odd]).toEqual([name, undefined]);
      const open: string[] = [];
      const check = (tag: string) => open.push(tag);
      for (const [, close, tag = "", self] of svg.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)) {
        if (close === "/") expect([name, open.pop()]).toEqual([name, tag]);
        else if (self !== "/") check(tag);
      }
      expect([name, open]).toEqual([name, []]);
    }
  });

  test("stay inside their picture", () => {
    for (const { name, svg } of plots) {
      const [, width = "0", height = "0"] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg) ?? [];
      const all = (attributes: string) =>
        [...svg.matchAll(new RegExp(` (?:${attributes})="(-?[\\d.]+)"`, "g"))].map((m) => +m[1]!);
      const [across, down] = [all("x|x1|x2|cx"), all("y|y1|y2|cy")];
      const ends = [Math.min(...across, ...down) >= 0, Math.max(...across) <= +width];
      expect([name, ...ends, Math.max(...down) <= +height]).toEqual([name, true, true, true]);
    }
  });
});

describe("the page", () => {
  const page = printPage(reportOf([launchBench(2), joinBench(100)]));

  test("needs nothing from elsewhere", () => {
    expect(page).not.toMatch(/<script|<link|\bsrc=|url\(|@import/);
    expect(page.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:/);
  });

  test("has all plots, claims by the worse end, and what is missing", () => {
    expect(page.match(/<figure>/g)).toHaveLength(6);
    const claim = "peapod is at least 5.00 × as fast as crun";
    expect(printPage(report)).not.toContain(claim); // Three rounds are too few.
    expect(page).toContain("peapod is at least 5.00 × as fast as crun");
    expect(page).not.toContain("× as fast as peapod (source)");
    expect(page).toContain("failed in round 3: it &lt;broke&gt;");
    expect(page).toContain("absent: not installed");
    expect(page).toContain("2 × &lt;something&gt;");
  });
});

describe("the figures of the documentation", () => {
  const marks = "before\n\n<!-- figures: written by `bun run bench figures`, not by hand -->\nold";
  const text = `${marks}\n<!-- end of figures -->\n\nafter\n`;

  test("replace what stands between the marks, and are the same the second time", () => {
    const once = withFigures(text, reportOf([launchBench(2), joinBench(100)]));
    expect(once).toStartWith("before\n");
    expect(once).toEndWith("\n<!-- end of figures -->\n\nafter\n");
    expect(once).not.toContain("old");
    expect(once).toMatch(/\| up · 2 containers +\| 100 +\| 200 µs \| 210 \| 210 \| 2\.00 \(2\.00–/);
    expect(withFigures(once, reportOf([launchBench(2), joinBench(100)]))).toBe(once);
  });

  test("are not written where there are no marks", () => {
    expect(() => withFigures("text", report)).toThrow(/^the text has no /);
  });
});

describe("a result in a file", () => {
  test("is read back as it was written", () => {
    expect(parseReport(JSON.parse(JSON.stringify(report)), "a.json")).toEqual(report);
  });

  test("that is none says where it is wrong", () => {
    const wrong = { ...report, benches: [{ ...launchBench(), regime: "whatever" }] };
    expect(() => parseReport(wrong, "a.json")).toThrow(
      /^a\.json is no report of a benchmark: \/benches\/0\/regime /,
    );
  });
});

describe("two results", () => {
  const older = reportOf([
    benchOf("launch", [
      cellOf("peapod", up(200, 210, 190)),
      cellOf("floor", up(100, 105, 95)),
      cellOf("crun", up(1000, 1000, 1000)),
    ]),
  ]);
  const younger = reportOf([
    benchOf("launch", [
      cellOf("peapod", up(400, 410, 390)),
      cellOf("floor", up(101, 106, 96)),
      cellOf("crun", up(500, 510, 490)),
    ]),
  ]);

  test("differ where the intervals do not meet", () => {
    const verdicts = compareReports(older, younger).map(({ subject, verdict }) => [
      subject,
      verdict,
    ]);
    expect(verdicts).toEqual([
      ["peapod", "worse"],
      ["floor", "same"],
      ["crun", "better"],
    ]);
  });

  test("a lower rate is worse", () => {
    const rates = (rate: number) =>
      reportOf([benchOf("throughput", [cellOf("peapod", [{ rate: [rate] }, { rate: [rate] }])])]);
    expect(compareReports(rates(300), rates(200)).map(({ verdict }) => verdict)).toEqual(["worse"]);
  });

  test("of different machines say so", () => {
    const elsewhere = { ...younger, environment: { ...younger.environment, kernel: "6.18" } };
    expect(printChanges(older, elsewhere)).toStartWith(
      "the machines were not the same:\n  kernel: 6.1.0 → 6.18\n\n",
    );
    expect(printChanges(older, younger)).toEndWith(
      "1 better, 1 worse, 1 not told apart; what only one of the two has is not shown",
    );
  });
});
