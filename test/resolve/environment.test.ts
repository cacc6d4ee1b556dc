import { describe, expect, test } from "bun:test";
import { cpus, hostname } from "node:os";
import { expandProbeCommand } from "../../src/resolve/environment.ts";
import { noObjects } from "../../src/spec/objects.ts";
import type { ContainerSpec, EnvSource, PodSpec, ResourceList } from "../../src/spec/pod-spec.ts";
import { dataObject, refusal, resolved, someUid, specOf } from "../support/specs.ts";

const field = (index: number) => ({ field: `spec.containers[0].env[${index}]` });

function value(name: string, text: string): EnvSource {
  return { ...field(0), kind: "value", name, value: text };
}

function key(
  name: string,
  object: "configMap" | "secret",
  wanted: string,
  optional = false,
): EnvSource {
  return { ...field(0), kind: "key", name, object, objectName: "it", key: wanted, optional };
}

function all(object: "configMap" | "secret", objectName: string, prefix = ""): EnvSource {
  const at = { field: "spec.containers[0].envFrom[0]" };
  return { ...at, kind: "all", prefix, object, objectName, optional: false };
}

function fieldRef(name: string, path: string): EnvSource {
  return { ...field(0), kind: "ref", name, ref: { kind: "fieldRef", path } };
}

const objects = {
  ...noObjects,
  configMaps: new Map([
    dataObject("it", { plain: "text", A: "from the map", blob: Uint8Array.of(255) }),
    dataObject("odd", { "a=b": "1", "": "2", späße: "3", "with.dot and blank": "4" }),
    dataObject("later", { A: "from the later map" }),
  ]),
  secrets: new Map([dataObject("it", { password: "canary", A: "from the secret" })]),
};

/** Without what the runtime adds. */
function envOf(env: readonly EnvSource[], more: Partial<PodSpec> = {}, options = {}): string[] {
  const [app] = resolved(specOf({ env }, { objects, ...more }), options).containers;
  return (app?.env ?? []).filter((entry) => !/^(PATH|HOME|HOSTNAME)=/.test(entry));
}

describe("the order of variables", () => {
  test("a value sees the variables above it, command and args see all", () => {
    const env = [
      value("LATE", "$(HOST):80"),
      value("HOST", "web"),
      value("URL", "http://$(HOST)"),
      value("HOST", "db"),
    ];
    const command = ["echo", "$(HOST)"];
    const args = ["$(URL)", "$(LATE)", "$$(URL)", "$(HOME)"];
    const [app] = resolved(specOf({ env, command, args })).containers;
    expect(app?.env.slice(-3)).toEqual(["LATE=$(HOST):80", "HOST=db", "URL=http://web"]);
    expect(app?.argv).toEqual(["echo", "db", "http://web", "$(HOST):80", "$(URL)", "$(HOME)"]);
  });

  test("envFrom comes first, a later one wins, and env has the last word", () => {
    const [early, late] = [all("configMap", "it"), all("configMap", "later")];
    expect(envOf([early, late])).toContain("A=from the later map");
    expect(envOf([late, early])).toContain("A=from the map");
    expect(envOf([early, all("secret", "it")])).toContain("A=from the secret");
    expect(envOf([early, value("B", "<$(A)>"), value("A", "own")])).toEqual([
      "plain=text",
      "A=own",
      "B=<from the map>",
    ]);
  });

  test("what comes from a reference is taken as it is", () => {
    const configMaps = new Map([dataObject("it", { text: "$(A) $$(A)" })]);
    const env = [value("A", "one"), key("B", "configMap", "text"), value("C", "$(B)")];
    expect(envOf(env, { objects: { ...objects, configMaps } })).toEqual([
      "A=one",
      "B=$(A) $$(A)",
      "C=$(A) $$(A)",
    ]);
  });

  test("the host's own variables are never there", () => {
    process.env.PEAPOD_TEST_CANARY = "yes";
    const [app] = resolved(specOf()).containers;
    delete process.env.PEAPOD_TEST_CANARY;
    expect(app?.env.map((entry) => entry.split("=")[0])).toEqual(["PATH", "HOSTNAME", "HOME"]);
  });

  test("the image's variables lie below, and are no names to expand", () => {
    const [app] = resolved(
      specOf({ env: [value("PATH", "/own"), value("P", "$(HOME)")] }),
    ).containers;
    expect(app?.env).toEqual(["PATH=/own", "HOSTNAME=web", "HOME=/root", "P=$(HOME)"]);
  });
});

