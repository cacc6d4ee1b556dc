// A volume of the manifest: exactly one source. The sources that peapod lacks are named as well.

import * as z from "zod";
import { fields, notYet, refused } from "./fate.ts";
import { DnsLabel, HostPathText, quantity } from "./text.ts";

const plugin = "network storage plugins are not supported; mount it on the host and use hostPath";
const removed = "Kubernetes has removed it, or moved it to a storage plugin";

const EmptyDir = fields({
  medium: z
    .enum(["", "Memory"], {
      error: ({ input }) => (String(input).startsWith("HugePages") ? notYet : undefined),
    })
    .optional(),
  sizeLimit: quantity("memory").optional(),
  mode: refused(),
});

/** In the order in which Kubernetes lists them. */
const HostPathType = z.enum([
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
]);

export const Volume = fields({
  name: DnsLabel,
  emptyDir: EmptyDir.optional(),
  hostPath: fields({ path: HostPathText, type: HostPathType.optional() }).optional(),

  configMap: refused(),
  downwardAPI: refused(),
  ephemeral: refused(),
  image: refused(),
  persistentVolumeClaim: refused(),
  projected: refused(),
  secret: refused(),

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
});
