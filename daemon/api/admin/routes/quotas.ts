/** Quotas of the lab, with what the account of the lab's own key uses of them. */
import { QUOTA_NAMES, quota, quotaDefault, QUOTAS } from '../../../model/quota.ts'
import { quotaUsage } from '../../../model/quota_usage.ts'
import { AccountView } from '../../../model/snapshot.ts'
import type { QuotasAnswer } from '../contract.ts'
import type { AddRoutes } from '../route.ts'

export const addQuotaRoutes: AddRoutes = (server, { replica, keyRing, config }) => {
  server.get('/quotas', (): QuotasAnswer => {
    const { snapshot } = replica
    const view = new AccountView(snapshot, keyRing.first.accountId, config.region)
    return {
      profile: config.quotaProfile,
      quotas: QUOTA_NAMES.map((name) => {
        const usage = quotaUsage(view, name)
        return {
          name,
          value: quota(snapshot, name),
          default: quotaDefault(name, config.quotaProfile),
          used: usage?.used ?? null,
          resource: usage?.resource ?? null,
          what: QUOTAS[name].what,
          code: QUOTAS[name].code
        }
      })
    }
  })
}
