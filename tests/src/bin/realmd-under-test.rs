//! The daemon, as the end-to-end tests start it.

fn main() -> std::process::ExitCode {
    realmd::main()
}
