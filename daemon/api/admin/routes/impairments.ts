/** What a person does to the network: impairments of ENIs and hosts, partitions between hosts. */
import { AwsError } from '../../../model/aws_error.ts'
import {
  NO_IMPAIRMENT, planHeal, planImpair, planPartition, planUnimpair
} from '../../../model/impairment.ts'
import type { ImpairmentSettings } from '../../../model/impairment.ts'
import type { Plan } from '../../../model/plan.ts'
import type { Replica } from '../../../store/replica.ts'
import type {
  ClearImpairmentRequest, ImpairmentsAnswer, ImpairRequest, PartitionRequest, RevisionAnswer
} from '../contract.ts'
import { type AddRoutes, Refusal } from '../route.ts'

export const addImpairmentRoutes: AddRoutes = (server, { replica }) => {
  const { snapshot } = replica
  server.get('/impairments', (): ImpairmentsAnswer => ({
    impairments: [...snapshot.tables.impairment.values()],
    partitions: [...snapshot.tables.partition.values()]
  }))
  server.post<{ Body: ImpairRequest }>('/impairments', async ({ body }) =>
    await commit(replica, () => planImpair(snapshot, body.id, settingsOf(body))))
  server.post<{ Body: ClearImpairmentRequest }>('/impairments/clear', async ({ body }) =>
    await commit(replica, () => planUnimpair(snapshot, body.id)))
  server.post<{ Body: PartitionRequest }>('/partitions', async ({ body: { hosts } }) =>
    await commit(replica, () => planPartition(snapshot, ...hosts)))
  server.post<{ Body: PartitionRequest }>('/partitions/heal', async ({ body: { hosts } }) =>
    await commit(replica, () => planHeal(snapshot, ...hosts)))
}

/** What was not said is as without an impairment. */
function settingsOf (body: ImpairRequest): ImpairmentSettings {
  const names = Object.keys(NO_IMPAIRMENT)
  const unknown = Object.keys(body).filter((name) => name !== 'id' && !names.includes(name))
  if (unknown.length > 0) {
    throw new Refusal(400, 'InvalidParameterValue', `An impairment has no ${unknown.join(', ')}: ` +
      `it has ${names.join(', ')}`)
  }
  return { ...NO_IMPAIRMENT, ...body }
}

async function commit (replica: Replica, plan: () => Plan<unknown>): Promise<RevisionAnswer> {
  try {
    return { revision: (await replica.transact(plan)).revision }
  } catch (error) {
    if (error instanceof AwsError) throw new Refusal(error.status, error.code, error.message)
    throw error
  }
}
