/**
 * Delivery to buckets. There is no S3 here: a bucket is a directory of the lab, and what AWS would
 * put into it as objects are files of the same names. AWS VPC User Guide, "Flow log files".
 *
 *     window closes ─ append ─▶ spool/<flow log>.log ─ every 5 windows, or 75 MB ─▶
 *       spool/<flow log>.<time>_<hash>.closing ─ gzip ─▶ buckets/<bucket>/<prefix>/AWSLogs/…
 *
 * Each step leaves the file before it until its own is whole. A killed daemon goes on with what is
 * in the spool, under the name that was chosen, so that no line is lost or delivered twice.
 */
import { randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { appendFile, mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { BucketDestination, FlowLog } from '../model/flow_log.ts'
import type { Log } from '../observe/log.ts'

/** A spool file that has grown to this is published at once. AWS: 75 MB. */
export const BUCKET_FILE_BYTES_MAX = 75 * 2 ** 20
/** All files of all buckets; beyond it the oldest go. */
export const BUCKETS_BYTES_MAX = 2 ** 30

const SPOOL_SUFFIX = '.log'
/** Where the lines of a spool go. */
const PLACE_SUFFIX = '.json'
const CLOSING_SUFFIX = '.closing'

export interface BucketWriterOptions {
  /** Of the buckets. */
  readonly directory: string
  readonly spoolDirectory: string
  readonly log: Log
  readonly bytesMax?: number
}

export class BucketWriter {
  readonly #options: BucketWriterOptions

  constructor (options: BucketWriterOptions) {
    this.#options = options
  }

  /** Makes the directory, and publishes what a killed daemon was about to. */
  async open (): Promise<void> {
    await mkdir(this.#options.spoolDirectory, { recursive: true, mode: 0o700 })
    for (const name of await this.#idsWith(CLOSING_SUFFIX)) {
      await this.#publish(`${name}${CLOSING_SUFFIX}`)
    }
  }

  /**
   * Writes lines into the flow log's spool. @param header the first line of each file
   * @returns whether the spool is full, so that it is to be published
   * @throws the error of the file system
   */
  async append (flowLog: FlowLog, header: string, lines: readonly string[]): Promise<boolean> {
    const path = this.#spoolPath(flowLog.id)
    const isNew = await stat(path).then(() => false, () => true)
    if (isNew) await this.#writePlace(flowLog)
    await appendFile(path, `${isNew ? `${header}\n` : ''}${lines.join('\n')}\n`, { mode: 0o600 })
    return (await stat(path)).size >= BUCKET_FILE_BYTES_MAX
  }

  /** Publishes what is in the spool of a flow log, if anything. @throws as append */
  async publish (flowLogId: string, nowMs: number): Promise<void> {
    const stamp = `${timeStamp(nowMs)}_${randomBytes(4).toString('hex')}`
    const name = `${flowLogId}.${stamp}${CLOSING_SUFFIX}`
    try {
      await rename(this.#spoolPath(flowLogId), join(this.#options.spoolDirectory, name))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    await this.#publish(name)
    await this.#trim()
  }

  /** Ids of flow logs with something in the spool. */
  async spooled (): Promise<string[]> { return await this.#idsWith(SPOOL_SUFFIX) }

  /** Forgets where flow logs deliver to that are gone and have nothing in the spool. */
  async forget (isGone: (flowLogId: string) => boolean): Promise<void> {
    const waiting = new Set([
      ...await this.spooled(),
      ...(await this.#idsWith(CLOSING_SUFFIX)).map((name) => name.split('.')[0] ?? '')
    ])
    for (const id of await this.#idsWith(PLACE_SUFFIX)) {
      if (isGone(id) && !waiting.has(id)) await rm(this.#placePath(id))
    }
  }

  async #idsWith (suffix: string): Promise<string[]> {
    const names = await readdir(this.#options.spoolDirectory)
    return names.filter((name) => name.endsWith(suffix))
      .map((name) => name.slice(0, -suffix.length))
  }

  #spoolPath (flowLogId: string): string {
    return join(this.#options.spoolDirectory, `${flowLogId}${SPOOL_SUFFIX}`)
  }

  #placePath (flowLogId: string): string {
    return join(this.#options.spoolDirectory, `${flowLogId}${PLACE_SUFFIX}`)
  }

  /** Where it goes, for when the record is gone. */
  async #writePlace (flowLog: FlowLog): Promise<void> {
    const { ownerId, region, destination } = flowLog
    await writeFile(this.#placePath(flowLog.id), JSON.stringify({ ownerId, region, destination }),
      { mode: 0o600 })
  }

  async #publish (name: string): Promise<void> {
    const [flowLogId = '', stamp = ''] = name.split('.')
    const closing = join(this.#options.spoolDirectory, name)
    const place = JSON.parse(await readFile(this.#placePath(flowLogId), 'utf8')) as Place
    const path = join(this.#options.directory, objectKey(flowLogId, stamp, place))
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await pipeline(createReadStream(closing), createGzip(),
      createWriteStream(`${path}.part`, { mode: 0o600 }))
    await rename(`${path}.part`, path)
    await rm(closing)
  }

  async #trim (): Promise<void> {
    const { directory, log, bytesMax = BUCKETS_BYTES_MAX } = this.#options
    const files: { path: string, bytes: number, atMs: number }[] = []
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      const { size, mtimeMs } = await stat(path)
      files.push({ path, bytes: size, atMs: mtimeMs })
    }
    let bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    for (const file of files.toSorted((one, other) => one.atMs - other.atMs)) {
      if (bytes <= bytesMax) return
      await rm(file.path)
      bytes -= file.bytes
      log.warn({ path: file.path }, 'the buckets are full: the oldest file of a flow log went')
    }
  }
}

interface Place {
  readonly ownerId: string
  readonly region: string
  readonly destination: BucketDestination
}

/** `20260301T1020Z`: UTC, in minutes. */
function timeStamp (nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 16).replace(/[-:]/g, '')}Z`
}

/** Name of the file below the directory of the buckets. @param stamp `<time>_<hash>` */
function objectKey (flowLogId: string, stamp: string, place: Place): string {
  const { ownerId, region, destination: { bucket, prefix, hiveCompatible, perHour } } = place
  const [, year = '', month = '', day = '', hour = ''] =
    /^(\d{4})(\d{2})(\d{2})T(\d{2})/.exec(stamp) ?? []
  const file = `${ownerId}_vpcflowlogs_${region}_${flowLogId}_${stamp}.log.gz`
  const time = perHour ? [year, month, day, hour] : [year, month, day]
  const names = ['year', 'month', 'day', 'hour']
  const folders = hiveCompatible
    ? [`aws-account-id=${ownerId}`, 'aws-service=vpcflowlogs', `aws-region=${region}`,
        ...time.map((part, at) => `${names[at] ?? ''}=${part}`)]
    : [ownerId, 'vpcflowlogs', region, ...time]
  return join(bucket, prefix, 'AWSLogs', ...folders, file)
}
