#!/usr/bin/env bash
# A customer gateway of namespaces: stock strongSwan with stock BIRD or FRR, as `vpcctl vpn config`
# tells them, and a host on a network behind.
#
#   customer_gateway.sh up NAME --wan NAMESPACE --next-hop ADDRESS --address ADDRESS --lan CIDR
#       --strongswan FILE (--bird FILE | --frr FILE) [--certificates DIRECTORY]
#   customer_gateway.sh down NAME
#   customer_gateway.sh status NAME
#
#   [NAME-lan] eth0 ══ lan0 [NAME] wan0 ══ [NAMESPACE, `<lab>-internet-router` say]
#    .10                .1     │ vpn1, vpn2: the tunnels, with their inside addresses
#                       [NAME-t1] [NAME-t2]: charon of each tunnel, behind NAT to ADDRESS
#
# ESP is strongSwan's own (kernel-libipsec): it runs on kernels without ESP, in UDP port 4500 alone.
# Its two limits are why each tunnel has a charon and a namespace of its own: one TUN per charon,
# which takes the newest tunnel, and routes that it puts where nobody asked for them. The TUN is
# moved to the device; another of its name stays behind for charon to find.
set -euo pipefail

usage () { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
say () { printf 'customer_gateway: %s\n' "$*" >&2; }

[ $# -ge 2 ] || usage
verb=$1 name=$2
shift 2
[[ $name =~ ^[a-z][a-z0-9-]{0,19}$ ]] || { say "a bad name: $name"; exit 2; }
run=/run/vpclab-cgw/$name
plugins='random nonce openssl kdf pem pkcs1 pkcs8 x509 pubkey revocation constraints'
plugins+=' kernel-libipsec kernel-netlink socket-default vici updown'

# Waits for a condition, at most ten seconds.
await () {
  local what=$1 tries=0
  shift
  until "$@" > /dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { say "not within 10 s: $what"; return 1; }
    read -rt 0.1 <> <(:) || true # opened to write, too: no end of file ends the wait
  done
}

down () {
  local namespace
  for namespace in "$name-t1" "$name-t2" "$name-lan" "$name"; do
    [ -e "/run/netns/$namespace" ] || continue
    ip netns pids "$namespace" | xargs -r kill -9
    # Its other end goes with it, at once; with the namespace it goes when the kernel has time.
    ip -n "$namespace" link delete wan0 2> /dev/null || true
    ip netns delete "$namespace"
  done
  rm -rf "$run"
  rmdir --ignore-fail-on-non-empty "$(dirname "$run")" 2> /dev/null || true
}

# The part of a swanctl.conf that concerns one tunnel.
part_of () {
  awk -v ending="-$1 {" '
    /^  (ike-)?vpn-[0-9a-f]+-[12] \{$/ {
      skip = substr($0, length($0) - length(ending) + 1) != ending
    }
    !skip
    /^  \}$/ { skip = 0 }' "$strongswan"
}

charon () {
  local number=$1 namespace=$name-t$1 directory=$run/t$1
  mkdir -p "$directory"
  part_of "$number" > "$directory/swanctl.conf"
  cat > "$directory/strongswan.conf" << CONF
charon-systemd {
  load_modular = no
  load = $plugins
  install_routes = no
  install_virtual_ip = no
  routing_table_prio = 40000
  threads = 16
  retransmit_timeout = 2
  retransmit_tries = 3
  retransmit_base = 1.5
  journal {
    default = -1
  }
  filelog {
    log {
      path = $directory/charon.log
      default = 1
      flush_line = yes
    }
  }
  plugins {
    vici {
      socket = unix://$directory/vici.sock
    }
  }
}
CONF
  STRONGSWAN_CONF=$directory/strongswan.conf setsid ip netns exec "$namespace" \
    /usr/sbin/charon-systemd < /dev/null > /dev/null 2>&1 &
  await "charon of tunnel $number" test -S "$directory/vici.sock"
  await "its device" ip -n "$namespace" link show ipsec0
  ip -n "$namespace" link set ipsec0 netns "$name" name "vpn$number"
  ip -n "$namespace" tuntap add dev ipsec0 mode tun
  ip -n "$namespace" link set ipsec0 up
  ip -n "$namespace" rule delete pref 220 2> /dev/null || true
  # The sample names the inside address of each tunnel in its head.
  local address
  address=$(sed -n "s/^# .*ip address add \([0-9./]*\) dev vpn$number .*/\1/p" "$strongswan")
  ip -n "$name" address add "$address" dev "vpn$number"
  ip -n "$name" link set "vpn$number" mtu 1399 up
  # What swanctl reads of certificates is beside its configuration, as in /etc/swanctl.
  if [ -n "$certificates" ]; then
    mkdir -m 0700 "$directory"/{x509,x509ca,private}
    cp "$certificates/certificate.pem" "$directory/x509"
    cp "$certificates"/{subordinate,root}.pem "$directory/x509ca"
    cp "$certificates/private_key.pem" "$directory/private"
  fi
  SWANCTL_DIR=$directory swanctl --load-all --file "$directory/swanctl.conf" \
    --uri "unix://$directory/vici.sock" > "$directory/load.log" 2>&1 ||
    { cat "$directory/load.log" >&2; return 1; }
}

up () {
  local wan='' next_hop='' address='' lan='' bird='' frr='' number
  strongswan='' certificates=''
  while [ $# -gt 0 ]; do
    case $1 in
      --wan) wan=$2 ;;
      --next-hop) next_hop=$2 ;;
      --address) address=$2 ;;
      --lan) lan=$2 ;;
      --strongswan) strongswan=$2 ;;
      --bird) bird=$2 ;;
      --frr) frr=$2 ;;
      --certificates) certificates=$2 ;;
      *) usage ;;
    esac
    shift 2
  done
  [ -n "$wan" ] && [ -n "$next_hop" ] && [ -n "$address" ] && [ -n "$lan" ] || usage
  [ -n "$strongswan" ] && [ -n "$bird$frr" ] || usage
  trap down ERR
  mkdir -p "$run"
  for number in "$name" "$name-lan" "$name-t1" "$name-t2"; do
    ip netns add "$number"
    ip -n "$number" link set lo up
  done
  ip netns exec "$name" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 \
    net.ipv4.conf.default.rp_filter=0

  ip -n "$name" link add wan0 type veth peer name "$name" netns "$wan"
  ip -n "$wan" link set "$name" up
  ip -n "$wan" route add "$address/32" dev "$name"
  ip -n "$name" address add "$address/32" dev wan0
  ip -n "$name" link set wan0 up
  ip -n "$name" route add default via "$next_hop" dev wan0 onlink

  local network=${lan%.*} length=${lan#*/}
  ip -n "$name" link add lan0 type veth peer name eth0 netns "$name-lan"
  ip -n "$name" address add "$network.1/$length" dev lan0
  ip -n "$name" link set lan0 up
  ip -n "$name-lan" address add "$network.10/$length" dev eth0
  ip -n "$name-lan" link set eth0 up
  ip -n "$name-lan" route add default via "$network.1"

  # One address outside, two IKE daemons: each is seen through NAT. Segments fit the tunnels.
  ip netns exec "$name" nft -f - << RULES
table ip customer_gateway {
  chain source {
    type nat hook postrouting priority 100; policy accept;
    oifname "wan0" ip saddr 100.64.0.0/16 snat to $address
  }
  chain segment_size {
    type filter hook forward priority -150; policy accept;
    oifname { "vpn1", "vpn2" } tcp flags syn tcp option maxseg size set rt mtu
  }
}
RULES
  for number in 1 2; do
    ip -n "$name" link add "t$number" type veth peer name wan0 netns "$name-t$number"
    ip -n "$name" address add "100.64.$number.1/30" dev "t$number"
    ip -n "$name" link set "t$number" up
    ip -n "$name-t$number" address add "100.64.$number.2/30" dev wan0
    ip -n "$name-t$number" link set wan0 up
    ip -n "$name-t$number" route add default via "100.64.$number.1"
    charon "$number"
  done

  if [ -n "$bird" ]; then
    setsid ip netns exec "$name" bird -f -c "$bird" -s "$run/bird.sock" -P "$run/bird.pid" \
      < /dev/null > "$run/bird.log" 2>&1 &
    await 'BIRD' test -S "$run/bird.sock"
  else
    mkdir -p "$run/frr"
    chown frr:frr "$run/frr"
    chmod 0755 "$(dirname "$run")" "$run"
    for number in zebra staticd bgpd; do
      setsid ip netns exec "$name" "/usr/lib/frr/$number" -z "$run/frr/zapi" \
        -i "$run/frr/$number.pid" --vty_socket "$run/frr" < /dev/null > "$run/$number.log" 2>&1 &
      await "$number" test -S "$run/frr/$number.vty"
    done
    vtysh --vty_socket "$run/frr" -f "$frr" > "$run/vtysh.log" 2>&1
  fi
  trap - ERR
  say "$name is up: ip netns exec $name-lan ping ..., $0 status $name"
}

status () {
  local number
  for number in 1 2; do
    swanctl --list-sas --uri "unix://$run/t$number/vici.sock" 2> /dev/null
  done
  if [ -S "$run/bird.sock" ]; then
    birdc -s "$run/bird.sock" show protocols
    birdc -s "$run/bird.sock" show route
  else
    vtysh --vty_socket "$run/frr" -c 'show ip bgp summary' -c 'show ip route'
  fi
}

case $verb in
  up) up "$@" ;;
  down) down ;;
  status) status ;;
  *) usage ;;
esac