describe("envFrom", () => {
  test("a prefix stands before every key", () => {
    expect(envOf([all("configMap", "it", "P_")])).toEqual(["P_plain=text", "P_A=from the map"]);
  });

  test("keys that are no names of variables are left out, and told", () => {
    const told: string[] = [];
    const warn = (message: string) => void told.push(message);
    expect(envOf([all("configMap", "odd")], {}, { warn })).toEqual(["with.dot and blank=4"]);
    expect(told).toEqual([
      `spec.containers[0].envFrom[0]: keys "a=b", "", "späße" of ConfigMap default/odd are no ` +
        `names of variables and were left out`,
    ]);
  });

  test("an object that is missing is an error unless it is optional", () => {
    const missing = all("configMap", "gone");
    const spec = specOf({ env: [missing] }, { objects });
    expect(refusal(spec)).toBe(`\
error[object.not-found] configmap "gone" not found
  from   spec.containers[0].envFrom[0]
  hint   give the object's manifest together with the pod's, or write optional: true`);
    expect(envOf([{ ...missing, optional: true } as EnvSource])).toEqual([]);
  });
});

describe("keys of objects", () => {
  test("a missing key is an error unless it is optional; binary data is none", () => {
    const spec = (wanted: string) => specOf({ env: [key("X", "configMap", wanted)] }, { objects });
    for (const wanted of ["gone", "blob"]) {
      expect(refusal(spec(wanted))).toBe(`\
error[object.key-missing] couldn't find key ${wanted} in ConfigMap default/it
  from   spec.containers[0].env[0]
  hint   correct the key, or write optional: true`);
    }
    expect(envOf([key("X", "configMap", "gone", true)])).toEqual([]);
    expect(refusal(specOf({ env: [key("X", "secret", "nope")] }, { objects }))).toContain(
      "couldn't find key nope in Secret default/it",
    );
  });
});

describe("fieldRef", () => {
  const metadata = {
    namespace: "shop",
    labels: { app: "web", "example.com/tier": "front" },
    annotations: { note: 'say "hi"\n' },
  };
  const network = { podIPs: ["10.1.0.2", "fd00::2"], hostIPs: ["192.0.2.1"] };
  test.each([
    ["metadata.name", "web"],
    ["metadata.namespace", "shop"],
    ["metadata.uid", someUid],
    ["metadata.labels['app']", "web"],
    ["metadata.labels['example.com/tier']", "front"],
    ["metadata.labels['gone']", ""],
    ["metadata.annotations['note']", 'say "hi"\n'],
    ["spec.nodeName", hostname().toLowerCase()],
    ["spec.serviceAccountName", "default"],
    ["status.hostIP", "192.0.2.1"],
    ["status.hostIPs", "192.0.2.1"],
    ["status.podIP", "10.1.0.2"],
    ["status.podIPs", "10.1.0.2,fd00::2"],
  ])("%s", (path, expected) => {
    expect(envOf([fieldRef("X", path)], metadata, { network })).toEqual([`X=${expected}`]);
  });

  test("a pod without a network is at its own loopback, and the node has a name", () => {
    const env = ["status.podIP", "status.podIPs", "spec.nodeName"].map((path) =>
      fieldRef(path, path),
    );
    expect(envOf(env)).toEqual([
      "status.podIP=127.0.0.1",
      "status.podIPs=127.0.0.1",
      `spec.nodeName=${hostname().toLowerCase()}`,
    ]);
  });
});

