//! The daemon's program.

fn main() -> std::process::ExitCode {
    realmd::main()
}
