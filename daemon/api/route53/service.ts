/**
 * Route 53 as a service behind the endpoint: private hosted zones. Route 53 API Reference; the
 * resolver of a VPC answers from them (services/dns/hosted_zones.ts).
 */
import { createOperationService } from '../operation_service.ts'
import { restXmlProtocol } from '../rest_xml.ts'
import type { Service } from '../service.ts'
import { associationOperations } from './association_operations.ts'
import type { Route53Context } from './context.ts'
import { recordOperations } from './record_operations.ts'
import { zoneOperations } from './zone_operations.ts'

const API_VERSION = '2013-04-01'

export function createRoute53Service (context: Route53Context): Service {
  return createOperationService({
    name: 'route53',
    pathPrefix: `/${API_VERSION}/`,
    protocols: [restXmlProtocol({
      namespace: `https://route53.amazonaws.com/doc/${API_VERSION}/`, invalidCode: 'InvalidInput'
    })],
    loadClient: () => import('@aws-sdk/client-route-53'),
    operations: [
      ...zoneOperations(context), ...associationOperations(context), ...recordOperations(context)
    ]
  })
}
