import { describe, expect, test } from "bun:test";
import type { ContainerView } from "../../../src/pod/life/order.ts";
import { decide, outcomeOf } from "../../../src/pod/life/order.ts";

type Kind = ContainerView["kind"];

function view(name: string, kind: Kind, changes: Partial<ContainerView> = {}): ContainerView {
  return {
    ...{ name, kind, state: "none", isStarted: false, isHookDue: false, exitCode: 0 },
    ...{ verdict: "no", ...changes },
  };
}

const init = (changes?: Partial<ContainerView>) => view("init", "init", changes);
const sidecar = (changes?: Partial<ContainerView>) => view("sidecar", "sidecar", changes);
const regular = (changes?: Partial<ContainerView>) => view("main", "container", changes);
const running = { state: "running", isStarted: true } as const;
const done = { state: "exited" } as const;
const crashed = { state: "exited", exitCode: 1, verdict: "restart" } as const;

describe("the order of start", () => {
  test("init containers one by one, to success", () => {
    const pod = (first: ContainerView, second: ContainerView) => [first, second, regular()];
    expect(decide(pod(init(), init()))).toEqual({ run: [0] });
    expect(decide(pod(init({ state: "launching" }), init()))).toEqual({ run: [] });
    expect(decide(pod(init(running), init()))).toEqual({ run: [] });
    expect(decide(pod(init(done), init()))).toEqual({ run: [1] });
    expect(decide(pod(init(crashed), init()))).toEqual({ run: [0] });
    expect(decide(pod(init(done), init(done)))).toEqual({ run: [2] });
  });

  test("a sidecar counts when it is started, not when it runs", () => {
    expect(decide([sidecar(), init(), regular()])).toEqual({ run: [0] });
    expect(decide([sidecar({ state: "running" }), init(), regular()])).toEqual({ run: [] });
    expect(decide([sidecar(running), init(), regular()])).toEqual({ run: [1] });
  });

  test("a sidecar that crashes is run again while later init containers go on", () => {
    const pod = [sidecar(crashed), init({ state: "running" }), regular()];
    expect(decide(pod)).toEqual({ run: [0] });
    expect(decide([sidecar(crashed), init(), regular()])).toEqual({ run: [0] });
  });

  test("regular containers all at once, up to the first whose hook has still to run", () => {
    expect(decide([regular(), regular(), regular()])).toEqual({ run: [0, 1, 2] });
    const hooked = { isHookDue: true };
    expect(decide([regular(), regular(hooked), regular()])).toEqual({ run: [0, 1] });
    const waiting = [regular(running), regular({ state: "running", ...hooked }), regular()];
    expect(decide(waiting)).toEqual({ run: [] });
    expect(decide([regular(running), regular(running), regular()])).toEqual({ run: [2] });
  });

  test("an init container that may not run again fails the pod", () => {
    const failed = init({ state: "exited", exitCode: 3 });
    expect(decide([failed, regular()])).toEqual({ run: [], end: "init-failed" });
  });

  test("what init containers did is not looked at again once regular ones run", () => {
    const lost = init({ state: "none" });
    expect(decide([lost, sidecar(crashed), regular(crashed)])).toEqual({ run: [1, 2] });
  });

  test("one failing container does not hold up the others", () => {
    expect(decide([regular(crashed), regular()])).toEqual({ run: [0, 1] });
  });
});

describe("the end", () => {
  test("comes when no regular container runs or will run, whatever the sidecars do", () => {
    expect(decide([sidecar(running), regular(done)])).toEqual({ run: [], end: "finished" });
    expect(decide([sidecar(crashed), regular(done)])).toEqual({ run: [], end: "finished" });
    expect(decide([regular(done), regular(running)])).toEqual({ run: [] });
  });

  test("is a success when all exited with 0", () => {
    expect(outcomeOf([sidecar({ exitCode: 1 }), regular()])).toBe("Succeeded");
    expect(outcomeOf([regular(), regular({ exitCode: 1 })])).toBe("Failed");
  });
});

test("a rule may have everything start over", () => {
  const pod = [init(done), regular({ ...crashed, verdict: "restart-all" }), regular(running)];
  expect(decide(pod)).toEqual({ run: [], restartAll: 1 });
});
