/** What becomes of drop counters when ENIs come, go and return. */
import test from 'ava'
import { eniBits } from '../base/ids.ts'
import { COUNTER_WORDS, Counters, PORT_NONE } from '../dataplane/counters.ts'
import { DROP_NO_ROUTE, DROP_VNI_UNKNOWN } from '../dataplane/drop_reason.ts'
import { PORT_KIND_ENI } from '../dataplane/tables/update.ts'
import type { PortData, TableUpdate } from '../dataplane/tables/update.ts'
import { DropHistory } from './drop_history.ts'

const ENI_A = 'eni-00000000000000001'
const ENI_B = 'eni-00000000000000002'

function port (portIndex: number, eni: string): PortData {
  const { high, low } = eniBits(eni)
  return {
    portIndex, kind: PORT_KIND_ENI, eniIdHigh: high, eniIdLow: low, vpcIndex: 1, subnetIndex: 1,
    routeTableIndex: 0, sourceDestCheck: true,
    addresses: new Uint32Array(), mtu: 9001, securityGroups: new Uint32Array(0),
    tcpEstablishedTimeoutS: 432_000, udpStreamTimeoutS: 180, udpTimeoutS: 30
  }
}

function open () {
  const shared = new SharedArrayBuffer(COUNTER_WORDS * Float64Array.BYTES_PER_ELEMENT)
  const counters = new Counters(shared)
  const history = new DropHistory(shared)
  let revision = 0
  const update = (part: Omit<TableUpdate, 'kind' | 'revision'>): void => {
    history.note({ kind: 'tables', revision: ++revision, ...part })
    for (const { portIndex } of part.ports ?? []) counters.clearPort(portIndex)
  }
  const drop = (portIndex: number, reason: number, packets: number): void => {
    counters.drop(portIndex, reason, packets)
    counters.commit(new Float64Array())
  }
  return { history, update, drop }
}

test('an ENI that left and came back on another port keeps its drops', (t) => {
  const { history, update, drop } = open()
  update({ ports: [port(1, ENI_A)] })
  drop(1, DROP_NO_ROUTE, 3)
  update({ removedPorts: [1] })
  t.deepEqual(history.list(), [{ networkInterfaceId: ENI_A, reason: DROP_NO_ROUTE, packets: 3 }])
  update({ ports: [port(1, ENI_B), port(2, ENI_A)] })
  drop(2, DROP_NO_ROUTE, 2)
  drop(1, DROP_NO_ROUTE, 7)
  t.deepEqual(history.list(), [
    { networkInterfaceId: ENI_A, reason: DROP_NO_ROUTE, packets: 5 },
    { networkInterfaceId: ENI_B, reason: DROP_NO_ROUTE, packets: 7 }
  ])
})

test('a deleted ENI is forgotten, drops of no ENI stay', (t) => {
  const { history, update, drop } = open()
  update({ ports: [port(1, ENI_A)] })
  drop(1, DROP_NO_ROUTE, 3)
  drop(PORT_NONE, DROP_VNI_UNKNOWN, 1)
  update({ removedPorts: [1] })
  history.forget(ENI_A)
  t.deepEqual(history.list(), [{ networkInterfaceId: null, reason: DROP_VNI_UNKNOWN, packets: 1 }])
})
