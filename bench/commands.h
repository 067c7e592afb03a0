/* The commands of hotlead-bench. argv[0] is the command's name; each answers the exit code: 0 done,
 * 1 failed, 2 usage, 3 a threshold was missed. */
#ifndef HOTLEAD_BENCH_COMMANDS_H
#define HOTLEAD_BENCH_COMMANDS_H

#define BENCH_DONE      0
#define BENCH_FAILED    1
#define BENCH_USAGE     2
#define BENCH_THRESHOLD 3

int run_command(int argc, char **argv);
int compare_command(int argc, char **argv);
int report_command(int argc, char **argv);
int diff_command(int argc, char **argv);
int growth_command(int argc, char **argv);
int soak_command(int argc, char **argv);

#endif
