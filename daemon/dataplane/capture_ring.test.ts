import test from 'ava'
import { Worker } from 'node:worker_threads'
import {
  CAPTURE_RING_BYTES, CAPTURE_SHARED_BYTES, CaptureRingReader, CaptureRingWriter,
  DIRECTION_INBOUND, RECORD_DIRECTION, RECORD_PACKET_BYTES, RECORD_TIME
} from './capture_ring.ts'

/** Writes a record whose time is `number` and whose bytes all are its low byte. */
function write (writer: CaptureRingWriter, number: number, bytes: number): boolean {
  const at = writer.reserve(bytes)
  if (at < 0) return false
  writer.words[(at >>> 2) + RECORD_DIRECTION] = DIRECTION_INBOUND
  writer.words[(at >>> 2) + RECORD_PACKET_BYTES] = bytes
  writer.doubles[((at >>> 2) + RECORD_TIME) >>> 1] = number
  const contentAt = writer.contentAt(at)
  writer.bytes.fill(number, contentAt, contentAt + bytes)
  writer.publish()
  return true
}

/** Reads a record and gives it back. @returns its number, or a complaint */
function read (reader: CaptureRingReader): number | string {
  const at = reader.first
  if (at < 0) return 'empty'
  const number = reader.firstNs
  const bytes = reader.words[(at >>> 2) + RECORD_PACKET_BYTES]
  const contentAt = reader.contentAt(at)
  for (let offset = contentAt; offset < contentAt + bytes; offset++) {
    if (reader.bytes[offset] !== (number & 0xff)) return `record ${String(number)} is damaged`
  }
  reader.skip()
  return number
}

test('records come out whole and in order over many laps of the ring', (t) => {
  const reader = new CaptureRingReader()
  const writer = new CaptureRingWriter(reader.memory as SharedArrayBuffer)
  t.is(reader.first, -1)
  t.is(reader.firstNs, Infinity)
  let written = 0
  let next = 0
  let laidBytes = 0
  while (laidBytes < 3.2 * CAPTURE_RING_BYTES) {
    for (let burst = 0; burst < 5; burst++) {
      const bytes = 60_000 + (written * 7919) % 5573
      t.true(write(writer, written++, bytes))
      laidBytes += bytes
    }
    for (let burst = 0; burst < 5; burst++) t.is(read(reader), next++)
  }
  t.is(read(reader), 'empty')
})

test('a full ring refuses, keeps what it holds, and takes more when that is read', (t) => {
  const reader = new CaptureRingReader()
  const writer = new CaptureRingWriter(reader.memory as SharedArrayBuffer)
  let written = 0
  while (write(writer, written, 65_000)) written++
  t.true(written > 0.95 * CAPTURE_RING_BYTES / 65_088)
  t.false(write(writer, written, 65_000))
  t.is(read(reader), 0)
  t.is(read(reader), 1)
  t.true(write(writer, written, 65_000))
  for (let number = 2; number <= written; number++) t.is(read(reader), number)
  t.is(read(reader), 'empty')
})

test('a reserved record that is not published is never seen', (t) => {
  const reader = new CaptureRingReader()
  const writer = new CaptureRingWriter(reader.memory as SharedArrayBuffer)
  writer.reserve(100)
  t.is(read(reader), 'empty')
  write(writer, 1, 10)
  t.is(read(reader), 1)
  t.is(read(reader), 'empty')
})

test('a new writer goes on where the old one stopped', (t) => {
  const reader = new CaptureRingReader()
  write(new CaptureRingWriter(reader.memory as SharedArrayBuffer), 1, 10)
  const second = new CaptureRingWriter(reader.memory as SharedArrayBuffer)
  second.takeUp(7)
  write(second, 2, 20)
  t.is(reader.epoch, 7)
  t.is(read(reader), 1)
  t.is(read(reader), 2)
})

test('lost packets are counted by point and capture, and told once', (t) => {
  const reader = new CaptureRingReader()
  const writer = new CaptureRingWriter(reader.memory as SharedArrayBuffer)
  writer.lose(5, 0b101, 45)
  writer.lose(5, 0b001, 1)
  t.deepEqual([0, 1, 2].map((capture) => reader.takeLost(5, capture)), [46, 0, 45])
  t.is(reader.takeLost(5, 0), 0)
  t.is(reader.takeLost(6, 0), 0)
})

test('a writer in another thread and a slow reader: nothing is damaged, everything is counted',
  async (t) => {
    const reader = new CaptureRingReader()
    const records = 40_000
    const module = new URL('capture_ring.ts', import.meta.url).href
    const worker = new Worker(`
      const { workerData } = require('node:worker_threads')
      import(${JSON.stringify(module)}).then((ring) => {
        const writer = new ring.CaptureRingWriter(workerData.shared)
        for (let number = 0; number < workerData.records; number++) {
          const bytes = 1 + (number * 7919) % 9000
          const at = writer.reserve(bytes)
          if (at < 0) { writer.lose(1, 1, 1); continue }
          writer.words[(at >>> 2) + ring.RECORD_DIRECTION] = 1
          writer.words[(at >>> 2) + ring.RECORD_PACKET_BYTES] = bytes
          writer.doubles[((at >>> 2) + ring.RECORD_TIME) >>> 1] = number
          const contentAt = writer.contentAt(at)
          writer.bytes.fill(number, contentAt, contentAt + bytes)
          writer.publish()
        }
        writer.takeUp(1)
      })`, { eval: true, workerData: { shared: reader.memory, records } })
    let seen = 0
    let last = -1
    while (reader.epoch === 0 || reader.first >= 0) {
      if (reader.first < 0) {
        await new Promise((resolve) => { setImmediate(resolve) })
        continue
      }
      const number = read(reader)
      if (typeof number === 'string' || number <= last) {
        t.fail(`after record ${String(last)}: ${String(number)}`)
        break
      }
      last = number
      seen++
    }
    t.is(seen + reader.takeLost(1, 0), records)
    t.is((reader.memory as SharedArrayBuffer).byteLength, CAPTURE_SHARED_BYTES)
    await worker.terminate()
  })
