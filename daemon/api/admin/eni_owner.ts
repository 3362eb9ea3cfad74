/** Whose an ENI is, by the names that people gave: what makes a reading of counters readable. */
import type { Snapshot } from '../../model/snapshot.ts'
import type { EniOwner } from './contract.ts'

/** @param eni null where no ENI can be named */
export function ownerOf ({ tables }: Snapshot, eni: string | null): EniOwner {
  const record = eni === null ? undefined : tables.networkInterface.get(eni)
  const instance = record?.attachment?.instanceId ?? null
  return {
    eniName: record?.tags['Name'] ?? '',
    instance,
    instanceName: instance === null ? '' : tables.instance.get(instance)?.tags['Name'] ?? ''
  }
}
