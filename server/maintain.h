/* Commands on a data folder: look at every record and at what became of it, copy, put back, make
 * anew, print, go back in time.
 *
 * fsck, audit, backup and replay only read, so they work beside a running server (fsck then
 * leaves state alone); the others need the folder for themselves. */
#ifndef HOTLEAD_SERVER_MAINTAIN_H
#define HOTLEAD_SERVER_MAINTAIN_H

/* argv[0] is the command. The exit code comes back. */
int maintain_fsck(int argc, char **argv);
int maintain_backup(int argc, char **argv);
int maintain_restore(int argc, char **argv);
int maintain_rebuild(int argc, char **argv);
int maintain_dump(int argc, char **argv);
int maintain_audit(int argc, char **argv);
int maintain_replay(int argc, char **argv);

#endif
