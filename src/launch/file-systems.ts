// Names of file systems by what statfs(2) says they are (linux/magic.h).

const names: Readonly<Record<number, string>> = {
  0x01021994: "tmpfs",
  0x01021997: "9p",
  0x1cd1: "devpts",
  0x27e0eb: "cgroup",
  0x2fc12fc1: "zfs",
  0x517b: "smb",
  0x62656572: "sysfs",
  0x63677270: "cgroup2",
  0x65735543: "fusectl",
  0x65735546: "fuse",
  0x6969: "nfs",
  0x73717368: "squashfs",
  0x794c7630: "overlayfs",
  0x858458f6: "ramfs",
  0x958458f6: "hugetlbfs",
  0x9660: "iso9660",
  0x9fa0: "procfs",
  0xc36400: "ceph",
  0xfe534d42: "smb2",
  0xff534d42: "cifs",
};

export function fileSystemName(magic: number): string {
  return names[magic] ?? `of the type 0x${magic.toString(16)}`;
}
