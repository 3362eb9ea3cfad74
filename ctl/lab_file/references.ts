/**
 * What the schema cannot see: that names exist, that blocks and addresses lie where they must, that
 * nothing is there twice. EC2 would refuse most of it, but only at the call, one fault at a time.
 *
 * The route table "main", the security group "default", the network ACL "default" and the DHCP
 * option set "default" are there in every VPC, whether or not the file names them.
 */
import { isIP } from 'node:net'
import { ZONE_COUNT_DEFAULT } from '../../daemon/host/lab_config.ts'
import { contains, isReservedIn, overlaps, placeOf } from './address.ts'
import { type Fault, type Path, suggestion } from './fault.ts'
import {
  CHECK_KINDS, DEFAULT_ACL, DEFAULT_DHCP_OPTIONS, DEFAULT_GROUP, type GroupRule,
  type LabCheck, type LabFile, type LabVpc, MAIN_TABLE, NO_DHCP_OPTIONS
} from './schema.ts'

/** The target of a route that every table is born with. */
const LOCAL_TARGET = 'local'

type Section = 'subnets' | 'route-tables' | 'security-groups' | 'network-acls' | 'enis' |
  'instances'

/** What a VPC has without being told. */
const BORN_WITH: Readonly<Partial<Record<Section, string>>> = {
  'route-tables': MAIN_TABLE, 'security-groups': DEFAULT_GROUP, 'network-acls': DEFAULT_ACL
}

const SECTION_WORDS: Readonly<Record<Section, string>> = {
  'subnets': 'subnet', 'route-tables': 'route table', 'security-groups': 'security group',
  'network-acls': 'network ACL', 'enis': 'ENI', 'instances': 'instance'
}

/**
 * @param file without the parts that the schema refused
 * @param refused names of those parts: a reference to one of them is no fault of its own
 */
export function checkReferences (file: LabFile, refused: ReadonlySet<string>): Fault[] {
  const faults: Fault[] = []
  for (const [name, vpc] of Object.entries(file.vpcs ?? {})) {
    faults.push(...checkVpc(file, name, vpc, refused))
  }
  for (const [index, check] of (file.checks ?? []).entries()) {
    faults.push(...checkCheck(file, check, ['checks', index], refused))
  }
  faults.push(...checkHosts(file), ...checkZones(file))
  return faults
}

function checkVpc (file: LabFile, name: string, vpc: LabVpc,
  refused: ReadonlySet<string>): Fault[] {
  const path = ['vpcs', name]
  const faults: Fault[] = []
  const dhcpOptions = vpc['dhcp-options']
  const known = [
    DEFAULT_DHCP_OPTIONS, NO_DHCP_OPTIONS, ...Object.keys(file['dhcp-options'] ?? {})
  ]
  if (dhcpOptions !== undefined && !known.includes(dhcpOptions) && !refused.has(dhcpOptions)) {
    faults.push({
      message: `no DHCP option set of the file is named "${dhcpOptions}"` +
        suggestion(dhcpOptions, known),
      path: [...path, 'dhcp-options']
    })
  }
  return [
    ...faults,
    ...checkNames(vpc, path, refused),
    ...checkSubnets(vpc, path),
    ...checkAddresses(vpc, path),
    ...checkInterfacesUsedOnce(vpc, path)
  ]
}

/** What ENIs and instances have in common. */
interface InterfacePart {
  readonly subnet?: string | undefined
  readonly address?: string | undefined
  readonly addresses?: readonly string[] | undefined
  readonly ipv6?: true | readonly string[] | undefined
  readonly groups?: readonly string[] | undefined
}

function interfacesOf (vpc: LabVpc, section: 'enis' | 'instances'): [string, InterfacePart][] {
  return Object.entries<InterfacePart>(vpc[section] ?? {})
}

