#!/bin/busybox sh
# PID 1 of the virtual machine, in its initramfs: the host's files under a writable overlay, the
# file systems that a current Linux has, then the start script that the host left in the exchange
# folder. Console: ttyS0.
set -e
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod "$module"; done

# The folder that the tests run in must stay visible, and writable, below the tmpfs mounts.
for word in $(cat /proc/cmdline); do
  case "$word" in
    peapod.kernel=*) kernel=${word#*=} ;;
    peapod.keep=*) keep=${word#*=} ;;
  esac
done

mkdir -p /host /keep /layers /root
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro host /host
mount -t tmpfs -o size=80% layers /layers
mkdir /layers/upper /layers/work
mount -t overlay -o lowerdir=/host,upperdir=/layers/upper,workdir=/layers/work overlay /root
mount --bind "/root$keep" /keep
mkdir -p /root/var/lib/peapod /root/lib/modules

mount -t proc proc /root/proc
mount -t sysfs sysfs /root/sys
mount --move /dev /root/dev
mkdir -p /root/dev/pts /root/dev/shm /root/dev/mqueue
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /root/dev/pts
mount -t securityfs securityfs /root/sys/kernel/security
mount -t mqueue mqueue /root/dev/mqueue
mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /root/sys/fs/cgroup
mount -t tmpfs -o mode=1777 shm /root/dev/shm
mount -t tmpfs -o mode=1777 tmp /root/tmp
mount -t tmpfs -o mode=755 run /root/run
if [ -b /root/dev/vda ]; then
  mount -t ext4 /root/dev/vda /root/var/lib/peapod
else
  mount -t tmpfs -o mode=755 peapod /root/var/lib/peapod
fi
if [ ! -d "/root$keep" ]; then
  mkdir -p "/root$keep"
  mount --bind /keep "/root$keep"
fi

mkdir -p /root/lib/modules /root/run/exchange
mount --bind "/host$kernel" /root/lib/modules
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=none exchange /root/run/exchange
ip link set lo up
cp /bin/busybox /root/run/busybox
umount /proc
exec switch_root /root /bin/sh /run/exchange/start.sh
