/* Names that last. A file may be synced and still be gone after a power cut, with its name: that is
 * on disk only when the folder it stands in was synced too. */
#ifndef HOTLEAD_SERVER_DIRECTORY_H
#define HOTLEAD_SERVER_DIRECTORY_H

/* Of a folder, or of the one that it stands in. 0 or errno. Any thread. */
int directory_sync(const char *path);
int directory_sync_parent(const char *path);

#endif