/** Each reference of a VPC's parts to another part. */
function checkNames (vpc: LabVpc, path: Path, refused: ReadonlySet<string>): Fault[] {
  const faults: Fault[] = []
  const refer = (section: Section, name: string | undefined, ...at: PropertyKey[]): void => {
    if (name === undefined || BORN_WITH[section] === name) return
    const known = Object.keys(vpc[section] ?? {})
    if (known.includes(name) || refused.has(name)) return
    faults.push({
      message: `the VPC has no ${SECTION_WORDS[section]} "${name}"` +
        suggestion(name, [...known, BORN_WITH[section] ?? '']),
      path: [...path, ...at]
    })
  }
  const referAll = (section: Section, names: readonly string[] | undefined,
    ...at: PropertyKey[]): void => {
    for (const [index, name] of (names ?? []).entries()) refer(section, name, ...at, index)
  }
  for (const [name, subnet] of Object.entries(vpc.subnets ?? {})) {
    refer('route-tables', subnet['route-table'], 'subnets', name, 'route-table')
    refer('network-acls', subnet['network-acl'], 'subnets', name, 'network-acl')
  }
  for (const section of ['enis', 'instances'] as const) {
    for (const [name, part] of interfacesOf(vpc, section)) {
      refer('subnets', part.subnet, section, name, 'subnet')
      referAll('security-groups', part.groups, section, name, 'groups')
    }
  }
  for (const [name, instance] of Object.entries(vpc.instances ?? {})) {
    referAll('enis', instance.enis, 'instances', name, 'enis')
  }
  for (const [name, table] of Object.entries(vpc['route-tables'] ?? {})) {
    for (const [destination, target] of Object.entries(table.routes ?? {})) {
      const at = ['route-tables', name, 'routes', destination]
      refer('enis', target.eni, ...at, 'eni')
      refer('instances', target.instance, ...at, 'instance')
    }
  }
  for (const [name, group] of Object.entries(vpc['security-groups'] ?? {})) {
    for (const [direction, side] of [['ingress', 'from'], ['egress', 'to']] as const) {
      const rules: readonly GroupRule[] = group[direction] ?? []
      for (const [index, rule] of rules.entries()) {
        for (const [peerIndex, peer] of (rule[side] ?? []).entries()) {
          if (peer.includes('/')) continue
          refer('security-groups', peer,
            'security-groups', name, direction, index, side, peerIndex)
        }
      }
    }
  }
  return faults
}

function checkSubnets (vpc: LabVpc, path: Path): Fault[] {
  const faults: Fault[] = []
  const before: { name: string, cidr: string }[] = []
  const numbers = new Map<number, string>()
  for (const [name, { cidr, ipv6 }] of Object.entries(vpc.subnets ?? {})) {
    const at = [...path, 'subnets', name]
    if (cidr !== undefined) {
      if (!vpc.cidr.some((block) => contains(block, cidr))) {
        faults.push({
          message: `${cidr} lies in no block of the VPC, which has ${vpc.cidr.join(', ')}`,
          path: [...at, 'cidr']
        })
      }
      const other = before.find((subnet) => overlaps(subnet.cidr, cidr))
      if (other !== undefined) {
        faults.push({
          message: `${cidr} overlaps ${other.cidr} of the subnet "${other.name}"`,
          path: [...at, 'cidr']
        })
      }
      before.push({ name, cidr })
    }
    if (ipv6 === undefined) continue
    if (vpc.ipv6 !== true) {
      faults.push({ message: 'the VPC has no "ipv6: true"', path: [...at, 'ipv6'] })
    }
    const other = numbers.get(ipv6)
    if (other !== undefined) {
      faults.push({
        message: `the subnet "${other}" has this /64 already`, path: [...at, 'ipv6']
      })
    }
    numbers.set(ipv6, name)
  }
  return faults
}

