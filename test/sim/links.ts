/**
 * Who can reach whom. Names are machines and members of the store; a cut goes both ways. What is on
 * one machine reaches each other always.
 */
export class Links {
  readonly #cuts = new Set<string>()

  isOpen (one: string, other: string): boolean { return !this.#cuts.has(pair(one, other)) }

  cut (one: string, other: string): void { this.#cuts.add(pair(one, other)) }
  mend (one: string, other: string): void { this.#cuts.delete(pair(one, other)) }

  mendAll (): void { this.#cuts.clear() }
}

function pair (one: string, other: string): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`
}
