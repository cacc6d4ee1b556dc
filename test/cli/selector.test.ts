// Label selectors, signals and the names of other tools: what they mean, and what is refused.

import { expect, test } from "bun:test";
import { resolveAlias, withoutKindPrefix } from "../../src/cli/aliases.ts";
import { parseSelector } from "../../src/cli/selector.ts";
import { parseSignal } from "../../src/cli/signals.ts";

const labels = { app: "web", tier: "front", "example.com/owner": "me", empty: "" };

test.each([
  ["app=web", true],
  ["app==web", true],
  ["app = web", true],
  ["app=db", false],
  ["app!=db", true],
  ["none!=x", true],
  ["app=web,tier=front", true],
  ["app=web,tier=back", false],
  ["tier in (back, front)", true],
  ["tier notin (back,front)", false],
  ["none notin (a)", true],
  ["tier in (front),app!=web", false],
  ["example.com/owner", true],
  ["none", false],
  ["!none", true],
  ["!app", false],
  ["empty=", true],
])("%s", (text, fits) => {
  expect(parseSelector(text)(labels)).toBe(fits);
});

test("what is no requirement is refused with what one is", () => {
  expect(() => parseSelector("app=web,=x")).toThrow(
    '--selector: "=x" of "app=web,=x" is no requirement',
  );
  expect(() => parseSelector("")).toThrow("is no requirement");
  expect(() => parseSelector("a in b")).toThrow("is no requirement");
});

test("a label that JavaScript knows is none of the pod's", () => {
  expect(parseSelector("constructor")({})).toBe(false);
});

test("signals have names and numbers", () => {
  const written = ["HUP", "sighup", "SIGKILL", "9", "RTMIN", "RTMIN+3", "SIGRTMAX-1"];
  expect(written.map(parseSignal)).toEqual([1, 1, 9, 9, 34, 37, 63]);
  const wrong = ["", "0", "65", "SIG", "NOPE", "RTMAX+1", "-9", "toString"];
  expect(wrong.map(parseSignal)).toEqual(wrong.map(() => undefined));
});

test("other tools' names lead to ours", () => {
  expect(resolveAlias("get", ["pods", "-o", "json"])).toEqual({
    ...{ name: "ps", words: ["--all", "-o", "json"] },
  });
  expect(resolveAlias("delete", ["pod", "web"])).toEqual({ name: "down", words: ["web"] });
  // A pod may be called pod.
  expect(resolveAlias("delete", ["pod"])).toEqual({ name: "down", words: ["pod"] });
  expect(resolveAlias("apply", ["-f", "web.yaml"])).toEqual({
    ...{ name: "up", words: ["--detach", "-f", "web.yaml"] },
  });
  expect(withoutKindPrefix("pod/web")).toBe("web");
  expect(withoutKindPrefix("team/web")).toBe("team/web");
});