describe("resourceFieldRef", () => {
  const Mi = 2 ** 20;
  const ref = (resource: string, divisor?: string, container?: string): EnvSource => ({
    ...field(0),
    kind: "ref",
    name: "X",
    ref: {
      kind: "resourceFieldRef",
      resource,
      ...(divisor !== undefined && { divisor }),
      ...(container !== undefined && { container }),
    },
  });
  const limits: ResourceList = {
    cpuMilli: 1500,
    memoryBytes: 100 * Mi + 1,
    ephemeralStorageBytes: 10 ** 9,
    hugepages: { "2MB": 4 * Mi },
  };
  const requests: ResourceList = { ...limits, cpuMilli: 250 };
  const ask = (
    source: EnvSource,
    container: Partial<ContainerSpec>,
    pod: Partial<PodSpec> = {},
  ) => {
    const spec = specOf({ ...container, env: [source] }, { objects, ...pod });
    const [app] = resolved(spec).containers;
    return app?.env.find((entry) => entry.startsWith("X="))?.slice(2);
  };
  test.each([
    ["limits.cpu", undefined, "2"],
    ["limits.cpu", "1", "2"],
    ["limits.cpu", "0", "2"],
    ["limits.cpu", "1m", "1500"],
    ["requests.cpu", undefined, "1"],
    ["requests.cpu", "1m", "250"],
    ["limits.memory", undefined, String(100 * Mi + 1)],
    ["limits.memory", "1Mi", "101"],
    ["limits.memory", "1M", "105"],
    ["limits.memory", "1k", "104858"],
    ["limits.memory", "1E", "1"],
    ["limits.ephemeral-storage", "1G", "1"],
    ["requests.hugepages-2Mi", "1Mi", "4"],
  ])("%s by %p is rounded up", (resource, divisor, expected) => {
    expect(ask(ref(resource, divisor), { resources: { requests, limits } })).toBe(expected);
  });

  test("a limit that is not set is the pod's, else the node's; a request is 0", () => {
    const none = { resources: { requests: {}, limits: {} } };
    const pod = { resources: { requests: {}, limits: { cpuMilli: 700, memoryBytes: 5 * Mi } } };
    expect(ask(ref("limits.cpu", "1m"), none, pod)).toBe("700");
    expect(ask(ref("limits.memory"), none, pod)).toBe(String(5 * Mi));
    expect(ask(ref("limits.cpu", "1m"), none)).toBe(String(cpus().length * 1000));
    expect(ask(ref("limits.memory"), none)).toBe(String(8 * 2 ** 30));
    expect(Number(ask(ref("limits.ephemeral-storage"), none))).toBeGreaterThan(Mi);
    expect(ask(ref("requests.memory"), none)).toBe("0");
    expect(ask(ref("limits.hugepages-1Gi"), none)).toBe("0");
  });

  test("another container's is named; one that is not there is an error", () => {
    const spec = specOf({ env: [ref("limits.cpu", "1m", "side")] });
    const [app] = spec.containers;
    const side = { ...app!, name: "side", env: [], resources: { requests, limits } };
    const pod = resolved({ ...spec, containers: [app!, side] });
    expect(pod.containers[0]?.env).toContain("X=1500");
    expect(refusal(spec)).toContain('there is no container "side"');
  });
});

