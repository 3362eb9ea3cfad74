/**
 * Stacks as the daemon wires them: the service that writes orders and the engine, over one store
 * and one EC2.
 */
import type { ActionRunner } from '../ec2/runner.ts'
import type { Service } from '../service.ts'
import { planOfStack } from './action.ts'
import type { EngineDependencies } from './engine.ts'
import { StackEngine } from './engine.ts'
import { RESOURCE_TYPES } from './resource_types/registry.ts'
import { createCloudFormationService, EVENT_SOURCE } from './service.ts'

export interface StacksDependencies
  extends Omit<EngineDependencies, 'types' | 'planOf' | 'invoke'> {
  readonly runner: ActionRunner
}

export interface Stacks {
  readonly service: Service
  /** Not started: `engine.start()` goes on with what a daemon before this one has left. */
  readonly engine: StackEngine
}

export function createStacks (dependencies: StacksDependencies): Stacks {
  const { runner, ledger, clock, random } = dependencies
  const types = RESOURCE_TYPES
  const engine = new StackEngine({
    ...dependencies, types,
    planOf: (stack) => planOfStack(ledger.snapshot, types, stack),
    invoke: async (caller, ...call) =>
      await runner.invoke({ ...caller, invokedBy: EVENT_SOURCE }, ...call)
  })
  return { engine, service: createCloudFormationService({ ledger, clock, random, types }) }
}
