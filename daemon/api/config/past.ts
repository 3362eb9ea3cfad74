/**
 * Replay: what EC2 would have described of a resource, at every moment at which that changed.
 *
 *     state at a revision ─▶ Snapshot ── commit by commit ──▶ Describe… ─▶ another text? an item
 *
 * A description depends on more than its own record: a route is a blackhole because an interface is
 * gone, a subnet counts its free addresses. So every commit that touched the VPC of the resource is
 * replayed, and only those that changed the description become items. Windows of WINDOW_COMMITS are
 * replayed until a page is full; a page that was not filled after WINDOWS_MAX ends there, and the
 * next one goes on.
 */
import type { ChangeHistory, PastResource } from '../../audit/change_history.ts'
import { AwsError } from '../../model/aws_error.ts'
import { AccountView, Snapshot } from '../../model/snapshot.ts'
import type { Action, ReadAction } from '../ec2/action.ts'
import type { ResourceDescription } from './resource_types.ts'

/** Commits that are replayed at once. */
const WINDOW_COMMITS = 256
/** Windows of one page: about half a second's work. */
export const WINDOWS_MAX = 40

/** A resource as it was from one revision on. */
export interface PastState {
  readonly revision: number
  readonly atMs: number
  /** What EC2 described, in the SDK's names; null once the resource is gone. */
  readonly description: object | null
}

export interface PastQuery {
  /** Revisions greater than this one. */
  readonly after: number
  readonly upTo: number
  readonly order: 'Forward' | 'Reverse'
  readonly limit: number
}

export interface PastPage {
  /** In the order asked for. */
  readonly states: readonly PastState[]
  /** `upTo` (Reverse) or `after` (Forward) of the next page; null when there is none. */
  readonly next: number | null
}

export class Past {
  readonly #history: ChangeHistory
  readonly #actions: ReadonlyMap<string, Action>

  constructor (history: ChangeHistory, actions: readonly Action[]) {
    this.#history = history
    this.#actions = new Map(actions.map((action) => [action.name, action]))
  }

  /** One page of a resource's past. */
  page (resource: PastResource, type: ResourceDescription, query: PastQuery): PastPage {
    const floor = Math.max(resource.firstRevision, this.#history.beginRevision)
    const isForward = query.order === 'Forward'
    const states: PastState[] = []
    let { after, upTo } = query
    for (let windows = 0; windows < WINDOWS_MAX; windows++) {
      const revisions = this.#history.revisionsOf(
        resource, Math.max(after, floor), upTo, isForward ? 'first' : 'last', WINDOW_COMMITS)
      const isLast = revisions.length < WINDOW_COMMITS
      const withFloor = after < floor && floor <= upTo && (isForward ? windows === 0 : isLast)
      const found = this.#replay(resource, type, withFloor ? [floor, ...revisions] : revisions,
        withFloor)
      states.push(...isForward ? found : found.toReversed())
      if (states.length > query.limit) {
        const page = states.slice(0, query.limit)
        const edge = page.at(-1)?.revision ?? 0
        return { states: page, next: isForward ? edge : edge - 1 }
      }
      if (isLast) return { states, next: null }
      if (isForward) after = revisions.at(-1) ?? after
      else upTo = (revisions[0] ?? upTo) - 1
    }
    return { states, next: isForward ? after : upTo }
  }

  /** @param fromNothing nothing is known before the first revision, so that it is a state itself */
  #replay (resource: PastResource, type: ResourceDescription, revisions: readonly number[],
    fromNothing: boolean): PastState[] {
    const [first] = revisions
    if (first === undefined) return []
    const start = fromNothing ? first : first - 1
    const snapshot = new Snapshot()
    for (const change of this.#history.stateAt(resource, start)) {
      snapshot.load(change, start, start)
    }
    const states: PastState[] = []
    let previous = fromNothing ? 'null' : this.#describe(snapshot, resource, type, start).text
    for (const revision of revisions) {
      if (revision !== start) {
        snapshot.apply(revision, this.#history.changesAt(resource, revision))
      }
      const { description, text, atMs } = this.#describe(snapshot, resource, type, revision)
      if (text !== previous) states.push({ revision, atMs, description })
      previous = text
    }
    return states
  }

  #describe (snapshot: Snapshot, resource: PastResource, type: ResourceDescription,
    revision: number):
    { readonly description: object | null, readonly text: string, readonly atMs: number } {
    const atMs = this.#history.momentOf(revision)
    const description = this.#read(snapshot, resource, type, atMs)
    return { description, text: JSON.stringify(description), atMs }
  }

  #read (snapshot: Snapshot, resource: PastResource, type: ResourceDescription,
    nowMs: number): object | null {
    const action = this.#actions.get(type.action) as unknown as ReadAction<object, object>
    const view = new AccountView(snapshot, resource.ownerId, resource.region)
    if (view.get(resource.noun, resource.id) === undefined) return null
    try {
      const output = action.read(view, { [type.idsParameter]: [resource.id] },
        { nowMs, lab: { appliedRevision: snapshot.revision } })
      return type.descriptionIn(output)
    } catch (error) {
      if (error instanceof AwsError) return null
      throw error
    }
  }
}
