// A volume of the manifest: exactly one source. The sources that peapod lacks are named as well.

import * as z from "zod";
import { fields, inert, later, once, refused } from "./fate.ts";
import { FileFieldRef, ResourceFieldRef } from "./schema-env.ts";
import { FileMode, Texts, filledListOf, listOf, none } from "./schema-values.ts";
import { ConfigKey, DnsLabel, DnsSubdomain, GuestPathText, HostPathText, Image } from "./text.ts";
import { Medium, RelativePath, SubPath, SubPathExpr, quantity } from "./text.ts";

const plugin = "network storage plugins are not supported; mount it on the host and use hostPath";
const removed = "Kubernetes has removed it, or moved it to a storage plugin";
const alpha = "the field is alpha; a cluster drops it unless its feature gate is on";
const ownDirectory = "a claim is a directory of its own on this host";
const noTokens = "there is no API server that would issue or accept it";

const Truth = once(() => z.boolean());

const EmptyDir = once(() =>
  fields({
    medium: later(Medium),
    sizeLimit: later(() => quantity("memory")),
    mode: refused(alpha),
  }),
);

/** In the order in which Kubernetes lists them. */
const HostPathType = once(() =>
  z.enum([
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
  ]),
);

const Items = once(() =>
  listOf(fields({ key: ConfigKey(), path: RelativePath(), mode: later(FileMode) })),
);

const DownwardItems = once(() =>
  listOf(
    fields({
      path: RelativePath(),
      mode: later(FileMode),
      fieldRef: later(FileFieldRef),
      resourceFieldRef: later(ResourceFieldRef),
    }),
  ),
);

/** In a projected volume, where secrets are named as ConfigMaps are. */
const ObjectSource = once(() =>
  fields({ name: DnsSubdomain, items: later(Items), optional: later(Truth) }),
);

const Projected = once(() =>
  fields({
    sources: later(() =>
      listOf(
        fields({
          configMap: later(ObjectSource),
          secret: later(ObjectSource),
          downwardAPI: later(() => fields({ items: later(DownwardItems) })),
          serviceAccountToken: refused(noTokens),
          clusterTrustBundle: refused(noTokens),
          podCertificate: refused(noTokens),
        }),
      ),
    ),
    defaultMode: later(FileMode),
  }),
);

const PullPolicy = once(() => z.enum(["Always", "IfNotPresent", "Never"]));

const AccessModes = once(() =>
  filledListOf(z.enum(["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"])),
);

/** What a PersistentVolumeClaim asks for; most of it is for those who provide storage. */
export const ClaimSpec = once(() =>
  fields({
    accessModes: inert(AccessModes, ownDirectory),
    resources: later(() =>
      fields({
        requests: later(() => fields({ storage: later(() => quantity("memory")) })),
        limits: inert(() => z.looseObject({}), ownDirectory),
      }),
    ),
    selector: inert(() => z.looseObject({}), ownDirectory),
    storageClassName: inert(() => z.string(), ownDirectory),
    volumeAttributesClassName: inert(() => z.string(), ownDirectory),
    volumeName: inert(() => z.string(), ownDirectory),
    volumeMode: refused("block devices are not supported; a claim is a directory", () =>
      z.literal("Filesystem"),
    ),
    dataSource: refused("there is nobody to copy data from elsewhere"),
    dataSourceRef: refused("there is nobody to copy data from elsewhere"),
  }),
);

const Ephemeral = once(() =>
  fields({
    volumeClaimTemplate: fields({
      metadata: later(() =>
        fields({
          labels: inert(Texts, ownDirectory),
          annotations: inert(Texts, ownDirectory),
        }),
      ),
      spec: ClaimSpec(),
    }),
  }),
);

export const Volume = once(() =>
  fields({
    name: DnsLabel,
    emptyDir: later(EmptyDir),
    hostPath: later(() => fields({ path: HostPathText(), type: later(HostPathType) })),
    configMap: later(() =>
      fields({
        name: DnsSubdomain,
        items: later(Items),
        optional: later(Truth),
        defaultMode: later(FileMode),
      }),
    ),
    secret: later(() =>
      fields({
        secretName: DnsSubdomain,
        items: later(Items),
        optional: later(Truth),
        defaultMode: later(FileMode),
      }),
    ),
    downwardAPI: later(() => fields({ items: later(DownwardItems), defaultMode: later(FileMode) })),
    projected: later(Projected),
    image: later(() => fields({ reference: Image, pullPolicy: later(PullPolicy) })),
    persistentVolumeClaim: later(() => fields({ claimName: DnsSubdomain, readOnly: later(Truth) })),
    ephemeral: later(Ephemeral),

    cephfs: refused(plugin),
    csi: refused(plugin),
    fc: refused(plugin),
    iscsi: refused(plugin),
    nfs: refused(plugin),
    portworxVolume: refused(plugin),
    rbd: refused(plugin),

    awsElasticBlockStore: refused(removed),
    azureDisk: refused(removed),
    azureFile: refused(removed),
    cinder: refused(removed),
    flexVolume: refused(removed),
    flocker: refused(removed),
    gcePersistentDisk: refused(removed),
    gitRepo: refused(removed),
    glusterfs: refused(removed),
    photonPersistentDisk: refused(removed),
    quobyte: refused(removed),
    scaleIO: refused(removed),
    storageos: refused(removed),
    vsphereVolume: refused(removed),
  }),
);

export const VolumeMount = once(() =>
  fields({
    name: z.string().min(1, "required value"),
    mountPath: GuestPathText(),
    readOnly: later(Truth),
    subPath: later(SubPath),
    subPathExpr: later(SubPathExpr),
    mountPropagation: later(() => z.enum(["Bidirectional", "HostToContainer", "None"])),
    recursiveReadOnly: later(() => z.enum(["Disabled", "Enabled", "IfPossible"])),
    bindMountOptions: refused(alpha, none),
  }),
);
