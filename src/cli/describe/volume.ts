// One volume on the page of `describe`.

import type { Page } from "./lines.ts";
import { type Json, list, object, text } from "./values.ts";

const kinds: Readonly<Record<string, string>> = {
  emptyDir: "EmptyDir (a temporary directory that shares a pod's lifetime)",
  hostPath: "HostPath (bare host directory volume)",
  configMap: "ConfigMap (a volume populated by a ConfigMap)",
  secret: "Secret (a volume populated by a Secret)",
  downwardAPI: "DownwardAPI (a volume populated by information about the pod)",
  projected: "Projected (a volume that contains injected data from multiple sources)",
  persistentVolumeClaim: "PersistentVolumeClaim (a reference to a claim of the same namespace)",
  image: "Image (a volume that shows the files of an image)",
};

export function describeVolume(page: Page, volume: Json): void {
  page.line(`${text(volume["name"])}:`);
  const inner = page.indented(1);
  // Without a source it is an emptyDir.
  const kind = Object.keys(kinds).find((key) => volume[key] !== undefined) ?? "emptyDir";
  inner.field("Type", kinds[kind] ?? kind);
  for (const [name, value] of details(kind, object(volume[kind]))) inner.field(name, value);
}

function details(kind: string, source: Json): readonly (readonly [string, string])[] {
  const optional = ["Optional", source["optional"] === true ? "true" : "false"] as const;
  switch (kind) {
    case "emptyDir":
      return [
        ["Medium", source["medium"] === undefined ? "" : text(source["medium"])],
        ["SizeLimit", source["sizeLimit"] === undefined ? "<unset>" : text(source["sizeLimit"])],
      ];
    case "hostPath":
      return [
        ["Path", text(source["path"])],
        ["HostPathType", source["type"] === undefined ? "" : text(source["type"])],
      ];
    case "configMap":
      return [["Name", text(source["name"])], optional];
    case "secret":
      return [["SecretName", text(source["secretName"])], optional];
    case "persistentVolumeClaim":
      return [
        ["ClaimName", text(source["claimName"])],
        ["ReadOnly", source["readOnly"] === true ? "true" : "false"],
      ];
    case "image":
      return [
        ["Reference", text(source["reference"])],
        ["PullPolicy", text(source["pullPolicy"])],
      ];
    case "projected":
      return list(source["sources"]).map((one) => {
        const [key = "unknown"] = Object.keys(one);
        const name = object(one[key])["name"];
        return [key, name === undefined ? "" : text(name)];
      });
    default:
      return [];
  }
}
