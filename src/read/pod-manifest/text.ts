// The kinds of text a manifest is made of, with Kubernetes' limits and its words for breaking them.

import * as z from "zod";
import type { GuestPath, HostPath } from "../../spec/paths.ts";
import { once } from "./fate.ts";
import { readQuantity } from "./quantity.ts";
import type { QuantityUnit } from "./quantity.ts";

/** A message that starts with one of these is complete; any other explains an invalid value. */
export const ownKinds = ["required value", "forbidden:", "duplicate value:", "not found:", "too "];

const labelRegex = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomainRegex = `${labelRegex}(\\.${labelRegex})*`;
const nameRegex = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const pathBytesMax = 4095;

export function checkDnsLabel(value: string): string | undefined {
  if (value === "") return "required value";
  if (value.length > 63) return "must be no more than 63 bytes";
  if (new RegExp(`^${labelRegex}$`).test(value)) return undefined;
  return (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and " +
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex " +
    `used for validation is '${labelRegex}')`
  );
}

export function checkDnsSubdomain(value: string): string | undefined {
  if (value === "") return "required value";
  if (value.length > 253) return "must be no more than 253 bytes";
  if (new RegExp(`^${subdomainRegex}$`).test(value)) return undefined;
  return (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or " +
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used " +
    `for validation is '${subdomainRegex}')`
  );
}

/** Keys of labels and annotations: `name` or `prefix/name`. */
export function checkQualifiedName(value: string): string | undefined {
  const parts = value.split("/");
  const name = parts.at(-1) ?? "";
  if (parts.length > 2) {
    return (
      "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start " +
      "and end with an alphanumeric character with an optional DNS subdomain prefix and '/' " +
      "(e.g. 'example.com/MyName')"
    );
  }
  if (parts.length === 2) {
    const problem = parts[0] === "" ? "must be non-empty" : checkDnsSubdomain(parts[0] ?? "");
    if (problem !== undefined) return `prefix part ${problem}`;
  }
  if (name === "") return "name part must be non-empty";
  if (name.length > 63) return "name part must be no more than 63 bytes";
  if (new RegExp(`^${nameRegex}$`).test(name)) return undefined;
  return (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end " +
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for " +
    `validation is '${nameRegex}')`
  );
}

export function checkLabelValue(value: string): string | undefined {
  if (value.length > 63) return "must be no more than 63 bytes";
  if (new RegExp(`^(${nameRegex})?$`).test(value)) return undefined;
  return (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or " +
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value', " +
    ` or '12345', regex used for validation is '(${nameRegex})?')`
  );
}

function checkEnvName(value: string): string | undefined {
  if (value === "") return "required value";
  if (/^[\x20-\x3c\x3e-\x7e]+$/.test(value)) return undefined;
  const allowed = "printable ASCII characters other than '='";
  return `a valid environment variable name must consist only of ${allowed}`;
}

/** A key of a ConfigMap or a Secret: it names a file. */
export function checkConfigKey(value: string): string | undefined {
  if (value === "") return "required value";
  if (value.length > 253) return "must be no more than 253 characters";
  if (!/^[-._a-zA-Z0-9]+$/.test(value)) {
    return (
      "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. " +
      "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
    );
  }
  if (value === ".") return "must not be '.'";
  return value.startsWith("..") ? "must not start with '..'" : undefined;
}

function checkHeaderName(value: string): string | undefined {
  if (/^[-A-Za-z0-9]+$/.test(value)) return undefined;
  return (
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', " +
    "regex used for validation is '[-A-Za-z0-9]+')"
  );
}

function checkHostnameOverride(value: string): string | undefined {
  if (value.length > 64) return "must be no more than 64 bytes";
  return checkDnsSubdomain(value);
}

/** An empty one is none, as in Go. */
function checkIpAddress(value: string): string | undefined {
  if (value === "" || isIpAddress(value)) return undefined;
  return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
}

export function isIpAddress(value: string): boolean {
  const byte = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
  if (new RegExp(`^${byte}(\\.${byte}){3}$`).test(value)) return true;
  return /^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(value) && URL.canParse(`http://[${value}]`);
}

/** A domain; names of services have underscores in front. */
function checkSearch(value: string): string | undefined {
  if (value === ".") return undefined;
  return checkDnsSubdomain(value.replace(/\.$/, "").replaceAll("_", "a"));
}

function checkImage(value: string): string | undefined {
  if (value === "") return "required value";
  if (value !== value.trim()) return "must not have leading or trailing whitespace";
  if (/\p{Cc}/u.test(value)) return "must not contain control characters";
  return checkPathLength(value);
}

/** IANA service name: a label of at most 15 characters with a letter in it. */
export function checkPortName(value: string): string | undefined {
  if (value.length > 15) return "must be no more than 15 characters";
  if (!/^[-a-z0-9]+$/.test(value)) {
    return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
  }
  if (!/[a-z]/.test(value)) return "must contain at least one letter (a-z)";
  if (value.includes("--")) return "must not contain consecutive hyphens";
  if (/^-|-$/.test(value)) return "must not begin or end with a hyphen";
  return undefined;
}

