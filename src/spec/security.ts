// What a manifest says about privileges: of a pod, and of a container with what the pod says for
// all of them already in it.

/** A value, and the field that says it: a container's own, or the pod's. */
export interface Said<Value> {
  readonly value: Value;
  readonly field: string;
}

export interface PodSecuritySpec {
  /** Group of the pod's volumes, and a supplementary one of every process. */
  readonly fsGroup?: number;
  readonly fsGroupChangePolicy: "Always" | "OnRootMismatch";
  readonly sysctls: readonly SysctlSpec[];
}

export interface SysctlSpec {
  readonly field: string;
  /** As below /proc/sys, with dots: `net.ipv4.ip_forward`; a `/` is part of a component. */
  readonly name: string;
  readonly value: string;
}

export interface ContainerSecuritySpec {
  readonly runAsUser?: Said<number>;
  readonly runAsGroup?: Said<number>;
  readonly runAsNonRoot?: Said<boolean>;
  /** `fsGroup` is one of them. */
  readonly groups: readonly number[];
  /** Strict leaves out those that the image's own /etc/group has for the user. */
  readonly groupsPolicy: "Merge" | "Strict";
  /** Names without `CAP_`, or `ALL`. */
  readonly addCapabilities: readonly Said<string>[];
  readonly dropCapabilities: readonly Said<string>[];
  /** As vendors describe them: `vendor.com/class=name`. */
  readonly devices: readonly Said<string>[];
  readonly privileged: boolean;
  /** False sets no_new_privs. */
  readonly allowPrivilegeEscalation: boolean;
  readonly procMount: "Default" | "Unmasked";
  readonly seccomp: Said<ProfileSpec>;
  readonly appArmor?: Said<ProfileSpec>;
  readonly seLinux?: Said<SeLinuxSpec>;
}

/** Of seccomp or AppArmor. `name` is a path below the seccomp directory, or a profile's. */
export type ProfileSpec =
  | { readonly type: "RuntimeDefault" | "Unconfined" }
  | { readonly type: "Localhost"; readonly name: string };

/** Empty for what is left to the policy. */
export interface SeLinuxSpec {
  readonly user: string;
  readonly role: string;
  readonly type: string;
  readonly level: string;
}

export const plainPodSecurity: PodSecuritySpec = { fsGroupChangePolicy: "Always", sysctls: [] };

/** Of a container about which neither it nor its pod says anything. */
export const plainContainerSecurity: ContainerSecuritySpec = {
  groups: [],
  groupsPolicy: "Merge",
  addCapabilities: [],
  dropCapabilities: [],
  devices: [],
  privileged: false,
  allowPrivilegeEscalation: false,
  procMount: "Default",
  seccomp: { value: { type: "RuntimeDefault" }, field: "" },
};
