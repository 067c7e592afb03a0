#include "server/simulate.h"

const uint8_t simulate_stops_at[SIMULATE_ATTEMPTS] = {48, 24, 12, 6, 10};
const uint8_t simulate_sales_at[SIMULATE_ATTEMPTS] = {2, 3, 4, 10, 81};

const struct simulate_rate_row simulate_rates[SIMULATE_RATE_END] = {
#define XX(name, word, value, means, source) {word, means, source, value},
    SIMULATE_RATE_MAP(XX)
#undef XX
};
