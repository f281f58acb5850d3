# Sourced by the examples that call a published MCP server: says in `server` where it is, or skips.
server=$(cd ../.. && pwd)/target/mcp/node_modules/.bin/mcp-server-everything
if ! command -v node > /dev/null || [[ ! -e $server ]]; then
  echo "SKIPPED: there is no MCP server to call; scripts/mcp-server installs one (needs Node.js)"
  exit 0
fi
