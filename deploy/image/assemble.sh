#!/bin/sh
# Lays out the root folder of the container image: assemble.sh PROGRAM FOLDER. The program without its debug lines, the
# libraries it is linked with, root certificates, and a user: no shell, no package manager, nothing else to keep up to date.
# Names of functions stay in the program, so that a panic and a flame graph can be read.
set -eu
program=$1 root=$2
user=65532

mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/var/lib/burgee" "$root/tmp"
strip --strip-debug -o "$root/usr/local/bin/burgee" "$program"
chmod 755 "$root/usr/local/bin/burgee"

# Lines of ldd: `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, and the loader as a path alone.
ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done

printf 'root:x:0:0:root:/:/nonexistent\nburgee:x:%s:%s:burgee:/var/lib/burgee:/nonexistent\n' $user $user >"$root/etc/passwd"
printf 'root:x:0:\nburgee:x:%s:\n' $user >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
certificates=/etc/ssl/certs/ca-certificates.crt
if [ -f $certificates ]; then cp -L $certificates "$root$certificates"; fi

chmod 1777 "$root/tmp"
# The one folder that the user may write to; a volume of that name begins with its owner.
if [ "$(id -u)" -eq 0 ]; then chown $user:$user "$root/var/lib/burgee"; fi
