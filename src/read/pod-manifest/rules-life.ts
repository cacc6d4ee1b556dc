// Rules of probes, hooks and restarts.

import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { each, get, getNumber, getText, itemAt, present } from "./rules-tree.ts";
import type { Item } from "./rules-tree.ts";
import { fieldOf, show } from "./tree.ts";

const probes = ["startupProbe", "livenessProbe", "readinessProbe"];
const probeHandlers = ["exec", "httpGet", "tcpSocket", "grpc"];
const hookHandlers = ["exec", "httpGet", "tcpSocket", "sleep"];
const graceDefaultSeconds = 30;

export function checkLife(container: Item, spec: Item): Flaw[] {
  return [
    ...checkInit(container),
    ...probes.flatMap((key) => {
      const probe = itemAt(container, key);
      return probe ? checkProbe(probe, key, container) : [];
    }),
    ...checkHooks(container, spec),
    ...checkRestarts(container),
  ];
}

/** A plain init container ends before anybody could probe it. */
function checkInit(container: Item): Flaw[] {
  const isPlain =
    container.field.includes("initContainers[") &&
    get(container.tree, "restartPolicy") !== "Always";
  if (!isPlain) return [];
  const message = "forbidden: may not be set for init containers without restartPolicy=Always";
  return present(container.tree, ["lifecycle", ...probes]).map((key) =>
    invalid(fieldOf(container.field, key), message),
  );
}

function checkProbe(probe: Item, key: string, container: Item): Flaw[] {
  const flaws = checkHandler(probe, probeHandlers, container);
  const success = getNumber(probe.tree, "successThreshold") ?? 1;
  if (key !== "readinessProbe" && success > 1) {
    const message = `invalid value ${success}: must be 1`;
    flaws.push(invalid(`${probe.field}.successThreshold`, message));
  }
  const grace = getNumber(probe.tree, "terminationGracePeriodSeconds");
  if (key === "readinessProbe" && grace !== undefined) {
    const message = `invalid value ${grace}: must not be set for readinessProbes`;
    flaws.push(invalid(`${probe.field}.terminationGracePeriodSeconds`, message));
  }
  return flaws;
}

function checkHandler(item: Item, kinds: readonly string[], container: Item): Flaw[] {
  const found = present(item.tree, kinds);
  if (found.length === 0) {
    return [invalid(item.field, "required value: must specify a handler type")];
  }
  if (found.length > 1) {
    const second = fieldOf(item.field, found[1] ?? "");
    return [invalid(second, "forbidden: may not specify more than 1 handler type")];
  }
  return ["httpGet", "tcpSocket"].flatMap((key) => {
    const handler = itemAt(item, key);
    return handler ? checkPort(handler, container) : [];
  });
}

/** A kubelet finds out at every probe, and only its log says so. */
function checkPort({ tree, field }: Item, container: Item): Flaw[] {
  const name = getText(tree, "port");
  // A text that is no name has been complained about.
  if (name === undefined || !/^[-a-z0-9]{1,15}$/.test(name)) return [];
  if (each(container, "ports").some((port) => get(port.tree, "name") === name)) return [];
  const flaw = invalid(`${field}.port`, `not found: ${show(name)}`);
  return [{ ...flaw, hint: "a name must be that of one of the container's ports" }];
}

function checkHooks(container: Item, spec: Item): Flaw[] {
  const lifecycle = itemAt(container, "lifecycle");
  if (!lifecycle) return [];
  const grace = getNumber(spec.tree, "terminationGracePeriodSeconds") ?? graceDefaultSeconds;
  const hooks = ["postStart", "preStop"].flatMap((key) => itemAt(lifecycle, key) ?? []);
  const flaws = hooks.flatMap((hook) => {
    const seconds = getNumber(get(hook.tree, "sleep"), "seconds") ?? 0;
    const rule = `must be non-negative and not more than terminationGracePeriodSeconds (${grace})`;
    const tooLong = seconds > grace;
    return [
      ...checkHandler(hook, hookHandlers, container),
      ...(tooLong
        ? [invalid(`${hook.field}.sleep.seconds`, `invalid value ${seconds}: ${rule}`)]
        : []),
    ];
  });
  const hasSystem = getText(get(spec.tree, "os"), "name") !== undefined;
  if (getText(lifecycle.tree, "stopSignal") !== undefined && !hasSystem) {
    const message = "forbidden: may not be set for containers with OS not set";
    const flaw = invalid(`${lifecycle.field}.stopSignal`, message);
    flaws.push({ ...flaw, hint: "write spec.os.name: linux" });
  }
  return flaws;
}

function checkRestarts(container: Item): Flaw[] {
  const rules = each(container, "restartPolicyRules");
  const flaws = rules.flatMap(({ tree, field }) => {
    const codes = get(tree, "exitCodes");
    if (codes === undefined) return [invalid(`${field}.exitCodes`, "required value")];
    const values = get(codes, "values");
    const isEmpty = values === undefined || (Array.isArray(values) && values.length === 0);
    return isEmpty ? [invalid(`${field}.exitCodes.values`, "required value")] : [];
  });
  if (rules.length > 0 && getText(container.tree, "restartPolicy") === undefined) {
    const message = "required value: must specify restartPolicy when restart rules are used";
    flaws.push(invalid(`${container.field}.restartPolicy`, message));
  }
  return flaws;
}