describe("what execve can take", () => {
  const line = (length: number) => specOf({ args: ["x".repeat(length)] });

  test("what the kernel would refuse as too long is refused with its place", () => {
    expect(refusal(line(131_071))).toBe("");
    expect(refusal(line(131_072))).toBe(
      `error[manifest.invalid] spec.containers[0].args[0]: too long: may not be more than 131071 bytes
  from   spec.containers[0].args[0]`,
    );
    expect(refusal(specOf({ env: [value("A", "x".repeat(131_070))] }))).toBe(
      `error[manifest.invalid] spec.containers[0].env[0]: too long: may not be more than 131071 bytes
  from   spec.containers[0].env[0]`,
    );
  });

  test("variables that multiply each other are refused before they are large", () => {
    const doubled = Array.from({ length: 40 }, (_, index): EnvSource => {
      const text = index === 0 ? "x" : `$(V${index - 1})$(V${index - 1})`;
      return { ...field(index), kind: "value", name: `V${index}`, value: text };
    });
    expect(refusal(specOf({ env: doubled }))).toStartWith(
      "error[manifest.invalid] spec.containers[0].env[17]: too long: may not be more than 131071",
    );
    expect(refusal(specOf({ args: Array(5).fill("x".repeat(110_000)) }))).toBe(
      `error[manifest.invalid] spec.containers[0]: too long: command, args and env are more than 524288 bytes
  from   spec.containers[0]`,
    );
    const words = Array(4000).fill("x");
    expect(refusal(specOf({ args: words, command: words }))).toBe(
      `error[manifest.invalid] spec.containers[0]: too many: command, args and env have more than 4096 entries
  from   spec.containers[0]`,
    );
  });

  test("a NUL in a Secret's value is refused, and the value is not shown", () => {
    const secrets = new Map([dataObject("it", { password: "canary\0" })]);
    const spec = specOf(
      { env: [key("P", "secret", "password")] },
      { objects: { ...objects, secrets } },
    );
    expect(refusal(spec)).toContain("has a NUL byte");
    expect(refusal(spec)).not.toContain("canary");
  });
});

describe("an exec probe's command", () => {
  test("sees what is written in the manifest, and nothing of what that refers to", () => {
    const env = [
      value("A", "one"),
      value("B", "$(A)"),
      key("C", "configMap", "plain"),
      all("configMap", "it"),
    ];
    expect(expandProbeCommand({ env }, ["$(A)", "$(B)", "<$(C)>", "$(plain)", "$$(A)"])).toEqual([
      "one",
      "$(A)",
      "<>",
      "$(plain)",
      "$(A)",
    ]);
  });
});

describe("subPathExpr", () => {
  const at = "spec.containers[0].volumeMounts[0]";
  const mount = (subPathExpr: string) => ({
    name: "v",
    field: at,
    mountPath: "/v" as never,
    readOnly: false,
    subPathExpr,
    propagation: "None" as const,
    recursiveReadOnly: "Disabled" as const,
  });
  const volumes = [{ name: "v", field: "spec.volumes[0]", kind: "emptyDir", medium: "" }] as const;
  const spec = (expr: string, env: readonly EnvSource[] = []) =>
    specOf({ env, volumeMounts: [mount(expr)] }, { volumes, objects });
  const env = [
    value("POD", "web-0"),
    value("EMPTY", ""),
    value("UP", "a/../b"),
    value("ABS", "/a"),
  ];

  test("is expanded by the container's own variables", () => {
    const [app] = resolved(spec("$(POD)/logs", env)).containers;
    expect(app?.mounts[0]?.subPath).toBe("web-0/logs");
  });

  test("a name that is missing or empty is an error, and so is a way out", () => {
    const complaint = (expr: string) => refusal(spec(expr, env)).split("\n")[0];
    const wrong = `error[manifest.invalid] ${at}.subPathExpr: `;
    expect(complaint("$(POD)/$(NONE)/$(EMPTY)")).toBe(
      `${wrong}missing value for EMPTY, NONE: $(POD)/$(NONE)/$(EMPTY) cannot be expanded`,
    );
    expect(complaint("$(UP)")).toBe(`${wrong}must not expand to contain '..'`);
    expect(complaint("$(ABS)")).toBe(`${wrong}must expand to a relative path`);
  });
});

describe("secrets", () => {
  test("every text that holds a Secret's value is known", () => {
    const env = [
      key("PASSWORD", "secret", "password"),
      value("URL", "http://me:$(PASSWORD)@db"),
      value("PLAIN", "$(URL"),
      key("OPEN", "configMap", "plain"),
      key("GONE", "secret", "password"),
      value("GONE", "overwritten"),
    ];
    const spec = specOf({ env, args: ["--url=$(URL)", "--plain=$(OPEN)"] }, { objects });
    const [app] = resolved(spec).containers;
    expect([...(app?.secrets ?? [])].toSorted()).toEqual([
      "--url=http://me:canary@db",
      "PASSWORD=canary",
      "URL=http://me:canary@db",
    ]);
  });
});
