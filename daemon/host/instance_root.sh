#!/bin/sh
# Builds the root file system of an instance and becomes its first process. Runs as process 1 of
# new mount, PID, UTS and IPC namespaces; what it mounts is seen nowhere else and goes with it.
#
#   instance_root.sh IMAGE LAYER HOSTNAME INIT
#
#   IMAGE     directory that the root looks like at first; only read
#   LAYER     directory of the instance: upper/ and work/ (what it wrote), root/ (the mount point),
#             etc/ (files that are copied into its /etc)
#   HOSTNAME  of the instance
#   INIT      a static program that stays, and reaps what is orphaned: catatonit -P
#
# Prints its process id, as the machine sees it, when the root is complete. Whoever reads that has
# to unmount /run/vpclab/machine, which no program in here is sure to be able to.
set -eu

image=$1 layer=$2 hostname=$3 init=$4

# A mount point of the image, a directory by all means: a link would lead out of the root.
mount_point () {
  if [ -L "root/$1" ] || { [ -e "root/$1" ] && [ ! -d "root/$1" ]; }; then rm "root/$1"; fi
  mkdir -p "root/$1"
}

device () {
  mknod -m "$2" "root/dev/$1" c "$3" "$4"
}

cd "$layer"
mount -t overlay -o "lowerdir=$image,upperdir=upper,workdir=work" overlay root
for directory in dev etc proc run sys tmp; do mount_point "$directory"; done

# /proc of the machine still says which number this process has there.
read -r pid _ < /proc/self/stat
echo "$hostname" > /proc/sys/kernel/hostname

for file in etc/*; do
  rm -rf "root/$file"
  cp "$file" "root/$file"
done

mount -t proc -o nosuid,nodev,noexec proc root/proc
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs root/sys
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs root/tmp
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs root/run
mount -t tmpfs -o nosuid,noexec,mode=755 tmpfs root/dev
mkdir root/dev/pts root/dev/shm root/dev/net root/run/vpclab root/run/vpclab/machine
# The terminals of the machine: a shell that is opened from there has a terminal with a name.
mount --bind /dev/pts root/dev/pts
mount -t tmpfs -o nosuid,nodev,noexec,mode=1777 tmpfs root/dev/shm
device null 666 1 3
device zero 666 1 5
device full 666 1 7
device random 666 1 8
device urandom 666 1 9
device tty 666 5 0
device net/tun 666 10 200
device ptmx 666 5 2
ln -s /proc/self/fd root/dev/fd
ln -s fd/0 root/dev/stdin
ln -s fd/1 root/dev/stdout
ln -s fd/2 root/dev/stderr
touch root/run/vpclab/init
mount --bind "$init" root/run/vpclab/init

cd root
pivot_root . run/vpclab/machine
cd /
echo "$pid"
exec /run/vpclab/init -P < /dev/null > /dev/null 2>&1
