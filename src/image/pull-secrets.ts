// The Secrets that a pod names in imagePullSecrets, as credentials are looked for in them.

import type { PodSpec } from "../spec/pod-spec.ts";
import type { PullSecret } from "./types.ts";

/** One that is not there or of another kind is passed over with a warning, as kubelets do. */
export function pullSecretsOf(
  spec: Pick<PodSpec, "namespace" | "objects" | "pullSecrets">,
  warn: (message: string) => void,
): PullSecret[] {
  return spec.pullSecrets.flatMap((name) => {
    const secret = spec.objects.secrets.get(name);
    const type = secret?.type;
    if (type !== "kubernetes.io/dockerconfigjson" && type !== "kubernetes.io/dockercfg") {
      const why = secret ? `has type ${JSON.stringify(type)}` : "is not among the manifests";
      warn(`the image pull secret ${name} ${why}; images are pulled without it`);
      return [];
    }
    const key = type === "kubernetes.io/dockercfg" ? ".dockercfg" : ".dockerconfigjson";
    const text = secret?.texts.get(key);
    const data = text === undefined ? secret?.binaries.get(key) : new TextEncoder().encode(text);
    if (data !== undefined) return [{ name: `${spec.namespace}/${name}`, type, data }];
    warn(`the image pull secret ${name} has no ${key}; images are pulled without it`);
    return [];
  });
}
