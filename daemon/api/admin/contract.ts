/**
 * The admin API: what `vpcctl` asks the daemon that is no EC2 call. HTTP with JSON over the unix
 * socket `adminSocketPath(lab)` (host/paths.ts), readable by root only.
 *
 *     GET  /status                         LabStatusAnswer
 *     GET  /credentials                    CredentialsAnswer
 *     GET  /wait?revision=N&timeoutMs=M    WaitAnswer, 408 with AdminError when the time is over
 *     GET  /drops[?eni=eni-…]              DropsAnswer
 *     GET  /flows[?eni=eni-…][&limit=N]    FlowsAnswer
 *     GET  /mapping?vpc=vpc-…&address=A    MappingAnswer, 404 with AdminError
 *     GET  /cache                          CacheAnswer
 *     GET  /instances/i-…                  InstanceAnswer, 404 with AdminError
 *     POST /reset                          ResetAnswer: empties everything but the hosts
 *     POST /stop                           stops the daemon; instances and devices stay
 *
 * Every error answers a status of 400 or more and AdminError.
 */

export interface AdminError {
  readonly code: string
  readonly message: string
}

export interface LabStatusAnswer {
  readonly lab: string
  readonly pid: number
  /** `http://127.0.0.1:4566` */
  readonly endpointUrl: string
  readonly region: string
  readonly revision: number
  /** Newest revision that every agent has applied. */
  readonly appliedRevision: number
  readonly hosts: readonly HostStatus[]
  readonly instances: Readonly<Record<string, number>>
}

export interface HostStatus {
  readonly name: string
  readonly zoneId: string
  readonly namespace: string
  readonly underlayAddress: string
  readonly appliedRevision: number
  readonly wireMode: 'offload' | 'per-packet'
  readonly ports: number
  readonly flows: number
  /**
   * NIC_COUNTERS by name (tun/counters.ts), WORKER_COUNTERS as `worker-…` (dataplane/counters.ts).
   */
  readonly counters: Readonly<Record<string, number>>
  readonly features: Readonly<Record<string, boolean>>
}

export interface CredentialsAnswer {
  readonly endpointUrl: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly accountId: string
}

export interface WaitAnswer { readonly appliedRevision: number }

export interface DropsAnswer {
  readonly drops: readonly {
    readonly host: string
    /** null: no ENI can be named (bad outer header, unknown VNI …). */
    readonly eni: string | null
    readonly reason: string
    readonly meaning: string
    readonly packets: number
  }[]
}

export interface FlowsAnswer {
  readonly flows: readonly {
    readonly host: string
    readonly eni: string
    readonly protocol: string
    readonly localAddress: string
    readonly localPort: number
    readonly remoteAddress: string
    readonly remotePort: number
    readonly egressPackets: number
    readonly egressBytes: number
    readonly ingressPackets: number
    readonly ingressBytes: number
    /** ms since the last packet. */
    readonly idleMs: number
    /** In words: `encapsulate to host-2`, `deliver`, `drop no-route`. */
    readonly egressAction: string
    readonly ingressAction: string
  }[]
}

export interface MappingAnswer {
  readonly vpc: string
  readonly address: string
  readonly eni: string
  readonly host: string
  readonly underlayAddress: string
  readonly subnet: string
  readonly macAddress: string
  readonly generation: number
}

export interface CacheAnswer {
  readonly hosts: readonly {
    readonly host: string
    readonly vpcs: number
    readonly mappings: number
    readonly preloads: number
    readonly resolves: number
    readonly negative: number
    readonly invalidations: number
  }[]
}

export interface InstanceAnswer {
  readonly id: string
  readonly namespace: string
  readonly host: string | null
  readonly state: string
}

export interface ResetAnswer { readonly revision: number, readonly removed: number }
