// What a Peapod is opened with.

import type { PoolOptions } from "./keeper-pool.ts";
import type { PolicyOptions } from "./policy.ts";

export interface OpenOptions extends PolicyOptions {
  /**
   * Images, volumes and writable layers. `$PEAPOD_ROOT`, else /var/lib/peapod (or XDG data for
   * others than root).
   */
  readonly root?: string;
  /** What a reboot may forget. `$PEAPOD_STATE`, else /run/peapod (or $XDG_RUNTIME_DIR/peapod). */
  readonly state?: string;
  /** Container logs in the CRI format. `$PEAPOD_LOGS`, else /var/log/pods. */
  readonly logs?: string;
  /**
   * A cgroup v2 directory, absolute. Default: the delegated subtree, else `peapod` at the top of
   * the hierarchy.
   */
  readonly cgroupRoot?: string;
  /**
   * `refuse` (default): a limit whose controller the host lacks is an error; `warn` proceeds
   * without it.
   */
  readonly missingControllers?: "refuse" | "warn";
  /**
   * Processes and threads a pod may have (the kubelet's podPidsLimit). Default 4096, against fork
   * bombs.
   */
  readonly podPidsMax?: number;
  /** How container output is kept. */
  readonly containerLogs?: {
    /** A log is rotated before it grows past this. Default 10 MiB, the kubelet's. */
    readonly bytesMax?: number;
    /** Files kept of each container, the one being written included. Default 5. */
    readonly filesMax?: number;
    /**
     * On a full disk: `block` (default) lets the container wait and loses nothing; `drop` counts
     * what it costs.
     */
    readonly whenFull?: "block" | "drop";
  };
  /**
   * For tests of what takes minutes: 0.01 makes a minute 0.6 seconds, in back-off, probes, graces
   * and deadlines alike. `$PEAPOD_TIME_SCALE`, else 1.
   */
  readonly timeScale?: number;
  /** How images are found. */
  readonly images?: ImageOptions;
  /**
   * Whether a detached pod that may need an owner (restarts, probes, hooks) starts the background
   * agent where none runs. Default true; false for a host that brings its own.
   */
  readonly agent?: boolean;
  /** Keepers ready before there is a pod for them: a start has less to wait for. */
  readonly pool?: PoolOptions;
  /** Pods that may run at once through this object; further ones queue. Default: no bound. */
  readonly podsMax?: number;
  /** Starts that may wait for a place; one more rejects with `pod.queue-full`. Default 1000. */
  readonly queueMax?: number;
  /**
   * Heard once for each thing that will not be done as asked, such as a request without a
   * controller.
   */
  readonly onWarning?: (message: string) => void;
  readonly signal?: AbortSignal;
}

export interface ImageOptions {
  /** For names without a registry, asked in this order. Default: docker.io, as everywhere. */
  readonly registries?: readonly string[];
  /**
   * Directories in containerd's layout, `HOST/hosts.toml`. Default: /etc/peapod/certs.d, then
   * /etc/containerd/certs.d and /etc/docker/certs.d.
   */
  readonly hostsDirectories?: readonly string[];
}
