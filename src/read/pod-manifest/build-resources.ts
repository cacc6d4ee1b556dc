// Requests and limits: requests are filled in from limits, as the API server does it.

import type { ResourceList } from "../../spec/pod-spec.ts";
import { readQuantity } from "./quantity.ts";
import type { CheckedContainer } from "./schema.ts";

type Checked = NonNullable<CheckedContainer["resources"]>;

export function buildResources(resources: Checked | undefined): {
  readonly requests: ResourceList;
  readonly limits: ResourceList;
} {
  const limits = listResources(resources?.limits);
  const requests = listResources(resources?.requests);
  const pages = { ...limits.hugepages, ...requests.hugepages };
  const hugepages = Object.keys(pages).length > 0 ? { hugepages: pages } : {};
  return { requests: { ...limits, ...requests, ...hugepages }, limits };
}

export function listResources(list: Checked["limits"]): ResourceList {
  const pages = Object.entries(list ?? {}).flatMap(([key, bytes]) =>
    key.startsWith("hugepages-") && typeof bytes === "number"
      ? [[kernelPageSize(key), bytes] as const]
      : [],
  );
  return {
    ...(list?.cpu !== undefined && { cpuMilli: list.cpu }),
    ...(list?.memory !== undefined && { memoryBytes: list.memory }),
    ...(list?.["ephemeral-storage"] !== undefined && {
      ephemeralStorageBytes: list["ephemeral-storage"],
    }),
    ...(pages.length > 0 && { hugepages: Object.fromEntries(pages) }),
  };
}

/** `hugepages-2Mi` → `2MB`, as the files of the hugetlb controller are called. */
export function kernelPageSize(resource: string): string {
  const size = readQuantity(resource.slice("hugepages-".length), "memory");
  const kib = "value" in size ? size.value / 1024 : 0;
  if (kib >= 1024 * 1024) return `${kib / 1024 / 1024}GB`;
  return kib >= 1024 ? `${kib / 1024}MB` : `${kib}KB`;
}
