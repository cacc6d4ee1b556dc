// The parts of a v1 Pod that commands read. Another version of peapod may have written it, so
// nothing is taken for granted.

export interface PodObject {
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: {
    readonly containers?: readonly ContainerObject[];
    readonly initContainers?: readonly ContainerObject[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly podIP?: string;
    readonly startTime?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

interface ContainerObject {
  readonly name: string;
  readonly image?: string;
  readonly tty?: boolean;
  readonly restartPolicy?: string;
}

export interface ContainerStatus {
  readonly name: string;
  readonly ready?: boolean;
  readonly started?: boolean;
  readonly restartCount?: number;
  readonly state?: StateObject;
  readonly lastState?: StateObject;
}

interface StateObject {
  readonly waiting?: { readonly reason?: string };
  readonly running?: { readonly startedAt?: string };
  readonly terminated?: {
    readonly reason?: string;
    readonly exitCode?: number;
    readonly signal?: number;
    readonly finishedAt?: string;
  };
}

/**
 * Everything in `PodObject` may be missing, so any object is one; what `pod/` writes has these
 * types.
 */
export function podObject(object: Readonly<Record<string, unknown>>): PodObject {
  return object as PodObject;
}

/** kubectl's choice when `-c` is left out: the annotation, else the first. */
export function defaultContainer(pod: PodObject): string | undefined {
  const annotated = pod.metadata?.annotations?.["kubectl.kubernetes.io/default-container"];
  const names = (pod.spec?.containers ?? []).map(({ name }) => name);
  return annotated !== undefined && names.includes(annotated) ? annotated : names[0];
}

/** Nothing of it runs any more: what `ps` hides without `-a`. */
export function isFinished(pod: PodObject): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}
