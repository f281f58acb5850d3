/* What a program in a container may try; the first argument says which. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void look(const char *path, const char *wanted) {
  char line[512];
  FILE *file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, wanted, strlen(wanted)) == 0) {
      line[strcspn(line, "\n")] = 0;
      char *value = line + strlen(wanted);
      for (char *letter = value; *letter; letter++)
        if (*letter == '\t')
          *letter = ' ';
      while (*value == ' ')
        value++;
      printf("\"%s\":\"%s\",", wanted, value);
    }
}

static int writable(const char *folder) {
  char path[128];
  snprintf(path, sizeof path, "%s/probe", folder);
  FILE *file = fopen(path, "w");
  return file && fputs("x", file) >= 0 && fclose(file) == 0;
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "echo") == 0) {
    for (int letter; (letter = getchar()) != EOF;)
      putchar(letter);
  } else if (strcmp(what, "lines") == 0) {
    puts("{\"type\": \"part\", \"text\": \"Good day\"}");
    puts("{\"type\": \"output\", \"output\": 7}");
  } else if (strcmp(what, "flood") == 0) {
    while (puts("0123456789012345678901234567890123456789") >= 0)
      ;
  } else if (strcmp(what, "hang") == 0) {
    if (fork() >= 0)
      for (;;)
        pause();
  } else if (strcmp(what, "fail") == 0) {
    fputs("it does not work\n", stderr);
    return 3;
  } else if (strcmp(what, "eat") == 0) {
    for (;;)
      memset(malloc(1 << 20), 1, 1 << 20);
  } else if (strcmp(what, "fork") == 0) {
    int born = 0;
    for (int child; born < 10000 && (child = fork()) >= 0; born++)
      if (child == 0)
        for (;;)
          pause();
    printf("%d", born);
    fflush(stdout);
    _exit(0);
  } else if (strcmp(what, "look") == 0) {
    printf("{");
    const char *status[] = {"Uid:", "Gid:", "CapEff:", "CapBnd:", "NoNewPrivs:", "Seccomp:"};
    for (size_t at = 0; at < sizeof status / sizeof *status; at++)
      look("/proc/self/status", status[at]);
    look("/proc/net/dev", "  eth0");
    printf("\"root\":%d,\"scratch\":%d,\"socket\":%d,", writable("/"), writable("/tmp"), access("/run/docker.sock", F_OK) == 0);
    printf("\"given\":\"%s\",\"key\":%d}", getenv("GIVEN") ? getenv("GIVEN") : "", getenv("REALM_IDEMPOTENCY_KEY") != NULL);
  }
  return 0;
}
