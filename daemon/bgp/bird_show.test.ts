/** Answers of a real BIRD 2.0.12, as they came from its control socket. */
import test from 'ava'
import { ReplyReader } from './bird_control.ts'
import type { ReplyLine } from './bird_control.ts'
import { errorInWords, parseProtocols, parseRoutes } from './bird_show.ts'

/** @param text a reply; its last line has a code and a space */
function read (text: string): ReplyLine[] {
  const reader = new ReplyReader()
  const ends = text.split('\n').map((line) => reader.line(line))
  if (ends.indexOf(true) !== ends.length - 1) throw new Error('the reply ends elsewhere')
  return reader.lines
}

const PROTOCOLS = `2002-Name       Proto      Table      State  Since         Info
1002-device1    Device     ---        up     00:03:41.759  
1006-
1002-blocks     Static     master4    up     00:03:41.759  
1006-  Channel ipv4
     State:          UP
     Routes:         1 imported, 0 exported, 1 preferred
     Route change stats:     received   rejected   filtered    ignored   accepted
       Import updates:              1          0          0          0          1
 
1002-v0a_1      BGP        ---        up     00:03:42.556  Established   
1006-  Description:    vpn-0a 192.0.2.1
   BGP state:          Established
     Neighbor address: 169.254.10.2
     Hold timer:       22.220/30
   Channel ipv4
     Import limit:   100
       Action:       disable
     Routes:         2 imported, 1 exported, 2 preferred
     Route change stats:     received   rejected   filtered    ignored   accepted
       Import updates:              2          0          0          0          2
       Import withdraws:            0          0        ---          0          0
 
+asynchronous news that nobody asked for
1002-v0a_2      BGP        ---        start  00:04:05.045  Idle          BGP Error: Bad peer AS
1006-  Description:    vpn-0a 192.0.2.120
   BGP state:          Idle
     Error wait:       1.234/5
     Last error:       BGP Error: Bad peer AS
 
1002-v0b_1      BGP        ---        down   00:03:55.617  Automatic shutdown: Route limit exceeded
1006-  Description:    vpn-0b 192.0.2.2
   BGP state:          Down
     Last error:       Automatic shutdown: Route limit exceeded
 
0000 `

test('sessions are told apart by their state, errors and counters', (t) => {
  const protocols = parseProtocols(read(PROTOCOLS))
  t.deepEqual([...protocols.keys()], ['v0a_1', 'v0a_2', 'v0b_1'])
  t.like(protocols.get('v0a_1'), { isEstablished: true, lastError: '', isOverLimit: false })
  t.like(protocols.get('v0a_2'),
    { isEstablished: false, lastError: 'BGP Error: Bad peer AS', isOverLimit: false })
  t.like(protocols.get('v0b_1'), { isEstablished: false, isOverLimit: true })
  t.true(protocols.get('v0a_1')?.routesMark.includes('2 imported'))
})

const ROUTES = `1007-Table master4:
 192.168.7.0/24       unicast [v0a_1 00:03:42.873] * (100) [AS65010i]
 \tvia 169.254.10.2 on vpn1
1008-\tType: BGP univ
1012-\tBGP.origin: IGP
 \tBGP.as_path: 65010
 \tBGP.next_hop: 169.254.10.2
 \tBGP.local_pref: 100
1007-                     unicast [v0a_2 00:03:43.000] (100) [AS65010i]
 \tvia 169.254.10.6 on vpn2
1008-\tType: BGP univ
1012-\tBGP.origin: IGP
 \tBGP.as_path: 65010 {65020 65021}
 \tBGP.next_hop: 169.254.10.6
 \tBGP.med: 50
 \tBGP.local_pref: 100
 \tBGP.community: (65010,100) (65010,200)
1007-192.168.8.0/24       unicast [v0a_1 00:03:42.873] * (100) [AS65010?]
 \tvia 169.254.10.2 on vpn1
1008-\tType: BGP univ
1012-\tBGP.origin: Incomplete
 \tBGP.as_path: 65010 4200000000
 \tBGP.next_hop: 169.254.10.2
0000 `

test('every route of a prefix is read, with what its peer said of it', (t) => {
  const common = { med: null, communities: [], nextHop: '169.254.10.2' }
  t.deepEqual(parseRoutes(read(ROUTES)), [
    { protocol: 'v0a_1', path: { ...common, cidr: '192.168.7.0/24', asPath: [65_010] } },
    { protocol: 'v0a_2', path: { cidr: '192.168.7.0/24', asPath: [65_010, 65_020, 65_021],
      med: 50, communities: ['65010:100', '65010:200'], nextHop: '169.254.10.6' } },
    { protocol: 'v0a_1',
      path: { ...common, cidr: '192.168.8.0/24', asPath: [65_010, 4_200_000_000] } }
  ])
  t.deepEqual(parseRoutes(read('0000 ')), [])
})

test('what ended a session is said to people', (t) => {
  const peer = { peerAsn: 65_010, peerAddress: '169.254.10.2', pathsMax: 100 }
  const say = (error: string): string => errorInWords(error, peer, 64_512)
  t.is(say('BGP Error: Bad peer AS'),
    '169.254.10.2 says another AS than 65010, the ASN of the customer gateway')
  t.is(say('Received: Administrative shutdown'),
    '169.254.10.2 ended the session: Administrative shutdown')
  t.regex(say('Automatic shutdown: Route limit exceeded'), /more than 100 prefixes/)
  t.is(say('Error: something new'), 'the session ended: Error: something new')
})
