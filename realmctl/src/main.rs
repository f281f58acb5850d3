fn main() -> std::process::ExitCode { realmctl::main() }
