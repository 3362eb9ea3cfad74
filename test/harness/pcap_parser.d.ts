/** The npm package pcap-parser, which brings no types: the part that capture.ts uses. */
declare module 'pcap-parser' {
  interface Parser {
    on(event: 'packetData', listener: (data: Uint8Array) => void): void
    on(event: 'error', listener: (error: Error) => void): void
    on(event: 'end', listener: () => void): void
  }
  export function parse (path: string): Parser
}
