//! What directories, providers, models and servers of tools answer, and configurations: as those do that are
//! right, and as some do that are not.

/// Texts by parser.
pub(super) const TEXTS: &[(&str, &str)] = &[
    (
        "config",
        "name = \"acme\"\nlisten = [\"/ip4/0.0.0.0/tcp/4100\", \"/ip4/0.0.0.0/udp/4100/quic-v1\"]\nhttp = \"127.0.0.1:8080\"\n[limits]\npeer_bytes = \"4 MiB\"\nadmission = \"10s\"\n[rates.everybody]\nper_minute = 60\nburst = 10\n",
    ),
    (
        "config",
        "name = \"acme\"\nlisten = []\n[backends.office]\nformat = \"openai\"\nurl = \"http://127.0.0.1:11434/v1\"\nkey = \"env:KEY\"\nallow_private = [\"127.0.0.1:11434\"]\nprice = \"USD 0.15 0.60\"\n[mcp.sums]\nargv = [\"python3\", \"sums.py\"]\nenv = [\"A=b\"]\n[people.ada]\ngroups = [\"nurses\"]\n[groups.nurses]\n",
    ),
    (
        "config",
        "name = \"A\"\nlisten = [\"nowhere\"]\nunknown = 1\n[limits]\nmax_calls = 0\n[store]\nengine = \"files\"\n",
    ),
    (
        "config",
        "name = \"acme\"\n[ldap]\nurl = \"ldaps://directory.example\"\nbase = \"dc=x\"\n[oidc]\nissuer = \"https://id.example\"\nclient = \"realm\"\n[traces]\nredact = [\"$.a\"]\nredact_patterns = [\"[0-9]+\"]\n",
    ),
    (
        "model",
        "data: {\"model\": \"m\", \"choices\": [{\"delta\": {\"content\": \"Hel\"}}]}\n\ndata: {\"choices\": [{\"delta\": {\"content\": \"lo\"}, \"finish_reason\": \"stop\"}]}\n\ndata: {\"choices\": [], \"usage\": {\"prompt_tokens\": 3, \"completion_tokens\": 2}}\n\ndata: [DONE]\n\n",
    ),
    (
        "model",
        "data: {\"choices\": [{\"delta\": {\"tool_calls\": [{\"index\": 0, \"id\": \"c\", \"function\": {\"name\": \"add\", \"arguments\": \"{\\\"a\\\"\"}}]}}]}\n\ndata: {\"choices\": [{\"delta\": {\"tool_calls\": [{\"index\": 0, \"function\": {\"arguments\": \": 1}\"}}]}, \"finish_reason\": \"tool_calls\"}]}\n\ndata: [DONE]\n\n",
    ),
    (
        "model",
        "data: {\"error\": {\"message\": \"overloaded\"}}\n\n",
    ),
    (
        "model",
        "data: {\"type\": \"message_start\", \"message\": {\"model\": \"m\", \"usage\": {\"input_tokens\": 3}}}\n\ndata: {\"type\": \"content_block_start\", \"index\": 0, \"content_block\": {\"type\": \"text\", \"text\": \"\"}}\n\ndata: {\"type\": \"content_block_delta\", \"index\": 0, \"delta\": {\"text\": \"Hello\"}}\n\ndata: {\"type\": \"content_block_start\", \"index\": 1, \"content_block\": {\"type\": \"tool_use\", \"id\": \"t\", \"name\": \"add\", \"input\": {}}}\n\ndata: {\"type\": \"content_block_delta\", \"index\": 1, \"delta\": {\"partial_json\": \"{\\\"a\\\": 1}\"}}\n\ndata: {\"type\": \"message_delta\", \"delta\": {\"stop_reason\": \"tool_use\"}, \"usage\": {\"output_tokens\": 2}}\n\ndata: {\"type\": \"message_stop\"}\n\n",
    ),
    (
        "model",
        "data: {\"type\": \"error\", \"error\": {\"type\": \"overloaded_error\", \"message\": \"busy\"}}\n\n",
    ),
    (
        "model",
        "data: {\"type\": \"response.output_text.delta\", \"delta\": \"Hello\"}\n\ndata: {\"type\": \"response.completed\", \"response\": {\"model\": \"m\", \"output\": [{\"type\": \"message\", \"content\": [{\"type\": \"output_text\", \"text\": \"Hello\"}]}, {\"type\": \"function_call\", \"call_id\": \"c\", \"name\": \"add\", \"arguments\": \"{}\"}], \"usage\": {\"input_tokens\": 3, \"output_tokens\": 2}}}\n\n",
    ),
    (
        "model",
        "data: {\"type\": \"response.failed\", \"response\": {\"error\": {\"message\": \"no\"}}}\n\n",
    ),
    (
        "model",
        "{\"message\": {\"content\": \"Hel\"}}\n{\"message\": {\"content\": \"lo\", \"tool_calls\": [{\"function\": {\"name\": \"add\", \"arguments\": {\"a\": 1}}}]}}\n{\"model\": \"m\", \"message\": {\"content\": \"\"}, \"done\": true, \"done_reason\": \"stop\", \"prompt_eval_count\": 3, \"eval_count\": 2}\n",
    ),
    ("model", "{\"error\": \"no such model\"}\r\n\r\n"),
    (
        "provider",
        r#"{"issuer": "https://id.example", "device_authorization_endpoint": "https://id.example/device", "token_endpoint": "https://id.example/token", "jwks_uri": "https://id.example/keys", "userinfo_endpoint": "https://id.example/me", "token_endpoint_auth_methods_supported": ["client_secret_post"]}"#,
    ),
    (
        "provider",
        r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "e", "use": "sig", "alg": "EdDSA", "x": "6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw"}, {"kty": "EC", "crv": "P-256", "kid": "p", "use": "sig", "alg": "ES256", "x": "jlM7b6C_e0YluzBmfAH7YH75-LioD-9bMAYocDGHsqM", "y": "c-sdveAzGDZtBp-DpvWQAFPHNjPLBBshxV4ahsH0ALQ"}, {"kty": "RSA", "kid": "r", "use": "sig", "alg": "RS256", "n": "w1VVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVAQ", "e": "AQAB"}, {"kty": "none"}]}"#,
    ),
    (
        "provider",
        r#"{"device_code": "d", "user_code": "WDJB-MJHT", "verification_uri": "https://id.example/enter", "verification_uri_complete": "https://id.example/enter?code=WDJB-MJHT", "expires_in": 600, "interval": 5}"#,
    ),
    (
        "provider",
        r#"{"access_token": "a", "refresh_token": "r", "id_token": "eyJhbGciOiJFZERTQSIsImtpZCI6ImUiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJyZWFsbSIsInN1YiI6ImFkYSIsImlhdCI6MTgwMDAwMDAwMCwiZXhwIjoxODAwMDAwMzAwLCJwcmVmZXJyZWRfdXNlcm5hbWUiOiJhZGEiLCJncm91cHMiOlsibnVyc2VzIiwib3RoZXJzIl19.bXZvo6QzWoNX0lOvX3pNGJ3shj-junI0BQf2yVqZBSHzyhSkQ2J_l6dWiK3_s2ol4BC8QaejHlXwCqJKvmstBg", "keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "e", "use": "sig", "alg": "EdDSA", "x": "6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw"}]}"#,
    ),
    (
        "provider",
        r#"{"iss": "https://id.example", "aud": "realm", "sub": "ada", "iat": 1800000000, "exp": 1800000300, "preferred_username": "ada", "groups": ["nurses", "others"]}"#,
    ),
    ("provider", r#"{"error": "authorization_pending"}"#),
    (
        "server",
        r#"{"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {"listChanged": true}}, "serverInfo": {"name": "sums", "version": "1"}}}"#,
    ),
    (
        "server",
        r#"{"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "add", "description": "Adds.", "inputSchema": {"type": "object", "properties": {"a": {"type": "number"}}}, "outputSchema": {"type": "object"}}], "nextCursor": "2"}}"#,
    ),
    (
        "server",
        r#"{"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "{\"sum\": 3}"}], "structuredContent": {"sum": 3}, "isError": false}}"#,
    ),
    (
        "server",
        r#"{"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "it knows hunter2-hunter2"}], "isError": true}}"#,
    ),
    (
        "server",
        r#"{"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "3"}, {"type": "image", "data": "AA==", "mimeType": "image/png"}]}}"#,
    ),
    (
        "server",
        r#"{"jsonrpc": "2.0", "id": 1, "result": {"content": [], "structuredContent": {"sum": "hunter2-hunter2"}}}"#,
    ),
    (
        "server",
        r#"{"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "no such tool"}}"#,
    ),
    (
        "server",
        r#"{"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}"#,
    ),
    (
        "server",
        r#"{"jsonrpc": "2.0", "id": "s", "method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}}"#,
    ),
];

/// Messages of a directory, in hexadecimal.
pub(super) const DIRECTORY: &[&str] = &[
    "300c02010161070a010004000400",
    "300c02010161070a013104000400",
    "300c02010178070a010004000400",
    "303d020102643804167569643d6164612c6f753d50656f706c652c64633d78301e300f0403756964310804036164610401ff300b0402636e31050403416461300c02010265070a010004000400",
    "3081f90201026481f30418434e3d415c3243425c2c20432b4f3d5c2058202c44433d783081d63081d304035549443181cb0481c861616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161613017020102731204106c6461703a2f2f656c73657768657265300c02010265070a012004000400",
    "302702010078220a0134040004036279658a16312e332e362e312e342e312e313436362e3230303336",
];
