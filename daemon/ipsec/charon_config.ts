/**
 * What charon is started with: its strongswan.conf, its environment, its command line.
 *
 * Each charon has a folder of its own (0700: the sockets in it carry keys) and shares nothing with
 * another one or with a strongSwan that somebody uses on this machine:
 *
 *     strongswan.conf   settings (STRONGSWAN_CONF names it)
 *     vici.sock         control (vici/)          charon listens
 *     xfrm.sock         SAs and policies (xfrm/) vpcd listens, the shim connects
 *     charon.log        its log
 *
 * The shim is named in LD_PRELOAD of charon alone: a program before it (nsenter, setpriv) would
 * have it loaded and unset the variable. charon keeps one capability, for ports 500 and 4500.
 */
import { join } from 'node:path'

export const CHARON_PROGRAM = '/usr/sbin/charon-systemd'
/** How long the shim waits for an XFRM server that is away, before it says EIO, ms. */
const SHIM_WAIT_MS = 300
/** How long charon waits for an answer of the XFRM server before it asks again, ms. */
const NETLINK_TIMEOUT_MS = 2000
/** charon's threads: with 8 it never answers, being busy with its own long-running jobs. */
const THREADS = 16

export interface CharonPaths {
  readonly directory: string
  readonly config: string
  readonly vici: string
  readonly xfrm: string
  readonly log: string
}

export function charonPaths (directory: string): CharonPaths {
  return {
    directory,
    config: join(directory, 'strongswan.conf'),
    vici: join(directory, 'vici.sock'),
    xfrm: join(directory, 'xfrm.sock'),
    log: join(directory, 'charon.log')
  }
}

/** Retransmissions of IKE: an unanswered request ends its IKE_SA after the sum of the waits. */
export interface RetransmitOptions {
  readonly timeoutSeconds: number
  readonly tries: number
  readonly base: number
}

/** 2 + 3 + 4.5 + 6.75 = 16 s: with dead peer detection every 10 s, within AWS's 30 s. */
export const RETRANSMIT_DEFAULT: RetransmitOptions = { timeoutSeconds: 2, tries: 3, base: 1.5 }

export function strongswanConf (
  paths: CharonPaths, retransmit: RetransmitOptions = RETRANSMIT_DEFAULT): string {
  return `charon-systemd {
  load_modular = no
  load = random nonce openssl kdf pem pkcs1 pkcs8 x509 pubkey revocation constraints \
kernel-netlink socket-default vici
  install_routes = no
  install_virtual_ip = no
  process_route = no
  threads = ${String(THREADS)}
  retransmit_timeout = ${String(retransmit.timeoutSeconds)}
  retransmit_tries = ${String(retransmit.tries)}
  retransmit_base = ${String(retransmit.base)}
  journal {
    default = -1
  }
  filelog {
    log {
      path = ${paths.log}
      default = 1
      append = no
      flush_line = yes
      time_format = %FT%T%z
      ike_name = yes
    }
  }
  plugins {
    kernel-netlink {
      timeout = ${String(NETLINK_TIMEOUT_MS)}
      retries = 1
      ignore_retransmit_errors = yes
    }
    vici {
      socket = unix://${paths.vici}
    }
  }
}
`
}

/**
 * The command that starts charon inside a namespace. It ends with the thread that started it.
 * @param namespacePath /run/netns/name
 * @param shimPath the library of xfrm_shim/
 */
export function charonCommand (
  namespacePath: string, shimPath: string, paths: CharonPaths): readonly [string, ...string[]] {
  return [
    'nsenter', `--net=${namespacePath}`,
    'setpriv', '--pdeathsig=TERM', '--no-new-privs', '--inh-caps=-all',
    '--bounding-set=-all,+net_bind_service',
    'env', `STRONGSWAN_CONF=${paths.config}`, `VPCLAB_XFRM_SOCKET=${paths.xfrm}`,
    `VPCLAB_XFRM_WAIT_MS=${String(SHIM_WAIT_MS)}`, `LD_PRELOAD=${shimPath}`,
    CHARON_PROGRAM
  ]
}
