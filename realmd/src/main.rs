fn main() -> std::process::ExitCode { realmd::main() }