function checkPathLength(value: string): string | undefined {
  return Buffer.byteLength(value) > pathBytesMax
    ? `must be no more than ${pathBytesMax} bytes`
    : undefined;
}

function checkNoParent(value: string): string | undefined {
  return value.split("/").includes("..") ? "must not contain '..'" : undefined;
}

function checkHostPath(value: string): string | undefined {
  if (value === "") return "required value";
  if (!value.startsWith("/")) return "must be an absolute path";
  return checkNoParent(value) ?? checkPathLength(value);
}

function checkSubPath(value: string): string | undefined {
  if (value.startsWith("/")) return "must be a relative path";
  return checkNoParent(value) ?? checkPathLength(value);
}

function checkRelativePath(value: string): string | undefined {
  if (value === "") return "required value";
  if (value.startsWith("/")) return "must be a relative path";
  const parent = checkNoParent(value);
  if (parent !== undefined) return parent;
  if (value.startsWith("..")) return "must not start with '..'";
  const isEmpty = value.split("/").every((name) => name === "" || name === ".");
  return isEmpty ? "must name a file" : checkPathLength(value);
}

const mediums = ["", "HugePages", "HugePages-<SIZE>", "Memory"];

function checkMedium(value: string): string | undefined {
  if (value === "" || value === "Memory" || /^HugePages(-.+)?$/.test(value)) return undefined;
  return `supported values: ${mediums.map((medium) => JSON.stringify(medium)).join(", ")}`;
}

function checkWorkingDir(value: string): string | undefined {
  return value !== "" && !value.startsWith("/")
    ? "must be an absolute path"
    : checkPathLength(value);
}

function checkMountPath(value: string): string | undefined {
  if (value === "") return "required value";
  if (cleanGuestPath(value) === "/") return "must not be the root of the container";
  return checkPathLength(value);
}

export function text(check: (value: string) => string | undefined): z.ZodString {
  return z.string().superRefine((value, context) => {
    const message = check(value);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });
}

// Every manifest has a name, a container's name and an image; the rest is made when it is met.
export const DnsLabel = text(checkDnsLabel);
export const DnsSubdomain = text(checkDnsSubdomain);
export const Image = text(checkImage);
export const EnvName = once(() => text(checkEnvName));
export const EnvPrefix = once(() =>
  text((value) => (value === "" ? undefined : checkEnvName(value))),
);
export const PortName = once(() => text(checkPortName));
export const QualifiedName = once(() =>
  text((value) => (value === "" ? "required value" : checkQualifiedName(value))),
);
/** Empty means "as if left out", as in Go. */
export const Hostname = once(() =>
  text((value) => (value === "" ? undefined : checkDnsLabel(value))),
);
export const HostnameOverride = once(() => text(checkHostnameOverride));
export const ConfigKey = once(() => text(checkConfigKey));
export const HeaderName = once(() => text(checkHeaderName));
export const IpAddress = once(() => text(checkIpAddress));
export const Search = once(() => text(checkSearch));

export const GuestPathText = once(() => text(checkMountPath).transform(cleanGuestPath));
export const WorkingDir = once(() =>
  text(checkWorkingDir).transform((value) => (value === "" ? undefined : cleanGuestPath(value))),
);
export const HostPathText = once(() =>
  // Checked to be absolute; nothing else makes a path one of the host.
  text(checkHostPath).transform((value) => value as HostPath),
);
/** `undefined` when nothing is left of it: the volume itself. */
export const SubPath = once(() =>
  text(checkSubPath).transform((value) => {
    const names = value.split("/").filter((name) => name !== "" && name !== ".");
    return names.length === 0 ? undefined : names.join("/");
  }),
);
/** Cleaned when its variables have their values. */
export const SubPathExpr = once(() =>
  text(checkSubPath).transform((value) => (value === "" ? undefined : value)),
);
/** A file in a volume whose files are written. */
export const RelativePath = once(() =>
  text(checkRelativePath).transform((value) =>
    value
      .split("/")
      .filter((name) => name !== "" && name !== ".")
      .join("/"),
  ),
);
export const Medium = once(() =>
  // Checked to be one.
  text(checkMedium).transform((value) => value as "" | "Memory" | `HugePages${string}`),
);

/** Lexically, as the kubelet does it: a relative path starts at the root. */
export function cleanGuestPath(value: string): GuestPath {
  const names: string[] = [];
  for (const name of value.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  // Absolute and clean by construction.
  return `/${names.join("/")}` as GuestPath;
}

/** Thousandths of a CPU or bytes; the text is what Kubernetes calls a quantity. */
export function quantity(unit: QuantityUnit) {
  return z
    .union([z.string(), z.number()], { error: "must be a quantity such as 500m, 2, 64Mi or 1Gi" })
    .transform((value, context) => {
      const read = readQuantity(String(value), unit);
      const problem =
        "problem" in read
          ? read.problem
          : read.value < 0
            ? "must be greater than or equal to 0"
            : undefined;
      if (problem === undefined && "value" in read) return read.value;
      context.addIssue({ code: "custom", message: problem ?? "is not a quantity" });
      return z.NEVER;
    });
}
