// Every code a user can meet, its meaning and its remedy. `docs/errors.md` is printed from this
// table.

interface Entry {
  /** What the code means, one sentence. */
  readonly meaning: string;
  /** What to do; `undefined` only where nothing general can be said (the thrower then says it). */
  readonly hint?: string;
}

const entries = {
  "cli.usage": { meaning: "The command line was not understood.", hint: "run peapod --help" },
  "manifest.unreadable": { meaning: "The manifest file could not be read." },
  "manifest.syntax": { meaning: "The manifest is not valid YAML or JSON." },
  "manifest.duplicate-key": {
    meaning: "A mapping in the manifest has the same key twice.",
    hint: "remove one of the two; YAML keeps only the last",
  },
  "manifest.too-large": {
    meaning: "The manifest is larger, or nested deeper, than any Pod needs to be.",
    hint: "split the file, and look for aliases that multiply its parts",
  },
  "manifest.no-pod": {
    meaning: "The manifest is empty, or holds no object.",
    hint: "a Pod starts with apiVersion: v1 and kind: Pod; see examples/hello.yaml",
  },
  "manifest.unsupported-kind": {
    meaning: "The manifest has an object of a kind that peapod neither runs nor passes over.",
    hint: "keep other objects in files of their own",
  },
  "manifest.unknown-field": {
    meaning: "The manifest has a field that the Pod API does not have.",
    hint: "docs/support.md lists every field of a Pod",
  },
  "manifest.unsupported-field": {
    meaning:
      "The Pod API has the field; peapod does not honour it yet and drops nothing in silence.",
    hint: "remove the field, or see docs/support.md for what is supported",
  },
  "manifest.invalid": { meaning: "A field of the manifest has a value that Kubernetes refuses." },
  "network.unknown": {
    meaning: "There is no network of this name for pods.",
    hint: "default gives pods addresses, none gives them loopback alone, cni:NAME is a CNI network, bridge:NAME a bridge of this host",
  },
  "network.bad-range": {
    meaning: "What was given as a range of addresses for pods is none.",
    hint: "write it as 10.1.0.0/16, and with IPv6 as 10.1.0.0/16,fd00:1::/64",
  },
  "network.no-range": {
    meaning: "Pods on a bridge of the host get addresses that its owner has to choose.",
    hint: "give a part of the bridge's network that nobody else uses: --network-range 192.168.7.128/25",
  },
  "network.bad-mtu": {
    meaning: "Packets of pods cannot be of the size that was asked for.",
    hint: "leave it out: the default is the size that fits the host's way out",
  },
  "network.range-taken": {
    meaning: "The host sends packets for the pods' range of addresses somewhere else.",
    hint: "choose another with --network-range",
  },
  "network.range-full": {
    meaning: "Every address of the pods' range belongs to a pod.",
    hint: "end pods that are no longer needed, or choose a larger range with --network-range",
  },
  "network.port-taken": {
    meaning: "A port of this host that a pod wants to publish is somebody else's already.",
    hint: "choose another hostPort, or end who has it",
  },
  "network.no-address": {
    meaning: "A port is to be published at an address that this host does not have.",
    hint: "leave hostIP out for all addresses, or see ip address for those there are",
  },
  "network.bad-configuration": {
    meaning: "A CNI configuration says nothing that plugins could be run by.",
    hint: "see the CNI specification, section 1; lists are read from /etc/cni/net.d or $CNI_CONF_DIR",
  },
  "network.no-plugin": {
    meaning: "A CNI configuration names a plugin that this host does not have.",
    hint: "install it (Debian: containernetworking-plugins), or name its directory in $CNI_PATH",
  },
  "network.plugin-failed": { meaning: "A CNI plugin refused; what it said is in the message." },
  "network.no-user-namespace": {
    meaning: "CNI plugins set up a network namespace before a pod has a user namespace of its own.",
    hint: "use the default network for pods with hostUsers: false",
  },
  "network.no-policies": {
    meaning: "The kernel cannot filter the traffic of pods as their policies say.",
    hint: "see peapod doctor for what it lacks, or leave the NetworkPolicy out",
  },
  "network.failed": { meaning: "The kernel refused a part of the pod's network." },
  "host.not-linux": {
    meaning: "peapod makes Linux namespaces and control groups; no other system has them.",
    hint: "run it on Linux 6.1 or later, or in a Linux virtual machine",
  },
  "host.not-root": {
    meaning: "Making namespaces, mounts and control groups on this host needs root.",
    hint: "run it with sudo",
  },
  "host.kernel-too-old": {
    meaning: "The kernel lacks a system call that peapod is built on.",
    hint: "boot Linux 6.1 or later (Debian 12 has it)",
  },
  "host.bun-too-old": {
    meaning: "This Bun is older than the oldest that peapod was tested with.",
    hint: "run npm install, then npx bun; or upgrade Bun",
  },
  "host.library-missing": {
    meaning: "libpeapod.so, the part of peapod that is written in Zig, is not where it belongs.",
    hint: "in a checkout run: npm run build:library; elsewhere reinstall peapod",
  },
  "host.library-stale": {
    meaning: "libpeapod.so and the TypeScript beside it come from different versions.",
    hint: "in a checkout run: npm run build:library; elsewhere reinstall peapod",
  },
  "host.no-cgroup2": {
    meaning: "No cgroup v2 hierarchy is mounted.",
    hint: "mount one: mount -t cgroup2 none /sys/fs/cgroup",
  },
  "host.cgroup-unusable": {
    meaning:
      "The cgroup root cannot hold pods: it has processes of its own, or may not be written.",
    hint: "name another with --cgroup-root; peapod doctor says what is wrong with this one",
  },
  "host.directory-unusable": {
    meaning: "A directory that peapod keeps state, data or logs in cannot be made or written.",
    hint: "choose others with --root, --state and --logs",
  },
  "host.capability-missing": {
    meaning: "A container is to have a capability that peapod itself was started without.",
    hint: "start peapod with all of root's capabilities, or do not add this one",
  },
  "host.device-unusable": {
    meaning: "A device that a container is to have is described nowhere on this host, or not well.",
    hint: "devices are described in /etc/cdi and /var/run/cdi, and named vendor.com/class=name",
  },
  "host.security-module-missing": {
    meaning: "The manifest asks for AppArmor or SELinux, and this host has it not, or not so.",
    hint: "remove the field, or load what it names",
  },
  "host.seccomp-profile-unusable": {
    meaning: "A seccomp profile of type Localhost cannot be read, or says what cannot be done.",
    hint: "profiles are JSON as Docker and OCI have it, in the directory seccomp of --root",
  },
  "cgroup.controller-missing": {
    meaning: "The manifest sets a limit whose cgroup controller this host does not offer.",
    hint: "enable the controller, remove the limit, or go without: --missing-controllers=warn",
  },
  "image.invalid-name": {
    meaning: "The name of an image breaks the rules for names. The kubelet's InvalidImageName.",
    hint: "names are [registry/]path[:tag][@sha256:digest], the path in lower case",
  },
  "image.not-found": {
    meaning: "No such image is there to be had. The kubelet's ErrImagePull.",
    hint: "check the name and the tag; peapod images lists what is stored",
  },
  "image.never-pulled": {
    meaning: "The image is not stored, and it may not be pulled. The kubelet's ErrImageNeverPull.",
    hint: "peapod pull it first, or write imagePullPolicy: IfNotPresent",
  },
  "image.denied": {
    meaning: "The registry wants credentials, or others. The kubelet's ErrImagePull.",
    hint: "log in with docker login or skopeo login; peapod reads the same files",
  },
  "image.unreachable": {
    meaning: "A registry did not answer, or broke off. The kubelet's RegistryUnavailable.",
    hint: "what had arrived is kept: pull again to go on from there",
  },
  "image.registry-failed": {
    meaning: "A registry answered with an error, or with nonsense. The kubelet's ErrImagePull.",
  },
  "image.digest-mismatch": {
    meaning: "Bytes are not those that their digest promises; nothing of them was kept.",
    hint: "pull again; if it stays, the registry or what stands before it is damaged",
  },
  "image.unsupported": {
    meaning: "The image is of a kind that peapod cannot use.",
  },
  "image.refused": {
    meaning: "A layer holds what no honest image needs; nothing of it was kept.",
    hint: "do not trust this image; layers are damaged by accident only rarely",
  },
  "image.configuration": {
    meaning: "A file that says how registries are reached is wrong: hosts.toml or config.json.",
  },
  "image.store-failed": {
    meaning: "The store of images could not be read or written.",
    hint: "look for room on the disk of --root; peapod prune frees what no name and no pod uses",
  },
  "image.user-unknown": {
    meaning: "The image wants to run as a user that its own /etc/passwd does not have.",
    hint: "use a number, or another image",
  },
  "image.in-use": {
    meaning: "A running pod uses the image.",
    hint: "end the pod first, or give --force to remove only the name",
  },
  "image.damaged": {
    meaning: "What the store has of an image cannot be read. The kubelet's ImageInspectError.",
    hint: "bring it anew: peapod rmi the image, then peapod pull it",
  },
  "image.bad-archive": {
    meaning: "A file is no image archive: neither an OCI layout nor made by docker save.",
  },
  "image.unusable": {
    meaning: "The image's files cannot serve as a root file system.",
    hint: "a root needs to be a directory on a file system that overlayfs can stack on",
  },
  "volume.subpath-missing": {
    meaning: "A subPath leads nowhere in its image volume, which nobody can write to.",
    hint: "peapod image tree shows where the files of its layers are",
  },
  "object.not-found": {
    meaning:
      "The pod refers to a ConfigMap, Secret or claim that no manifest has. The kubelet's CreateContainerConfigError.",
    hint: "give the object's manifest together with the pod's, or write optional: true",
  },
  "object.key-missing": {
    meaning:
      "A ConfigMap or a Secret lacks the key that the pod wants. The kubelet's CreateContainerConfigError.",
    hint: "correct the key, or write optional: true",
  },
  "volume.source-missing": {
    meaning: "A hostPath does not exist on the host.",
    hint: "make it, or let peapod make it: type: DirectoryOrCreate",
  },
  "volume.wrong-type": {
    meaning: "What stands at a hostPath is not what its `type` says.",
    hint: "correct the path or the type",
  },
  "volume.denied": {
    meaning: "A volume could not be opened or shown in the container.",
    hint: "peapod doctor lists what the file systems of this host can do",
  },
  "volume.not-mappable": {
    meaning: "A pod has users of its own, and a volume's file system cannot show files with them.",
    hint: "put the volume on another file system, or write hostUsers: true",
  },
  "container.not-found": {
    meaning: "The command does not exist in the container's root file system.",
    hint: "check command and PATH: they are looked up inside the container, not on the host",
  },
  "container.not-executable": {
    meaning: "The command exists and cannot be executed.",
    hint: "check its mode, its interpreter line and its architecture",
  },
  "container.no-command": {
    meaning: "Neither the manifest nor the image says what to run.",
    hint: "write command: in the manifest; the image `host` has no default",
  },
  "container.bad-directory": {
    meaning: "The working directory cannot be entered.",
    hint: "correct workingDir",
  },
  "container.unknown": {
    meaning: "The pod has no container of that name.",
  },
  "container.not-running": {
    meaning: "The container has ended, or has not started yet.",
    hint: "peapod ps -a shows what became of it",
  },
  "container.no-stdin": {
    meaning: "The container was started without standard input.",
    hint: "write stdin: true in the manifest",
  },
  "container.runs-as-root": {
    meaning:
      "runAsNonRoot is true, and the container would run as root or nobody can tell. The kubelet's CreateContainerConfigError.",
    hint: "write runAsUser with a number other than 0",
  },
  "launch.failed": {
    meaning: "The kernel refused a step of a launch; everything before it was undone.",
    hint: "peapod doctor says what this host lacks",
  },
  "launch.killed": {
    meaning: "A container's process was killed before it became the container's program.",
    hint: "a seccomp profile that kills has to allow what docs/security.md lists; or memory ran out",
  },
  "launch.timed-out": {
    meaning: "A launch did not finish in time; it was undone.",
    hint: "a volume's source may not answer; allow more with --timeout",
  },
  "wait.timed-out": {
    meaning: "What was waited for did not come true in time.",
    hint: "peapod describe says why a pod is as it is; wait longer with --timeout",
  },
  "launch.aborted": { meaning: "The caller gave up a launch; it was undone.", hint: "no hint" },
  "launch.too-large": {
    meaning: "A container's plan is larger than a keeper accepts.",
    hint: "move large environment values into files",
  },
  "pod.exists": {
    meaning: "A pod of that name is running already.",
    hint: "end it first with peapod down, or choose another name",
  },
  "pod.not-found": { meaning: "There is no such pod.", hint: "peapod ps -a lists those there are" },
  "pod.ambiguous": { meaning: "A prefix fits more than one pod." },
  "pod.policy-violated": {
    meaning: "The manifest asks for what the policy of this host, or of this command, forbids.",
    hint: "docs/security.md lists the rules of each policy",
  },
  "pod.sysctl-forbidden": {
    meaning: "The pod sets a sysctl that is not safe. The kubelet's SysctlForbidden.",
    hint: "allow it on this host with --allowed-unsafe-sysctls",
  },
  "pod.sysctl-refused": {
    meaning: "The kernel did not take the value of a sysctl.",
    hint: "the kernel's documentation of the sysctl says which values it takes",
  },
  "pod.queue-full": {
    meaning: "As many pods as allowed run and wait already.",
    hint: "try again later, or raise podsMax and queueMax",
  },
  "pod.keeper-lost": {
    meaning: "The pod's keeper died; its containers ended with it.",
    hint: "clean up with peapod down; the kernel's log may say who killed it",
  },
  "pod.failed": {
    meaning: "A pod has failed: its containers exited and may not run again, or its time was up.",
    hint: "peapod describe shows which one and why; peapod down removes the pod",
  },
  "pod.other-version": {
    meaning:
      "The pod was started by another version of peapod, which this one cannot give orders to.",
    hint: "logs, ps and down work; restart the pod for the rest",
  },
  "pod.refused": { meaning: "The owner of the pod did not do what it was asked, and says why." },
  "pod.running": {
    meaning: "The command is for pods whose containers have all ended, and this one runs.",
    hint: "peapod down ends it",
  },
  "pod.not-paused": {
    meaning: "Processes of the pod could not be frozen, and go on.",
    hint: "a process in uninterruptible sleep waits for a device or a server; try again later",
  },
  "pod.resize-refused": {
    meaning: "Kubernetes would not let a running container have these requests and limits.",
    hint: "start the pod anew with them",
  },
  "pod.not-down": {
    meaning: "Something of the pod could not be removed.",
    hint: "run peapod down once more; it continues where it stopped",
  },
  "pod.closed": { meaning: "The pod, or the Peapod that holds it, was closed.", hint: "no hint" },
  "volume.not-found": {
    meaning: "No claim has a volume of this name.",
    hint: "peapod volumes lists those there are",
  },
  "volume.in-use": {
    meaning: "A pod names the claim, and its volume is not removed under it.",
    hint: "end the pods first; peapod down -v removes their volumes with them",
  },
  "file.unusable": {
    meaning: "A file beneath a container's root could not be read or written.",
    hint: "paths are resolved inside the container; links that leave it are not followed",
  },
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof entries;
export const catalog: Readonly<Record<ErrorCode, Entry>> = entries;
