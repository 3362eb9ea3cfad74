/** What a person has chosen in `vpcctl top`, and what each key does to it: pure. */

export interface TopState {
  readonly view: 'enis' | 'hosts'
  /** Key of the column that the rows are sorted by. */
  readonly sort: string
  readonly isReversed: boolean
  readonly isPaused: boolean
  /** Rows must contain it in one of their names or ids. */
  readonly filter: string
  /** What is being typed for the filter; null while no filter is typed. */
  readonly typed: string | null
  /** Rows above the first one shown. */
  readonly scroll: number
  /** Rows that are shown at most. */
  readonly room: number
}

export const TOP_STATE: TopState = {
  view: 'enis', sort: 'bits-out', isReversed: false, isPaused: false, filter: '', typed: null,
  scroll: 0, room: Infinity
}

/** Letters that sort by a column; the arrows go through all of them. */
const SORT_LETTERS: Readonly<Record<string, string>> = {
  i: 'bits-in', o: 'bits-out', k: 'packets-out', d: 'drops', l: 'flows', n: 'name', c: 'cpu'
}
const PAGE = 10
/** Letters of a filter; more are ignored. */
const FILTER_LENGTH_MAX = 60

/** A key as the terminal sends it: an escape sequence, or one character. */
const KEY = /\u001b\[[0-9;]*[A-Za-z~]|\u001bO[A-Z]|[\s\S]/gu

export function keysIn (text: string): string[] { return text.match(KEY) ?? [] }

/**
 * @param sortKeys columns of a view, from left to right
 * @returns the state after the key; null to quit
 */
export function afterKey (state: TopState, key: string,
  sortKeys: (view: TopState['view']) => readonly string[]): TopState | null {
  if (key === '\u0003') return null
  if (state.typed !== null) return afterTyping(state, state.typed, key)
  switch (key) {
    case 'q': return null
    case 'h': return switchView(state, sortKeys)
    case 'f': case '/': return { ...state, typed: state.filter }
    case 'p': case ' ': return { ...state, isPaused: !state.isPaused }
    case 'r': return { ...state, isReversed: !state.isReversed }
    case '\u001b[A': return scrolled(state, -1)
    case '\u001b[B': return scrolled(state, 1)
    case '\u001b[5~': return scrolled(state, -PAGE)
    case '\u001b[6~': return scrolled(state, PAGE)
    case '\u001b[D': return sortedBeside(state, sortKeys(state.view), -1)
    case '\u001b[C': return sortedBeside(state, sortKeys(state.view), 1)
    default: {
      const sort = SORT_LETTERS[key]
      return sort !== undefined && sortKeys(state.view).includes(sort) ? { ...state, sort } : state
    }
  }
}

function afterTyping (state: TopState, typed: string, key: string): TopState {
  switch (key) {
    case '\r': case '\n': return { ...state, filter: typed, typed: null, scroll: 0 }
    case '\u001b': return { ...state, filter: '', typed: null }
    case '\u007f': case '\b': return { ...state, typed: Array.from(typed).slice(0, -1).join('') }
    default: {
      const isLetter = !/[\u0000-\u001f\u007f]/.test(key) && typed.length < FILTER_LENGTH_MAX
      return isLetter ? { ...state, typed: typed + key } : state
    }
  }
}

function switchView (state: TopState,
  sortKeys: (view: TopState['view']) => readonly string[]): TopState {
  const view = state.view === 'enis' ? 'hosts' : 'enis'
  const sort = sortKeys(view).includes(state.sort) ? state.sort : TOP_STATE.sort
  return { ...state, view, sort, scroll: 0 }
}

function scrolled (state: TopState, rows: number): TopState {
  return { ...state, scroll: Math.max(0, state.scroll + rows) }
}

function sortedBeside (state: TopState, keys: readonly string[], step: number): TopState {
  const sort = keys.at((keys.indexOf(state.sort) + step) % keys.length)
  return sort === undefined ? state : { ...state, sort }
}
