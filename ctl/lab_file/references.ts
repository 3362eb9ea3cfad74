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
import type { Refer } from './kinds/kind.ts'
import { FILE_KINDS, KINDS, type Kind, VPC_KINDS } from './kinds/registry.ts'
import { ROUTE_TARGETS } from './kinds/route_table.ts'
import { type Fields, pathOf, splitPath } from './resource.ts'
import { partsOf } from './resources_of.ts'
import {
  CHECK_KINDS, type LabCheck, type LabFile, type LabVpc
} from './schema.ts'
import { MAIN_TABLE, NONE } from './schema_parts.ts'

/** The target of a route that every table is born with. */
const LOCAL_TARGET = 'local'

/**
 * @param file without the parts that the schema refused
 * @param refused names of those parts: a reference to one of them is no fault of its own
 */
export function checkReferences (file: LabFile, refused: ReadonlySet<string>): Fault[] {
  const faults: Fault[] = FILE_KINDS.flatMap((kind) => partsOf(file, kind)
    .flatMap(([name, part]) =>
      checkNames(file, null, kind, part, [KINDS[kind].section, name], refused)))
  for (const [name, vpc] of Object.entries(file.vpcs ?? {})) {
    faults.push(...checkVpc(file, name, vpc, refused))
  }
  for (const [index, check] of (file.checks ?? []).entries()) {
    faults.push(...checkCheck(file, check, ['checks', index], refused))
  }
  faults.push(...checkHosts(file), ...checkZones(file), ...checkPeerings(file),
    ...checkElasticIps(file), ...checkAttachments(file))
  return faults
}

