// Public shapes that stand apart from the code that deals with them, so that who reads the module's
// types needs none of it.

/** What became of a pod that has done its work. */
export interface PodOutcome {
  readonly phase: "Succeeded" | "Failed";
  /** `DeadlineExceeded`, `Evicted`; empty for the containers' own doing. */
  readonly reason: string;
  readonly message: string;
}

/** What is to be different; what is left out stays. */
export interface ResizeWish {
  readonly container: string;
  readonly requests: ResizableAmounts;
  readonly limits: ResizableAmounts;
}

/** Nothing else of a container can change in place. */
export interface ResizableAmounts {
  readonly cpuMilli?: number;
  readonly memoryBytes?: number;
}

export interface RestartOptions {
  /** Default: all that go on running. */
  readonly container?: string;
  /** Between the stop signal and SIGKILL. Default: that of the manifest. */
  readonly graceMs?: number;
}

export interface PodNetwork {
  /** The pod's end is `eth0`; this is the name of the other, on the host. */
  readonly interface: string;
  /** The primary one first. */
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
  /** Where everything goes that is for others. */
  readonly gateways: readonly string[];
  readonly ports: readonly PublishedPort[];
  /** As the pod sees it: received, and sent. */
  readonly received: Traffic;
  readonly sent: Traffic;
}

export interface PublishedPort {
  /** Empty for every address of the host. */
  readonly hostIP: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: "TCP" | "UDP" | "SCTP";
}

export interface Traffic {
  readonly bytes: number;
  readonly packets: number;
  readonly dropped: number;
}
