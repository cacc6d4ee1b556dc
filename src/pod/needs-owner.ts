// Whether a pod may ever need somebody to decide something about it. By the manifest alone, as
// pod.json has it, so that nobody needs the reader to ask.

type Json = Readonly<Record<string, unknown>>;

const decisive = ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "restartPolicy"];

/** False for a pod that runs to its end, whose keeper knows all that is to be done. */
export function mayNeedOwner(manifest: Json): boolean {
  const spec = asJson(manifest["spec"]);
  if (spec["restartPolicy"] !== "Never") return true; // Left out it is Always.
  if (spec["activeDeadlineSeconds"] !== undefined || listOf(spec["initContainers"]).length > 0) {
    return true;
  }
  return listOf(spec["containers"]).some((one) => decisive.some((key) => asJson(one)[key]));
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function asJson(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}
