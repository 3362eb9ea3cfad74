/**
 * Events as sentences for a person who watches:
 *
 *              r12  vpc vpc-0123456789abcdef0 (web) exists
 *     12:00:01 r42  subnet subnet-0123456789abcdef0 (front) created in vpc web
 *     12:00:02 r43  instance i-0123456789abcdef0 (a) changed: state pending → running
 *     12:00:02 r43  applied by host-1
 *
 * Names are learnt from the events themselves, so that a VPC is called by its name wherever it is
 * mentioned later. The time is the local one.
 */
import type { ChangeEvent, EventLine } from '../daemon/api/admin/contract.ts'
import { oneLine } from './print/one_line.ts'

/** Changed fields that one sentence names; more are counted. */
const FIELDS_MAX = 4
const TIME_WIDTH = 8

type Fields = Readonly<Record<string, unknown>>

export class EventSentences {
  /** Id → Name tag. */
  readonly #names = new Map<string, string>()

  /** Takes up what an event tells of names. To be called with every event, also unprinted ones. */
  learn (event: EventLine): void {
    if (event.type !== 'initial' && event.type !== 'change') return
    if (event.record !== null) this.#names.set(event.id, nameIn(event.record))
  }

  /** One line. Precondition: `learn` was called with the event and all before it. */
  say (event: EventLine): string {
    const sentence = oneLine(this.#sentence(event))
    const time = 'time' in event ? new Date(event.time).toTimeString().slice(0, TIME_WIDTH) : ''
    return `${time.padEnd(TIME_WIDTH)} r${String(event.revision)}  ${sentence}`
  }

  #sentence (event: EventLine): string {
    switch (event.type) {
      case 'initial':
        return `${words(event.noun)} ${this.#label(event.id)} exists${this.#where(event)}`
      case 'synced':
        return 'That is what there is' + (event.appliedRevision < event.revision
          ? `, applied up to r${String(event.appliedRevision)}. Changes follow:`
          : ', and all of it is applied. Changes follow:')
      case 'change': return this.#change(event)
      case 'applied':
        return event.host === 'all' ? 'applied by every host' : `applied by ${event.host}`
      case 'overflow': return `Events were lost from here on: ${event.message}`
      case 'stopped': return 'The daemon stopped'
    }
  }

  #change (event: ChangeEvent): string {
    const subject = `${words(event.noun)} ${this.#label(event.id)}`
    if (event.change === 'changed') {
      return `${subject} changed: ${this.#differences(event.previous ?? {}, event.record ?? {})}`
    }
    return `${subject} ${event.change}${event.change === 'created' ? this.#where(event) : ''}`
  }

  /** ` in subnet front`: the nearest thing that the record stands in. */
  #where ({ noun, record }: { readonly noun: string, readonly record: object | null }): string {
    const { subnetId, vpcId } = (record ?? {}) as Fields
    const inSubnet = noun !== 'subnet' && typeof subnetId === 'string' && subnetId !== ''
    const id = inSubnet ? subnetId : vpcId
    if (typeof id !== 'string' || id === '') return ''
    return ` in ${inSubnet ? 'subnet' : 'vpc'} ${this.#names.get(id) || id}`
  }

  #label (id: string): string {
    const name = this.#names.get(id) ?? ''
    return name === '' ? id : `${id} (${name})`
  }

  #differences (previous: object, record: object): string {
    const [before, now] = [previous as Fields, record as Fields]
    const fields = [...new Set([...Object.keys(before), ...Object.keys(now)])]
      .filter((field) => JSON.stringify(before[field]) !== JSON.stringify(now[field]))
    const more = fields.length - FIELDS_MAX
    return fields.slice(0, FIELDS_MAX)
      .map((field) => difference(words(field), before[field], now[field])).join(', ') +
      (more > 0 ? ` and ${String(more)} more fields` : '')
  }
}

/** Values that fit a line are told, others only named. */
function difference (field: string, before: unknown, now: unknown): string {
  return isShort(before) && isShort(now) ? `${field} ${show(before)} → ${show(now)}` : field
}

const SHORT_LENGTH_MAX = 40

type Short = string | number | boolean | null | undefined

function isShort (value: unknown): value is Short {
  return value === null || value === undefined || typeof value === 'number' ||
    typeof value === 'boolean' || (typeof value === 'string' && value.length <= SHORT_LENGTH_MAX)
}

function show (value: Short): string {
  return value === null || value === undefined || value === '' ? 'none' : String(value)
}

/** `networkInterface` as `network interface`. */
function words (camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

function nameIn (record: object): string {
  const name = ((record as Fields)['tags'] as Fields | undefined)?.['Name']
  return typeof name === 'string' ? name : ''
}
