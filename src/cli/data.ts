// Data for programs: what `-o json` and `-o yaml` print.

export type DataFormat = "json" | "yaml";

export async function printData(format: DataFormat, data: unknown): Promise<string> {
  switch (format) {
    case "json":
      return `${JSON.stringify(data, undefined, 2)}\n`;
    case "yaml": {
      const { stringify } = await import("yaml");
      // Kubernetes reads YAML 1.1, where a bare `yes` or `0x10` is not text.
      return stringify(data, { version: "1.1", aliasDuplicateObjects: false });
    }
    default:
      return format satisfies never;
  }
}
