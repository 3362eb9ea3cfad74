/** The npm package raw-socket, which brings no types: the part that programs/send_ipv4.ts uses. */
declare module 'raw-socket' {
  interface Socket {
    setOption(level: number, option: number, value: number): void
    send(
      packet: Buffer, at: number, length: number, address: string,
      done: (error: Error | null) => void): void
    close(): void
  }
  const raw: {
    readonly Protocol: { readonly UDP: number }
    readonly SocketLevel: { readonly IPPROTO_IP: number }
    readonly SocketOption: { readonly IP_HDRINCL: number }
    createSocket(options: { protocol: number }): Socket
  }
  export default raw
}