/** Fixed addresses lie in their subnets, are not AWS's own, and are given once. */
function checkAddresses (vpc: LabVpc, path: Path): Fault[] {
  const faults: Fault[] = []
  const given = new Map<string, string>()
  const once = (address: string, name: string, at: Path): void => {
    const other = given.get(address)
    if (other !== undefined) {
      faults.push({ message: `${address} is given to "${other}" already`, path: at })
    }
    given.set(address, name)
  }
  for (const section of ['enis', 'instances'] as const) {
    for (const [name, part] of interfacesOf(vpc, section)) {
      const subnet = vpc.subnets?.[part.subnet ?? '']
      if (subnet === undefined) continue
      const at = [...path, section, name]
      const places: [string | undefined, Path][] = [[part.address, [...at, 'address']],
        ...(part.addresses ?? []).map((address, index): [string, Path] =>
          [address, [...at, 'addresses', index]])]
      for (const [address, where] of places) {
        if (address === undefined) continue
        once(address, name, where)
        if (subnet.cidr === undefined || !contains(subnet.cidr, address)) {
          faults.push({
            message: `${address} is not in the subnet "${part.subnet ?? ''}"` +
              (subnet.cidr === undefined ? ', which has no IPv4 block' : ` (${subnet.cidr})`),
            path: where
          })
        } else if (isReservedIn(subnet.cidr, address)) {
          faults.push({
            message: `${address} is AWS's own: the first four addresses of a subnet and the last`,
            path: where
          })
        }
      }
      if (part.ipv6 === undefined) continue
      if (subnet.ipv6 === undefined) {
        faults.push({
          message: `the subnet "${part.subnet ?? ''}" has no "ipv6"`, path: [...at, 'ipv6']
        })
      } else if (part.ipv6 !== true) {
        for (const [index, place] of part.ipv6.entries()) {
          once(`${String(subnet.ipv6)}/${placeOf(place)}`, name, [...at, 'ipv6', index])
        }
      }
    }
  }
  return faults
}

function checkInterfacesUsedOnce (vpc: LabVpc, path: Path): Fault[] {
  const faults: Fault[] = []
  const owner = new Map<string, string>()
  for (const [name, { enis = [] }] of Object.entries(vpc.instances ?? {})) {
    for (const [index, eni] of enis.entries()) {
      const other = owner.get(eni)
      if (other !== undefined) {
        faults.push({
          message: `the ENI "${eni}" is attached to "${other}" already`,
          path: [...path, 'instances', name, 'enis', index]
        })
      }
      owner.set(eni, name)
    }
  }
  return faults
}

function checkHosts (file: LabFile): Fault[] {
  if (typeof file.hosts !== 'object') return []
  const known = Object.keys(file.hosts)
  return Object.entries(file.vpcs ?? {}).flatMap(([vpcName, vpc]) =>
    Object.entries(vpc.instances ?? {}).flatMap(([name, { host }]) =>
      host === undefined || known.includes(host)
        ? []
        : [{
            message: `the lab has no host "${host}"${suggestion(host, known)}`,
            path: ['vpcs', vpcName, 'instances', name, 'host']
          }]))
}

/** A zone of the lab is one that a host of it is in. */
function checkZones (file: LabFile): Fault[] {
  const known = zonesOfHosts(file)
  if (known === null) return []
  return Object.entries(file.vpcs ?? {}).flatMap(([vpcName, { subnets }]) =>
    Object.entries(subnets ?? {}).flatMap(([name, { zone }]): Fault[] => {
      const number = zoneNumber(zone)
      return number === null || known.has(number)
        ? []
        : [{
            message: `the lab has no zone ${String(zone)}: its hosts are in ` +
              (known.size === 1 ? 'zone ' : 'the zones ') + [...known].toSorted().join(', '),
            path: ['vpcs', vpcName, 'subnets', name, 'zone']
          }]
    }))
}

/** Numbers of the zones that the file's hosts are in; null when it does not say. */
function zonesOfHosts ({ hosts }: LabFile): ReadonlySet<number> | null {
  if (hosts === undefined || hosts === 0) return null
  if (typeof hosts === 'number') {
    const count = Math.min(ZONE_COUNT_DEFAULT, hosts)
    return new Set(Array.from({ length: count }, (_, index) => index + 1))
  }
  const numbers = Object.values(hosts).map(zoneNumber)
  return numbers.includes(null) || numbers.length === 0
    ? null
    : new Set(numbers.filter((number) => number !== null))
}

/** Of `2` and of `use1-az2`; null of a zone's name, whose number is the Region's to know. */
function zoneNumber (zone: string | number | undefined): number | null {
  const [, number] = /^(?:\w+-az)?(\d)$/.exec(String(zone ?? '')) ?? []
  return number === undefined ? null : Number(number)
}

