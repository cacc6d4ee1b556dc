// Elements of SVG as text, and the look that all plots have, by day and by night.

type Attributes = Readonly<Record<string, string | number>>;

export function element(name: string, attributes: Attributes, ...children: string[]): string {
  const written = Object.entries<string | number>(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? round(value) : escape(value)}"`)
    .join("");
  const content = children.join("");
  return content === "" ? `<${name}${written}/>` : `<${name}${written}>${content}</${name}>`;
}

export function label(text: string, attributes: Attributes, tip = ""): string {
  const title = tip === "" ? "" : element("title", {}, escape(tip));
  return element("text", attributes, title, escape(text));
}

export function escape(text: string): string {
  const names: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
  };
  return text.replaceAll(/[&<>"]/g, (character) => names[character] ?? character);
}

/** A hundredth of a pixel cannot be seen. */
const round = (value: number): string => String(Math.round(value * 100) / 100);

/** Told apart also by who sees few colours (Okabe and Ito); the floors are grey. */
const day = "#0072b2 #6b6b6b #a8a8a8 #d55e00 #b8860b #009e73 #cc79a7 #56b4e9 #8c564b #444b9e";
const night = "#4db2ff #b0b0b0 #7a7a7a #ff8c42 #e6b422 #2fd6a3 #f0a3cc #9bd7ff #c9998c #9aa2ff";
export const colours = day.split(" ").length;

const paints = (palette: string): string =>
  palette
    .split(" ")
    .map((colour, index) => `--s${index}:${colour};`)
    .join("");

const light = `--ink:#1f2328;--soft:#59636e;--grid:#d9dee3;--paper:#ffffff;${paints(day)}`;
const dark = `--ink:#e6edf3;--soft:#9198a1;--grid:#30363d;--paper:#0d1117;${paints(night)}`;

const series = Array.from(
  { length: colours },
  (_, index) =>
    `.line.s${index}{stroke:var(--s${index})}.mark.s${index},.band.s${index},` +
    `.name.s${index}{fill:var(--s${index})}`,
).join("");

export const themeCss = `:root{color-scheme:light dark;${light}}
@media (prefers-color-scheme:dark){:root{${dark}}}`;

export const plotCss = `.plot text{font:12px system-ui,sans-serif;fill:var(--ink)}
.plot .title{font-size:15px;font-weight:600}.plot .soft{fill:var(--soft)}
.plot .grid{stroke:var(--grid);stroke-width:1}.plot .axis{stroke:var(--soft);stroke-width:1}
.plot .line{fill:none;stroke-width:1.8}.plot .thin{stroke-width:1}
.plot .dashed{stroke-dasharray:5 4}.plot .band{opacity:.18}.plot .mark{opacity:.9}
.plot .paper{fill:var(--paper)}.plot .name{font-weight:600}
${series
  .replaceAll(".line.", ".plot .line.")
  .replaceAll(".mark.", ".plot .mark.")
  .replaceAll(".band.", ".plot .band.")
  .replaceAll(".name.", ".plot .name.")}`;

export type Size = { readonly width: number; readonly height: number };

/** A picture that stands alone: as a file, and inside a page. */
export function picture(title: string, size: Size, ...children: string[]): string {
  const { width, height } = size;
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      class: "plot",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-label": title,
    },
    element("style", {}, themeCss, "\n", plotCss),
    element("rect", { class: "paper", width, height, rx: 6 }),
    ...children,
  );
}
