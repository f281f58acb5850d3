//! The command line, as the end-to-end tests run it.

fn main() -> std::process::ExitCode {
    realmctl::main()
}