/** A route's target in a check: `local`, or an ENI or instance of the table's VPC. */
function targetFault (file: LabFile, { table, target }: { table: string, target: string },
  refused: ReadonlySet<string>): string | null {
  const [holder, ...others] = Object.entries(file.vpcs ?? {}).filter(([vpcName, vpc]) =>
    [MAIN_TABLE, ...Object.keys(vpc['route-tables'] ?? {})].some((name) =>
      name === table || `${vpcName}/${name}` === table))
  // A table that is unknown, or in several VPCs, is a fault of its own.
  if (holder === undefined || others.length > 0) return null
  const [vpcName, { enis = {}, instances = {} }] = holder
  const known = [LOCAL_TARGET, ...Object.keys(enis), ...Object.keys(instances)]
  const name = target.startsWith(`${vpcName}/`) ? target.slice(vpcName.length + 1) : target
  if (known.includes(name) || refused.has(name)) return null
  return `the VPC "${vpcName}" has no ENI or instance "${target}"` + suggestion(name, known)
}

function checkCheck (file: LabFile, check: LabCheck, path: Path,
  refused: ReadonlySet<string>): Fault[] {
  const faults: Fault[] = []
  for (const kind of CHECK_KINDS) {
    const body = check[kind] as Readonly<Record<string, unknown>> | undefined
    if (body === undefined) continue
    const { to } = body
    // What is neither an address nor a host name with a dot is an instance.
    if (typeof to === 'string' && isIP(to) === 0 && !to.includes('.')) {
      const message = nameFault(file, 'instances', to, refused, vpcOfCheck(file, body))
      if (message !== null) faults.push({ message, path: [...path, kind, 'to'] })
    }
    for (const [field, section] of [
      ['from', 'instances'], ['in', 'instances'], ['table', 'route-tables']
    ] as const) {
      const name = body[field]
      if (typeof name !== 'string' || name === '') continue
      const message = nameFault(file, section, name, refused, null)
      if (message !== null) faults.push({ message, path: [...path, kind, field] })
    }
  }
  if (check.route !== undefined) {
    const message = targetFault(file, check.route, refused)
    if (message !== null) faults.push({ message, path: [...path, 'route', 'target'] })
  }
  return faults
}

/** The VPC of the instance that a check starts from: its other names are looked for there first. */
function vpcOfCheck (file: LabFile, { from }: Readonly<Record<string, unknown>>): string | null {
  const [only, ...more] = Object.entries(file.vpcs ?? {}).filter(([vpcName, { instances }]) =>
    Object.keys(instances ?? {}).some((name) => name === from || `${vpcName}/${name}` === from))
  return more.length > 0 ? null : only?.[0] ?? null
}

/**
 * What is wrong with a name that a check gives, `name` or `vpc/name`, or null.
 * @param vpc one whose own things go before those of others
 */
function nameFault (file: LabFile, section: 'instances' | 'route-tables', name: string,
  refused: ReadonlySet<string>, vpc: string | null): string | null {
  const vpcs = Object.entries(file.vpcs ?? {})
  const holders = vpcs.filter(([vpcName, vpc]) => {
    const names = [...Object.keys(vpc[section] ?? {}), BORN_WITH[section] ?? '']
    return names.some((one) => one !== '' && (one === name || `${vpcName}/${one}` === name))
  })
  if (holders.length === 1 || holders.some(([vpcName]) => vpcName === vpc)) return null
  if (holders.length > 1) {
    return `several VPCs have the ${SECTION_WORDS[section]} "${name}": ` +
      holders.map(([vpcName]) => `"${vpcName}/${name}"`).join(' or ')
  }
  if (refused.has(name) || vpcs.some(([vpcName]) => name.startsWith(`${vpcName}/`) &&
    refused.has(name.slice(vpcName.length + 1)))) return null
  const known = vpcs.flatMap(([, vpc]) => Object.keys(vpc[section] ?? {}))
  return `the file has no ${SECTION_WORDS[section]} "${name}"${suggestion(name, known)}`
}
