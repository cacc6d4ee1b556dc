// What a manifest says about a container's life: probes, hooks, restarts. Times are milliseconds.

/** The Pod API's IntOrString: a number, or the name of a port of the container. */
export type PortRef = number | string;

export type HandlerSpec = { readonly field: string } & (
  | { readonly kind: "exec"; readonly command: readonly string[] }
  | {
      readonly kind: "httpGet";
      readonly scheme: "HTTP" | "HTTPS";
      /** Empty for the pod's own address. */
      readonly host: string;
      readonly port: PortRef;
      /** As written, with its query; starts with a slash. */
      readonly path: string;
      readonly headers: readonly { readonly name: string; readonly value: string }[];
    }
  | { readonly kind: "tcpSocket"; readonly host: string; readonly port: PortRef }
  | { readonly kind: "grpc"; readonly port: number; readonly service: string }
  | { readonly kind: "sleep"; readonly durationMs: number }
);

export interface ProbeSpec {
  readonly field: string;
  /** Never `sleep`. */
  readonly handler: HandlerSpec;
  /** Counted from the container's start. */
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  /** Results in a row that change the state. */
  readonly successThreshold: number;
  readonly failureThreshold: number;
  /** Replaces the pod's grace for the kill that this probe causes. */
  readonly terminationGraceMs?: number;
}

export interface RestartRule {
  readonly action: "Restart" | "RestartAllContainers";
  readonly operator: "In" | "NotIn";
  readonly exitCodes: readonly number[];
}

/** What the reader finds about a container's life; empty for most. */
export interface ContainerLifeSpec {
  readonly startupProbe?: ProbeSpec;
  readonly livenessProbe?: ProbeSpec;
  readonly readinessProbe?: ProbeSpec;
  /** Never `grpc`. */
  readonly postStart?: HandlerSpec;
  readonly preStop?: HandlerSpec;
  /** `SIGUSR1`; undefined means the image's. */
  readonly stopSignal?: string;
  /** The container's own; `Always` on an init container makes it a sidecar. */
  readonly restartPolicy?: "Always" | "OnFailure" | "Never";
  readonly restartRules: readonly RestartRule[];
  readonly terminationMessage: {
    readonly path: string;
    readonly policy: "File" | "FallbackToLogsOnError";
  };
}

/** The kubelet's defaults of a container that says nothing. */
export const plainLife: ContainerLifeSpec = {
  restartRules: [],
  terminationMessage: { path: "/dev/termination-log", policy: "File" },
};
