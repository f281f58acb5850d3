/* Counts the bases of a sequence, and tells who it is and which networks it has. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  /* The schema lets capital letters in as bases alone. */
  long counts[128] = {0};
  for (int letter; (letter = getchar()) != EOF;)
    counts[letter & 127]++;
  printf("{\"counts\":{\"A\":%ld,\"C\":%ld,\"G\":%ld,\"T\":%ld},", counts['A'], counts['C'], counts['G'], counts['T']);
  printf("\"user\":%d,\"networks\":[", (int)getuid());

  FILE *devices = fopen("/proc/net/dev", "r");
  char line[256], name[32];
  for (int found = 0; devices && fgets(line, sizeof line, devices);)
    if (strchr(line, ':') && sscanf(line, " %31[^:]", name) == 1)
      printf("%s\"%s\"", found++ ? "," : "", name);
  printf("],\"writes\":%s}", access("/", W_OK) == 0 ? "true" : "false");
  return 0;
}
