// The memory floor of a timer structure: a doubly linked list through an array of 32-byte nodes.

#include "reference.h"

#include <stdlib.h>

struct node {
    uint64_t deadline;
    uint64_t payload;
    uint32_t previous, next;
    uint32_t padding[2];
};

struct reference_list {
    uint32_t held;
    struct node nodes[]; // the first is the head
};

static void append(struct node *nodes, uint32_t index) {
    uint32_t last = nodes[0].previous;
    nodes[index].previous = last;
    nodes[index].next = 0;
    nodes[last].next = index;
    nodes[0].previous = index;
}

reference_list *reference_list_create(uint32_t held) {
    reference_list *list = calloc(1, sizeof *list + (held + 1) * sizeof *list->nodes);
    if (!list) abort();
    list->held = held;
    // In a random order, as the timers of a slot are.
    uint32_t step = 7919;
    while (held % step == 0) step += 2;
    for (uint32_t i = 0, index = 0; i < held; i++, index = (index + step) % held) {
        append(list->nodes, index + 1);
    }
    return list;
}

void reference_list_destroy(reference_list *list) { free(list); }

uint64_t reference_list_relink(reference_list *list, const uint32_t *victims, uint32_t count) {
    struct node *nodes = list->nodes;
    uint64_t start = reference_now();
    for (uint32_t i = 0; i < count; i++) {
        struct node *node = &nodes[victims[i] + 1];
        nodes[node->previous].next = node->next;
        nodes[node->next].previous = node->previous;
        append(nodes, victims[i] + 1);
    }
    return reference_now() - start;
}
