/**
 * AWS STS as a service behind the endpoint: GetCallerIdentity, which many programs ask before
 * anything else. AWS STS API Reference. A key stands for the root user of its account; there are no
 * other users, and no roles.
 */
import type {
  GetCallerIdentityRequest, GetCallerIdentityResponse
} from '@aws-sdk/client-sts'
import { queryProtocol } from '../query_service.ts'
import { createOperationService, defineOperation } from '../operation_service.ts'
import type { Service } from '../service.ts'

const API_VERSION = '2011-06-15'
const XML_NAMESPACE = `https://sts.amazonaws.com/doc/${API_VERSION}/`

export function createStsService (): Service {
  return createOperationService({
    name: 'sts',
    protocols: [queryProtocol(API_VERSION, XML_NAMESPACE)],
    loadClient: () => import('@aws-sdk/client-sts'),
    operations: [
      defineOperation<GetCallerIdentityRequest, GetCallerIdentityResponse>({
        name: 'GetCallerIdentity',
        answer: ({ accountId }) => ({
          UserId: accountId, Account: accountId, Arn: `arn:aws:iam::${accountId}:root`
        })
      })
    ]
  })
}
