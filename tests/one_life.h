/* A world with robots' queues in which person 1 is followed, and short words for what happens. */
#ifndef HOTLEAD_TESTS_ONE_LIFE_H
#define HOTLEAD_TESTS_ONE_LIFE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/report.h"
#include "proto/task.h"
#include "tests/world.h"

#define MINUTE 60000ull
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define PHONE  "+12155550147" /* Philadelphia */
#define EMAIL  "dana@example.com"

extern struct world world;

int set_up(void **unused);
int tear_down(void **unused);
#define LIFE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

uint32_t make_queue(const char *id);
void set_admin(enum entity_kind entity, uint32_t number, const char *settings);
void remove_admin(enum entity_kind entity, uint32_t number);
/* The default with this in its place; \n stands there as in JSON. */
void use_playbook(const char *yaml);

uint64_t opt_in_as(const char *phone, const char *email, const char *content, uint8_t flags);
uint64_t opt_in(const char *content); /* PHONE and EMAIL; returns the task */
struct person_row person(void);
bool open_of(enum task_channel channel, struct task_row *task);
struct task_row open_call(void); /* number 0: there is none */
void report(uint64_t task, enum outcome outcome);
enum status amend(uint64_t task, enum outcome outcome);
/* How many of the steps since world_forget_steps were that one, and made. */
unsigned steps_made(enum task_channel channel, unsigned step);

#endif
