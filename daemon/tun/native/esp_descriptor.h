/* Descriptors of ESP for C: words of jobs and results. ../esp_descriptor.ts says what each means;
 * this file repeats its numbers, and esp.test.ts compares the two. */
#ifndef VPCLAB_ESP_DESCRIPTOR_H
#define VPCLAB_ESP_DESCRIPTOR_H

#define ESP_AT               0
#define ESP_BYTES            1
#define ESP_GSO_TYPE         2
#define ESP_GSO_SIZE         3
#define ESP_CSUM             4
#define ESP_CSUM_FIELD       5
#define ESP_SEGMENTS         6
#define ESP_SA               7
#define ESP_TUNNEL           8
#define ESP_JOB              9
#define ESP_STATUS           10
#define ESP_WORDS            11

#define ESP_SAS_MAX          8192
#define ESP_STATISTICS_WORDS 4

#define ESP_DONE             0
#define ESP_IKE              1
#define ESP_KEEPALIVE        2
#define ESP_NO_SA            3
#define ESP_MALFORMED        4
#define ESP_FRAGMENT         5
#define ESP_REPLAY           6
#define ESP_AUTHENTICATION   7
#define ESP_TOO_BIG          8
#define ESP_EXPIRED          9
#define ESP_CONGESTION       10
#define ESP_NO_ROOM          11
#define ESP_DUMMY            12

#define ESP_FLAG_NO_ECN      1
#define ESP_FLAG_CLEAR_DF    2
#define ESP_FLAG_COPY_DSCP   4

#endif
