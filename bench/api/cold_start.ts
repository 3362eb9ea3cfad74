/**
 * A client's first call, in a process of its own: loads the AWS SDK, asks for one VPC, prints the
 * milliseconds since the process began. Arguments: endpoint URL, Region. Keys come from the
 * environment.
 */
import { DescribeVpcsCommand, EC2Client } from '@aws-sdk/client-ec2'

const [, , endpoint = '', region = ''] = process.argv
const client = new EC2Client({ endpoint, region })
await client.send(new DescribeVpcsCommand({ MaxResults: 5 }))
console.log(performance.now())
