/** The services' addresses in their namespace (dataplane/link_local_service.ts), as text. */

/** @param octet OCTET_* */
export function serviceIpv4 (octet: number): string { return `169.254.169.${String(octet)}` }

/** @param word WORD_* */
export function serviceIpv6 (word: number): string { return `fd00:ec2::${word.toString(16)}` }
