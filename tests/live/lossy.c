/*
 * For the kernel (clang -target bpf): a network that loses one packet in LOSE and delivers one in TWICE a second time.
 * Attached to what comes in, so that the sender knows nothing of it. A second one may be lost, or doubled, too.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

static unsigned (*const random_number)(void) = (void *)BPF_FUNC_get_prandom_u32;
static long (*const deliver_again)(struct __sk_buff *packet, unsigned interface,
                                   unsigned long flags) = (void *)BPF_FUNC_clone_redirect;

__attribute__((section("classifier"), used)) int lossy(struct __sk_buff *packet)
{
    if (random_number() % LOSE == 0)
        return TC_ACT_SHOT;
    if (random_number() % TWICE == 0)
        deliver_again(packet, packet->ifindex, BPF_F_INGRESS);
    return TC_ACT_OK;
}