function checkVpc (file: LabFile, name: string, vpc: LabVpc,
  refused: ReadonlySet<string>): Fault[] {
  const path = ['vpcs', name]
  return [
    ...VPC_KINDS.flatMap((kind) => partsOf(vpc, kind).flatMap(([inner, part]) =>
      checkNames(file, name, kind, part, [...path, KINDS[kind].section, inner], refused))),
    ...checkSubnets(vpc, path),
    ...checkAddresses(vpc, path),
    ...checkInterfacesUsedOnce(vpc, path),
    ...checkOnlyOne(vpc, path)
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

/** Each name that a part says of something else. @param vpc that the part stands in, or null */
function checkNames (file: LabFile, vpc: string | null, kind: Kind, part: Fields, path: Path,
  refused: ReadonlySet<string>): Fault[] {
  const faults: Fault[] = []
  const check = (target: Kind, place: string | null, name: unknown, at: Path): void => {
    if (typeof name !== 'string') return
    const known = namesOf(file, target, place)
    if (known.includes(name) || refused.has(name)) return
    const holder = place === null ? 'the file' : place === vpc ? 'the VPC' : `the VPC "${place}"`
    faults.push({
      message: `${holder} has no ${KINDS[target].word} "${name}"${suggestion(name, known)}`,
      path: [...path, ...at]
    })
  }
  const refer: Refer = {
    to: (target, name, ...at) => {
      check(target, KINDS[target].place === 'vpc' ? vpc : null, name, at)
    },
    all: (target, names, ...at) => {
      for (const [index, name] of (names as readonly unknown[] | undefined ?? []).entries()) {
        refer.to(target, name, ...at, index)
      }
    },
    inVpc: (target, place, name, ...at) => {
      if (file.vpcs?.[place] !== undefined) check(target, place, name, at)
      else if (place === NONE) {
        faults.push({
          message: `a ${KINDS[target].word} is of a VPC: say which, with "vpc"`,
          path: [...path, ...at]
        })
      }
    },
    byPath: (target, whole, ...at) => {
      if (typeof whole !== 'string') return
      const [place, name] = splitPath(whole)
      if (file.vpcs?.[place] !== undefined) check(target, place, name, at)
      else if (!refused.has(place)) {
        const known = Object.keys(file.vpcs ?? {}).flatMap((one) =>
          namesOf(file, target, one).map((inner) => pathOf(one, inner)))
        faults.push({
          message: `"${whole}" is no ${KINDS[target].word} of a VPC of the file, as "vpc/name"` +
            suggestion(whole, known),
          path: [...path, ...at]
        })
      }
    }
  }
  KINDS[kind].references?.(part, refer)
  return faults
}

/** Names that a file has of a kind, those that are there unasked among them. */
function namesOf (file: LabFile, kind: Kind, vpc: string | null): string[] {
  const holder = vpc === null ? file : file.vpcs?.[vpc] ?? {}
  return [...partsOf(holder, kind).map(([name]) => name), ...[KINDS[kind].born ?? []].flat()]
}

/** What a VPC has one of at most. */
function checkOnlyOne (vpc: LabVpc, path: Path): Fault[] {
  const [first, second] = Object.keys(vpc['egress-only-internet-gateways'] ?? {})
  return second === undefined
    ? []
    : [{
        message: `the VPC has an egress-only internet gateway already: "${first ?? ''}"`,
        path: [...path, 'egress-only-internet-gateways', second],
        at: 'key'
      }]
}

/** One internet gateway and one virtual private gateway are attached to a VPC at most. */
function checkAttachments (file: LabFile): Fault[] {
  return (['internet-gateway', 'vpn-gateway'] as const).flatMap((kind) => {
    const attached = new Map<string, string>()
    return partsOf(file, kind).flatMap(([name, { vpc }]): Fault[] => {
      if (typeof vpc !== 'string' || vpc === NONE) return []
      const other = attached.get(vpc)
      attached.set(vpc, other ?? name)
      return other === undefined
        ? []
        : [{
            message: `the VPC "${vpc}" has the ${KINDS[kind].word} "${other}" already`,
            path: [KINDS[kind].section, name, 'vpc']
          }]
    })
  })
}

/** Two VPCs whose blocks overlap cannot be joined. */
function checkPeerings (file: LabFile): Fault[] {
  return Object.entries(file.peerings ?? {}).flatMap(([name, { requester, accepter }]): Fault[] => {
    const [own, others] = [requester, accepter].map((vpc) => file.vpcs?.[vpc]?.cidr ?? [])
    const pair = own?.flatMap((one) => (others ?? []).map((other) => [one, other] as const))
      .find(([one, other]) => overlaps(one, other))
    return pair === undefined || requester === accepter
      ? []
      : [{
          message: `the VPCs "${requester}" (${pair[0]}) and "${accepter}" (${pair[1]}) ` +
            'overlap: EC2 joins no such VPCs',
          path: ['peerings', name, 'accepter']
        }]
  })
}

/** An Elastic IP is in one place. */
function checkElasticIps (file: LabFile): Fault[] {
  const users = new Map<string, string>()
  const faults: Fault[] = []
  const use = (eip: string | undefined, user: string, path: Path): void => {
    if (eip === undefined) return
    const other = users.get(eip)
    if (other !== undefined) {
      faults.push({ message: `the Elastic IP "${eip}" is that of ${other} already`, path })
    }
    users.set(eip, user)
  }
  for (const [name, { association }] of Object.entries(file['elastic-ips'] ?? {})) {
    if (association === undefined || association === NONE) continue
    const user = `"${association.instance ?? association.eni ?? ''}"`
    use(name, user, ['elastic-ips', name, 'association'])
  }
  for (const [vpc, { 'nat-gateways': gateways }] of Object.entries(file.vpcs ?? {})) {
    for (const [name, { eip, secondary = [] }] of Object.entries(gateways ?? {})) {
      const path = ['vpcs', vpc, 'nat-gateways', name]
      const user = `the NAT gateway "${pathOf(vpc, name)}"`
      use(eip, user, [...path, 'eip'])
      for (const [index, one] of secondary.entries()) {
        use(one.eip, user, [...path, 'secondary', index, 'eip'])
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

/** A route's target in a check: `local`, or what a route of the table's VPC may lead to. */
function targetFault (file: LabFile, { table, target }: { table: string, target: string },
  refused: ReadonlySet<string>): string | null {
  const [holder, ...others] = Object.entries(file.vpcs ?? {}).filter(([vpcName, vpc]) =>
    [MAIN_TABLE, ...Object.keys(vpc['route-tables'] ?? {})].some((name) =>
      name === table || `${vpcName}/${name}` === table))
  // A table that is unknown, or in several VPCs, is a fault of its own.
  if (holder === undefined || others.length > 0) return null
  const [vpcName] = holder
  const targets = Object.values(ROUTE_TARGETS).flatMap(({ kind }) =>
    namesOf(file, kind, KINDS[kind].place === 'vpc' ? vpcName : null))
  const known = [LOCAL_TARGET, ...targets]
  const name = target.startsWith(`${vpcName}/`) ? target.slice(vpcName.length + 1) : target
  if (known.includes(name) || refused.has(name)) return null
  return `the VPC "${vpcName}" has no target "${target}"` + suggestion(name, known)
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
      const message = nameFault(file, 'instance', to, refused, vpcOfCheck(file, body))
      if (message !== null) faults.push({ message, path: [...path, kind, 'to'] })
    }
    for (const [field, named] of [
      ['from', 'instance'], ['in', 'instance'], ['table', 'route-table']
    ] as const) {
      const name = body[field]
      if (typeof name !== 'string' || name === '') continue
      const message = nameFault(file, named, name, refused, null)
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
function nameFault (file: LabFile, kind: 'instance' | 'route-table', name: string,
  refused: ReadonlySet<string>, vpc: string | null): string | null {
  const vpcs = Object.keys(file.vpcs ?? {})
  const holders = vpcs.filter((vpcName) => namesOf(file, kind, vpcName).some((one) =>
    one === name || pathOf(vpcName, one) === name))
  if (holders.length === 1 || holders.some((vpcName) => vpcName === vpc)) return null
  const { word, section } = KINDS[kind]
  if (holders.length > 1) {
    return `several VPCs have the ${word} "${name}": ` +
      holders.map((vpcName) => `"${vpcName}/${name}"`).join(' or ')
  }
  if (refused.has(name) || vpcs.some((vpcName) => name.startsWith(`${vpcName}/`) &&
    refused.has(name.slice(vpcName.length + 1)))) return null
  const known = vpcs.flatMap((vpcName) => Object.keys(file.vpcs?.[vpcName]?.[section as
    'instances' | 'route-tables'] ?? {}))
  return `the file has no ${word} "${name}"${suggestion(name, known)}`
}
